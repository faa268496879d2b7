"""From source text to a module: languages, their compilers, diagnostics, and a cache of what was built."""

from __future__ import annotations

from .build import Build, build_module
from .diagnostics import render
from .language import BuildOptions, Compiled, Language, Progress, Toolchain
from .languages import find_language, language_of, languages, toolchains
from .projects import Project, read_project, write_project
from .sources import read_files, read_source

__all__ = [
    "Build",
    "BuildOptions",
    "Compiled",
    "Language",
    "Progress",
    "Project",
    "Toolchain",
    "build_module",
    "find_language",
    "language_of",
    "languages",
    "read_files",
    "read_project",
    "read_source",
    "render",
    "toolchains",
    "write_project",
]
