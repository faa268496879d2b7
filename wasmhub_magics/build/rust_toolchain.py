"""The compilers of Rust that a machine may have, and which of them can make WebAssembly."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from .language import Toolchain

__all__ = ["RustToolchain", "Rustc", "find_rust", "rust_hint", "rustcs", "with_library", "with_source"]

TARGETS = ("wasm32-wasip1", "wasm32-unknown-unknown")
"""In order of preference: WASI gives the text of a panic to the proxy's log."""


@dataclass(frozen=True, slots=True)
class Rustc:
    """A ``rustc`` and where its parts are."""

    path: Path
    version: tuple[int, int, int]
    sysroot: Path

    @property
    def cargo(self) -> Path | None:
        """The cargo beside it."""
        found = [self.sysroot / "bin" / "cargo", self.path.with_name("cargo")]
        return next((path for path in found if path.is_file()), None)

    @property
    def compiler(self) -> Path:
        """The compiler itself, without the program that chooses one."""
        inner = self.sysroot / "bin" / "rustc"
        return inner if inner.is_file() else self.path


@dataclass(frozen=True, slots=True)
class RustToolchain(Toolchain):
    """``command`` is cargo; the rest is how it has to be called."""

    target: str = ""
    flags: tuple[str, ...] = ()
    """For cargo."""
    environment: tuple[tuple[str, str], ...] = ()
    linker: tuple[str, ...] = ()
    """The command of a linker, where Rust has none of its own."""
    number: tuple[int, int, int] = (0, 0, 0)


def find_rust() -> RustToolchain | None:
    """The first compiler that makes WebAssembly: with its library ready, else with the library's source."""
    there = rustcs()
    ready = (found for each in there if (found := with_library(each)) is not None)
    sources = (found for each in there if (found := with_source(each)) is not None)
    return next(ready, None) or next(sources, None)


def rust_hint() -> str:
    """How to get a compiler that makes WebAssembly, on this machine."""
    debian = "apt install rustc-web cargo-web rust-web-src lld-19" if shutil.which("apt-get") else ""
    if any(shutil.which("rustup", path=str(each.path.parent)) for each in rustcs()):
        return "rustup target add wasm32-wasip1" + (f"; where that is not to be had: {debian}" * bool(debian))
    rustup = "install Rust from https://rustup.rs and run: rustup target add wasm32-wasip1"
    return f"{debian}; or {rustup}" if debian else rustup


def rustcs() -> list[Rustc]:
    """Every ``rustc`` on the PATH and in the usual places."""
    home = os.environ.get("CARGO_HOME") or Path("~/.cargo").expanduser()
    folders = [*os.get_exec_path(), str(Path(home) / "bin"), "/usr/bin"]
    paths = (shutil.which("rustc", path=folder) for folder in dict.fromkeys(folders) if folder)
    found = (_about(path) for path in paths if path)
    return list({each.sysroot: each for each in found if each is not None}.values())


_known: dict[str, Rustc] = {}


def _about(path: str) -> Rustc | None:
    """What a compiler says of itself, asked until it answers: rustup's has no toolchain in another home."""
    if path in _known:
        return _known[path]
    number = re.search(r"rustc (\d+)\.(\d+)\.(\d+)", _ask(path, "--version"))
    sysroot = _ask(path, "--print", "sysroot").strip()
    if number is None or not sysroot:
        return None
    _known[path] = Rustc(Path(path), (int(number[1]), int(number[2]), int(number[3])), Path(sysroot))
    return _known[path]


def _ask(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=20, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""


def with_library(rustc: Rustc) -> RustToolchain | None:
    """How to call a compiler whose library for WebAssembly is there; None where it is not."""
    cargo = rustc.cargo
    for target in TARGETS:
        if cargo is not None and any((rustc.sysroot / "lib" / "rustlib" / target / "lib").glob("libstd-*")):
            return _toolchain(rustc, cargo, target)
    return None


def with_source(rustc: Rustc) -> RustToolchain | None:
    """How to call a compiler that builds the library from its source; None where that is not there."""
    cargo = rustc.cargo
    library = rustc.sysroot / "lib" / "rustlib" / "src" / "rust" / "library"
    if cargo is None or not (library / "Cargo.lock").is_file():
        return None
    flags = ("-Zbuild-std=std,panic_abort",)
    return _toolchain(rustc, cargo, "wasm32-unknown-unknown", flags, (("RUSTC_BOOTSTRAP", "1"),))


def _toolchain(
    rustc: Rustc,
    cargo: Path,
    target: str,
    flags: tuple[str, ...] = (),
    environment: tuple[tuple[str, str], ...] = (),
) -> RustToolchain | None:
    own = any((rustc.sysroot / "lib" / "rustlib").glob("*/bin/rust-lld*"))
    linker = () if own else _linker(rustc)
    if linker is None:
        return None
    if rustc.version < (1, 70, 0):  # before that, cargo asked a repository of git for the crates
        flags += ("-Zsparse-registry",)
        environment += (("RUSTC_BOOTSTRAP", "1"),)
    return RustToolchain(
        "rustc",
        f"{'.'.join(map(str, rustc.version))} for {target}",
        (str(cargo),),
        target,
        flags,
        (("RUSTC", str(rustc.compiler)), *dict.fromkeys(environment)),
        linker,
        rustc.version,
    )


def _linker(rustc: Rustc) -> tuple[str, ...] | None:
    """A linker for WebAssembly; the libraries that Rust 1.63 comes with need one of their time."""
    names = ("wasm-ld-14",) if rustc.version < (1, 70, 0) else _linkers()
    beside = str(rustc.path.parent)
    for name in names:
        found = shutil.which(name) or shutil.which(name, path=beside)
        if found:
            return (found,)
    spec = None if rustc.version < (1, 70, 0) else importlib.util.find_spec("ziglang")
    if spec is None or not spec.submodule_search_locations:
        return None
    zig = Path(spec.submodule_search_locations[0]) / "zig"
    return (str(zig), "wasm-ld") if zig.is_file() else None


def _linkers() -> tuple[str, ...]:
    """The newest first: which one has the plain name is up to the machine."""
    return (*(f"wasm-ld-{number}" for number in range(25, 18, -1)), "wasm-ld")
