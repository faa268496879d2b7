"""A C filter as a project: a Makefile over clang and wasm-ld, and the header."""

from __future__ import annotations

from ..build import Build
from ..c import COMPILE_FLAGS, LINK_FLAGS, headers
from ..clang import levels
from .layout import Layout
from .texts import make_test

__all__ = ["layout"]


def layout(build: Build) -> Layout:
    """Where things are and how they are built."""
    options = build.options
    link = [part for flag in options.flags if flag.startswith("-Wl,") for part in flag[4:].split(",")]
    extra = [flag for flag in options.flags if not flag.startswith("-Wl,")]
    flags = [*COMPILE_FLAGS, levels[options.optimize], *(["-g"] if options.debug else []), *extra]
    flags += [f"'-D{name}={value}'" for name, value in options.defines]
    makefile = f"""# The filter by clang and its linker, or by those inside the ziglang package: make zig
CLANG := clang
WASM_LD := wasm-ld
PYTHON := python3
FLAGS := {" ".join(flags)} -Isrc -isystem include
LINK := {" ".join([*LINK_FLAGS, *link])}

all: NAME.wasm

NAME.wasm: src/cell.c $(wildcard src/* include/*)
\t$(CLANG) $(FLAGS) -c -o cell.o src/cell.c
\t$(WASM_LD) $(LINK) -o cell.wasm cell.o
\tmv cell.wasm $@
\trm cell.o

zig:
\t$(MAKE) CLANG="$(PYTHON) -m ziglang clang" WASM_LD="$(PYTHON) -m ziglang wasm-ld" FLAGS='$(FLAGS) -isystem \
'"$$($(PYTHON) -c 'import os, ziglang; print(os.path.dirname(ziglang.__file__))')/lib/include"

clean:
\trm -f NAME.wasm cell.o
{make_test}.PHONY: zig
"""
    included = {f"include/{path.name}": path.read_text() for path in headers()}
    return Layout(
        source="src/cell.c",
        beside="src/",
        files={"Makefile": makefile.replace("NAME", build.name), **included},
        needs="It needs `clang` and `wasm-ld` (Debian: `apt install clang lld`), or `pip install ziglang` "
        "and `make zig`.",
        setup=("- run: sudo apt-get install --yes clang lld",),
        exact=f"The same compiler ({build.toolchain}) gives the same bytes as there.",
    )
