"""A C++ filter as a project: its standard library for WebAssembly is part of wasmhub-magics, and so is its build."""

from __future__ import annotations

from dataclasses import replace

from ..build import Build
from ..cpp import INCLUDE
from . import python
from .layout import Layout

__all__ = ["layout"]


def layout(build: Build) -> Layout:
    """Where things are and how they are built."""
    made = python.layout(build, "cc")
    headers = {
        f"include/{path.relative_to(INCLUDE)}": path.read_text() for path in sorted(INCLUDE.rglob("*.h"))
    }
    flags = "-xc++\n-std=gnu++20\n-Iinclude\n"  # for editors; the build has its own
    requirements = made.files["requirements.txt"].replace("wasmhub-magics", "wasmhub-magics[cpp]")
    return replace(
        made,
        files={**made.files, **headers, "requirements.txt": requirements, "compile_flags.txt": flags},
        needs="It needs `pip install -r requirements.txt`: the standard library for WebAssembly and the runtime of the "
        "C++ SDK's names come with the package, the compiler with `ziglang`. `include` has the headers, for editors.",
        setup=("- run: pip install -r requirements.txt",),
    )
