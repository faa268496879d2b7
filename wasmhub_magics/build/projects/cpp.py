"""A C++ filter as a project: a Makefile over clang++ or zig, the headers, and the runtime behind them."""

from __future__ import annotations

from ..build import Build
from ..clang import SHARED, levels
from ..cpp import GUEST, INCLUDE, SOURCES, STACK
from .layout import Layout
from .texts import make_test

__all__ = ["layout"]

_DEBIAN = "clang lld libc++-dev-wasm32 libclang-rt-dev-wasm32"


def layout(build: Build) -> Layout:
    """Where things are and how they are built."""
    options = build.options
    link = [flag for flag in options.flags if flag.startswith("-Wl,")]
    extra = [flag for flag in options.flags if not flag.startswith("-Wl,")]
    flags = [*("-std=gnu++20", "-fignore-exceptions", "-ffunction-sections", "-fdata-sections", "-Wall")]
    flags += [levels[options.optimize], "-g" if options.debug else "-s", *extra]
    flags += [f"'-D{name}={value}'" for name, value in options.defines]
    sources = ["src/cell.cc", *(f"src/{name}" for name, _ in options.files if name.endswith(SOURCES))]
    makefile = f"""# The filter by a clang++ with libc++ for WebAssembly, or by the one inside the ziglang package: make zig
CXX := clang++ --target=wasm32-wasi
PYTHON := python3
FLAGS := {" ".join(flags)} -Isrc -isystem include
LINK := {" ".join(["-mexec-model=reactor", "-Wl,--gc-sections", f"-Wl,-z,stack-size={STACK}", *link])}
STACK := -Wl,--stack-first
SOURCES := {" ".join(sources)}

all: NAME.wasm

NAME.wasm: $(wildcard src/* runtime/* include/* include/*/*)
\t$(CXX) $(FLAGS) $(LINK) $(STACK) -o $@ $(SOURCES) runtime/runtime.cc runtime/exceptions.cc

# Zig puts the stack first by itself. The first time it compiles libc++, which takes a minute or two.
zig:
\t$(MAKE) CXX="$(PYTHON) -m ziglang c++ -target wasm32-wasi" STACK=

clean:
\trm -f NAME.wasm
{make_test}.PHONY: zig
"""
    included = {
        f"include/{path.relative_to(root)}": path.read_text()
        for root in (INCLUDE, SHARED)
        for path in sorted(root.rglob("*.h"))
    }
    runtime = {f"runtime/{path.name}": path.read_text() for path in sorted(GUEST.glob("*.cc"))}
    return Layout(
        source="src/cell.cc",
        beside="src/",
        files={
            "Makefile": makefile.replace("NAME", build.name),
            "compile_flags.txt": "-xc++\n-std=gnu++20\n-Isrc\n-Iinclude\n",
            **included,
            **runtime,
        },
        needs=f"It needs a `clang++` with libc++ for WebAssembly (Debian and Ubuntu: `apt install {_DEBIAN}`; or "
        "`make CXX=.../wasi-sdk/bin/clang++`), or `pip install ziglang` and `make zig`. `include` and `runtime` "
        "are what offers the names of the C++ SDK for Proxy-Wasm.",
        setup=(f"- run: sudo apt-get install --yes {_DEBIAN}",),
        exact="The build behaves as there; its bytes differ with the standard library it is linked with.",
    )
