"""A filter in WebAssembly text as a project."""

from __future__ import annotations

from importlib.metadata import version

from ..build import Build
from .layout import Layout
from .texts import make_test

__all__ = ["layout"]


def layout(build: Build) -> Layout:
    """Where things are and how they are built."""
    makefile = """# The filter by the assembler of wasmtime: pip install wasmtime
PYTHON := python3

all: NAME.wasm

NAME.wasm: src/filter.wat
\t$(PYTHON) -c 'import sys, wasmtime; sys.stdout.buffer.write(wasmtime.wat2wasm(open("src/filter.wat").read()))' > $@

clean:
\trm -f NAME.wasm
"""
    return Layout(
        source="src/filter.wat",
        beside="src/",
        files={"Makefile": (makefile + make_test).replace("NAME", build.name)},
        needs="It needs `pip install wasmtime`, which has an assembler.",
        setup=(f"- run: pip install wasmtime=={version('wasmtime')}",),
        exact="The build gives the same bytes as there.",
    )
