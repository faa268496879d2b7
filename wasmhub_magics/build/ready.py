"""A module that is ready: nothing to build, but the same way in."""

from __future__ import annotations

from pathlib import Path

from ..module import Module
from .language import BuildOptions, Compiled, Progress, Toolchain

__all__ = ["Ready"]


class Ready:
    """A ready-made module; its source is the path of the file."""

    name = "wasm"
    title = "WebAssembly"
    aliases = ("wasm32",)
    suffix = ".wasm"
    cacheable = False

    def detect(self) -> Toolchain:
        """Nothing is needed."""
        return Toolchain("none", "")

    def fingerprint(self) -> str:
        """Nothing besides the file."""
        return ""

    def compile(self, source: str, workdir: Path, options: BuildOptions, progress: Progress) -> Compiled:
        """Read the file. Raises ModuleError where it cannot be read."""
        del workdir, options, progress
        return Compiled(Module.read(Path(source.strip()).expanduser()).data)
