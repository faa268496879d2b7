"""What a language is to the build: a compiler that may be here, and a way from source to module."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol, TypeAlias, get_args

from ..errors import Diagnostic, RequestError
from .packages import Packages

__all__ = ["BuildOptions", "Compiled", "Language", "Progress", "Toolchain"]

Progress: TypeAlias = Callable[[str], None]
"""Told one short sentence when a step begins that may take longer than a moment."""

Optimize: TypeAlias = Literal["speed", "size", "none"]


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """How to build; what a language has no use for it ignores."""

    optimize: Optimize = "speed"
    debug: bool = False
    """Keep source positions in the module, so that a trap tells its line."""
    defines: tuple[tuple[str, str], ...] = ()
    """Names that the source can ask for, with their values: ``-D`` of a C compiler."""
    files: tuple[tuple[str, str], ...] = ()
    """Further source files that the source may include, as (name, text)."""
    flags: tuple[str, ...] = ()
    """Passed on to the compiler as they are."""
    packages: tuple[str, ...] = ()
    """What the source uses: crates of Rust (``serde_json=1``), modules of Go (``example.com/m@v1.0.0``)."""
    first_line: int = 1
    """The line number of the source's first line: 2 for the body of a cell magic."""
    origin: str = "cell"
    """What messages call the source."""
    builder: str = ""
    """Where the compiler is: ``docker`` or ``docker:IMAGE``; empty for this machine."""
    timeout: float = 300.0
    """Seconds after which a compiler is ended."""

    def __post_init__(self) -> None:
        if self.optimize not in get_args(Optimize):
            raise RequestError(
                f"{self.optimize!r} is nothing to optimize for",
                do=f"use one of {', '.join(get_args(Optimize))}",
            )
        if self.first_line < 1 or self.timeout <= 0:
            raise RequestError("first_line and timeout count from 1 and from above 0", do="leave them out")


@dataclass(frozen=True, slots=True)
class Toolchain:
    """A compiler that is on this machine: ``command`` starts it; empty for one inside this process."""

    name: str
    version: str
    command: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


@dataclass(frozen=True, slots=True)
class Compiled:
    """What came out of a compiler that succeeded: a module's bytes, its warnings, its parts."""

    data: bytes
    diagnostics: tuple[Diagnostic, ...] = field(default=())
    packages: Packages = ()
    """What is in the module besides the source, where the compiler tells."""


class Language(Protocol):
    """One language. An instance holds no state, so it may be shared."""

    @property
    def name(self) -> str:
        """Its name, lower-case: ``c``."""
        ...

    @property
    def title(self) -> str:
        """How people write its name: ``C``."""
        ...

    @property
    def aliases(self) -> Sequence[str]:
        """Other names that it answers to."""
        ...

    @property
    def suffix(self) -> str:
        """The suffix of its source files, with the dot."""
        ...

    @property
    def cacheable(self) -> bool:
        """Whether compiling takes longer than reading a result from disk."""
        ...

    def detect(self) -> Toolchain:
        """The compiler on this machine. Raises ToolchainMissing with the command that gets it."""
        ...

    def fingerprint(self) -> str:
        """What the result depends on besides source, options and toolchain, such as a header."""
        ...

    def compile(self, source: str, workdir: Path, options: BuildOptions, progress: Progress) -> Compiled:
        """Compile a source inside an empty private directory, which is removed afterwards.

        ``options.first_line`` is the number of the source's first line: diagnostics use these numbers.
        Raises CompileError (made by ``diagnostics.failure``) where the source has errors: its text names the
        place as ``cell:3:5`` and never a path. Raises ToolchainMissing where there is no compiler. Children
        are run by ``process.run`` only, so that an interrupt ends them.
        """
        ...
