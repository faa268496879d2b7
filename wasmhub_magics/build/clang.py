"""The clangs that a machine may have, and the linkers that go with them."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from .finder import Finder
from .language import Toolchain

__all__ = ["SHARED", "find_clang", "find_ziglang", "levels"]

SHARED = Path(__file__).parent.parent / "guest" / "shared"
"""Headers that serve C and C++."""

levels = {"speed": "-O2", "size": "-Oz", "none": "-O0"}
"""What to optimize for, as clang's flag."""


@Finder
def find_ziglang() -> Toolchain | None:
    """The clang inside the ``ziglang`` package; its command is ``zig``."""
    spec = importlib.util.find_spec("ziglang")
    if spec is None or not spec.submodule_search_locations:
        return None
    home = Path(spec.submodule_search_locations[0])
    zig = next((path for path in (home / "zig", home / "zig.exe") if path.is_file()), None)
    try:
        return None if zig is None else Toolchain("zig clang", version("ziglang"), (str(zig),))
    except PackageNotFoundError:
        return None


@Finder
def find_clang() -> Toolchain | None:
    """A clang of this machine that knows WebAssembly and has its linker beside it."""
    for suffix in ("", *(f"-{number}" for number in range(25, 13, -1))):
        clang, linker = shutil.which(f"clang{suffix}"), shutil.which(f"wasm-ld{suffix}")
        if clang is None or linker is None:
            continue
        targets, about = _ask(clang, "--print-targets"), _ask(clang, "--version")
        number = re.search(r"clang version (\S+)", about)
        if re.search(r"^\s*wasm32\b", targets, re.M) and number:
            return Toolchain("clang", number[1], (clang, linker))
    return None


def _ask(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=20, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""
