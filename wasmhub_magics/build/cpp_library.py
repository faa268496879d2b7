"""The standard library of C++ for WebAssembly: in the package, or else made once by Zig and kept."""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path

from ..errors import BuildError
from .cache import cache_root
from .language import Progress, Toolchain
from .process import run
from .sources import locked, shared_folder

__all__ = ["OBJECTS", "cached", "made_by", "make_library", "standard_library"]

PACKAGED = Path(__file__).parent.parent / "guest" / "cpp" / "lib"
MARK = "made-by"
"""The file that is written last and tells the version of Zig."""

OBJECTS = (*("crt1-reactor.o", "libc++.a", "libc++abi.a", "libc.a", "libzigc.a", "libcompiler_rt.a"),)
"""In the order in which a linker wants them."""

LICENCES = {
    "LICENSE-libcxx.txt": "libcxx/LICENSE.TXT",
    "LICENSE-libcxxabi.txt": "libcxxabi/LICENSE.TXT",
    "LICENSE-musl.txt": "libc/musl/COPYRIGHT",
    "LICENSE-wasi-libc.txt": "libc/wasi/LICENSE-MIT",
    "LICENSE-zig.txt": "../LICENSE",
}
"""What goes with the objects, and where Zig has it."""

FILES = 680
"""How many files Zig 0.17 compiles for it, about."""

_SOURCE = """#include <string>
extern "C" __attribute__((export_name("f"))) unsigned f(int x) { return std::to_string(x).size(); }
"""


def standard_library(zig: Toolchain, progress: Progress, timeout: float = 900) -> Path:
    """The folder with the library's objects for this version of Zig.

    Where neither the package nor the cache has them they are compiled, which takes a good while: ``progress``
    is told how far it is. Raises BuildError where that fails or takes longer than ``timeout`` seconds.
    """
    if made_by(PACKAGED) == zig.version:
        return PACKAGED
    folder = cached(zig)
    home = shared_folder(*folder.parent.relative_to(cache_root()).parts)
    if made_by(folder) != zig.version:
        with locked(home, timeout, lambda: progress("waiting for C++'s standard library")):
            if made_by(folder) != zig.version:
                make_library(zig, folder, progress, timeout)
    return folder


def cached(zig: Toolchain) -> Path:
    """Where the library is kept that this machine made."""
    return cache_root() / "cpp" / re.sub(r"[^\w.]+", "-", zig.version) / "lib"


def make_library(
    zig: Toolchain, folder: Path, progress: Progress | None = None, timeout: float = 900
) -> None:
    """Compile the library and put its objects into a folder. Raises BuildError.

    Zig keeps them in its own cache, too, where whoever else compiles C++ for WebAssembly finds them.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=".partial-", dir=folder.parent))
    count = 0
    linked: list[str] = []

    def watch(line: str) -> None:
        nonlocal count, linked
        if line.startswith("wasm-ld "):
            linked = line.split()
        if " -c -o " in line:
            count += 1
            if progress is not None and count % 20 == 1:
                progress(f"C++ compiles its standard library, once: file {count} of about {FILES}")

    try:
        (work / "any.cc").write_text(_SOURCE)
        done = run(
            [
                *(*zig.command, "c++", "-target", "wasm32-wasi", "-mexec-model=reactor", "-O2", "-s"),
                *("-fno-exceptions", "-o", "any.wasm", "any.cc"),
            ],
            cwd=work,
            timeout=timeout,
            environment={
                "ZIG_LOCAL_CACHE_DIR": str(work / "cache"),  # new, so that there is something to link
                "ZIG_VERBOSE_CC": "1",
                "ZIG_VERBOSE_LINK": "1",
            },
            watch=watch,
        )
        named = {Path(word).name: work / word for word in linked}
        made = {name: named[name] for name in OBJECTS if name in named and named[name].is_file()}
        missing = [name for name in OBJECTS if name not in made]
        if done.code or missing:
            said = [line for line in done.stderr.splitlines() if "error" in line and " -c -o " not in line]
            what = said[0] if said else f"{', '.join(missing)} did not come about"
            raise BuildError(
                f"the standard library of C++ cannot be made: {what}", do="install ziglang again"
            )
        (work / "lib").mkdir()
        for name, path in made.items():
            shutil.copyfile(path, work / "lib" / name)
        for name, source in LICENCES.items():
            place = Path(zig.command[0]).parent / "lib" / source
            if place.is_file():
                shutil.copyfile(place, work / "lib" / name)
        (work / "lib" / MARK).write_text(zig.version + "\n")
        shutil.rmtree(folder, ignore_errors=True)
        (work / "lib").rename(folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def made_by(folder: Path) -> str:
    """The version of Zig that made the library in a folder; empty where there is none."""
    try:
        return (folder / MARK).read_text().strip()
    except OSError:
        return ""
