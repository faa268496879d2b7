"""From source text to a module: languages, their compilers, diagnostics, and a cache of what was built."""

from __future__ import annotations

from .build import Build, build_module
from .diagnostics import render
from .language import BuildOptions, Compiled, Language, Progress, Toolchain
from .languages import find_language, language_of, languages, toolchains

__all__ = [
    "Build",
    "BuildOptions",
    "Compiled",
    "Language",
    "Progress",
    "Toolchain",
    "build_module",
    "find_language",
    "language_of",
    "languages",
    "render",
    "toolchains",
]
