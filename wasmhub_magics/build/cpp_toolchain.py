"""How to call the compilers of C++: Zig's clang with a library made for it, or a clang that has its own."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from .cpp_library import OBJECTS, standard_library
from .language import Progress, Toolchain

__all__ = ["Kit", "find_clang_cpp", "kit"]

_TARGET = "wasm32-wasi"
_ZIG = (
    *(
        "--no-default-config",
        "-target",
        "wasm32-unknown-wasip1",
        "-Xclang",
        "-target-cpu",
        "-Xclang",
        "lime1",
    ),
    *("-nostdinc", "-nostdinc++", "-D_LIBCPP_ABI_VERSION=1", "-D_LIBCPP_ABI_NAMESPACE=__1"),
    *("-D_LIBCPP_HAS_THREADS=0", "-D_LIBCPP_HAS_MONOTONIC_CLOCK", "-D_LIBCPP_HAS_TERMINAL"),
    *("-D_LIBCPP_HAS_MUSL_LIBC=1", "-D_LIBCXXABI_DISABLE_VISIBILITY_ANNOTATIONS"),
    *("-D_LIBCPP_DISABLE_VISIBILITY_ANNOTATIONS", "-D_LIBCPP_HAS_VENDOR_AVAILABILITY_ANNOTATIONS=0"),
    *("-D_LIBCPP_HAS_FILESYSTEM=0", "-D_LIBCPP_HAS_RANDOM_DEVICE", "-D_LIBCPP_HAS_LOCALIZATION"),
    *("-D_LIBCPP_HAS_UNICODE", "-D_LIBCPP_HAS_WIDE_CHARACTERS", "-D_LIBCPP_HAS_NO_STD_MODULES"),
    *("-D_LIBCPP_PSTL_BACKEND_SERIAL", "-D_LIBCPP_HARDENING_MODE=_LIBCPP_HARDENING_MODE_NONE"),
    "-D_LIBCPP_ASSERTION_SEMANTIC_DEFAULT=_LIBCPP_ASSERTION_SEMANTIC_IGNORE",
)
"""As Zig itself calls its clang where it compiles its standard library."""

_INCLUDES = ("libcxx/include", "libcxxabi/include", "include")
_WASI = ("wasm-wasi-musl", "generic-musl", "wasm32-wasi-any", "any-wasi-any")

_PROBE = """#include <string>
#include <unordered_map>
extern "C" __attribute__((export_name("f"))) unsigned f(int x) { return std::to_string(x).size(); }
"""


@dataclass(frozen=True, slots=True)
class Kit:
    """A compiler and a linker that belong together; ``places`` are folders that no message shall name."""

    version: str
    compiler: tuple[str, ...]
    linker: tuple[str, ...]
    flags: tuple[str, ...] = ()
    libraries: tuple[str, ...] = ()
    places: tuple[Path, ...] = ()
    driver: bool = False
    """Whether the linker is the compiler, which hands the linker's flags on."""

    def for_linker(self, flag: str) -> str:
        """A flag of the linker as this kit takes it."""
        return f"-Wl,{flag}" if self.driver else flag


def kit(toolchain: Toolchain, progress: Progress) -> Kit:
    """How to call a toolchain; the first time with Zig its standard library is made, where it is not here."""
    if toolchain.name == "clang++":
        (clang,) = toolchain.command
        command = (clang, f"--target={_TARGET}")
        linker = (*command, "-mexec-model=reactor")
        return Kit(str(toolchain), command, linker, driver=True)
    library = standard_library(toolchain, progress)
    zig = toolchain.command[0]
    lib = Path(zig).parent / "lib"
    folders = [*(lib / each for each in _INCLUDES), *(lib / "libc" / "include" / each for each in _WASI)]
    return Kit(
        str(toolchain),
        (zig, "clang"),
        (zig, "wasm-ld", "--entry", "_initialize"),
        (*_ZIG, *(part for folder in folders for part in ("-isystem", str(folder)))),
        tuple(str(library / name) for name in OBJECTS),
        (lib,),
    )


@cache
def find_clang_cpp() -> Toolchain | None:
    """A clang of this machine that has what C++ needs on WebAssembly: libc++, a libc, and a linker."""
    for suffix in ("", *(f"-{number}" for number in range(25, 13, -1))):
        clang = shutil.which(f"clang++{suffix}")
        if clang is None:
            continue
        with tempfile.TemporaryDirectory(prefix="wasmhub-") as folder:
            (Path(folder) / "any.cc").write_text(_PROBE)
            command = [clang, f"--target={_TARGET}", "-mexec-model=reactor", "-std=gnu++20", "any.cc"]
            about = _ask([clang, "--version"], folder)
            built = _ask([*command, "-o", "any.wasm"], folder)
        number = re.search(r"clang version (\d\S*)", about or "")
        if built is not None and number:
            return Toolchain("clang++", number[1], (clang,))
    return None


def _ask(command: list[str], folder: str) -> str | None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=folder)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
