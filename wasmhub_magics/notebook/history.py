"""What has become of the filters of a session: last builds, last figures, where a run failed."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from ..errors import CompileError, Diagnostic, WasmhubError
from .errors import source_digest

if TYPE_CHECKING:
    from ..filter import Filter

__all__ = ["Attempt", "Figure", "History", "Kind"]

Kind = Literal["send", "bench", "verify", "push", "deploy"]


@dataclass(frozen=True, slots=True)
class Figure:
    """The last result of one kind, in a few words; ``digest`` is the module that it is about."""

    kind: Kind
    digest: str
    ok: bool
    text: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """The last build of a filter: the cell it was built from, and what came of it.

    ``line`` is what followed the magic's name, ``source`` the digest of the cell's body. ``digest`` and
    ``size`` are those of the last module that came out, also where this attempt failed; ``error`` says why it
    did. ``findings`` are where a run of this very source failed.
    """

    name: str
    language: str
    line: str
    source: str
    digest: str = ""
    size: int = 0
    error: str = ""
    findings: tuple[Diagnostic, ...] = ()


class History:
    """Attempts and figures by the name of the filter; ``listeners`` are called after each change."""

    def __init__(self) -> None:
        self.attempts: dict[str, Attempt] = {}
        self.figures: dict[str, dict[Kind, Figure]] = {}
        self.listeners: list[Callable[[], None]] = []

    @contextlib.contextmanager
    def attempt(self, name: str, language: str, line: str, body: str) -> Iterator[Callable[[Filter], None]]:
        """Keep what comes of a build: the block passes the filter that it made, or raises WasmhubError."""
        before = self.attempts.get(name)
        made = Attempt(name, language, line.strip(), source_digest(body))
        if before is not None:
            made = replace(made, digest=before.digest, size=before.size)
        try:
            yield lambda result: self._keep(
                replace(
                    made, language=result.language, digest=result.digest, size=result.module.size, error=""
                )
            )
        except WasmhubError as error:
            told = error.diagnostics if isinstance(error, CompileError) else ()
            found = (each.for_source() for each in told)
            first = next((each.message for each in found if each.severity == "error"), error.what)
            self._keep(replace(made, error=first))
            raise

    def loaded(self, made: Filter) -> None:
        """Keep a filter that was built from no cell."""
        self._keep(Attempt(made.name, made.language, "", "", digest=made.digest, size=made.module.size))

    def measured(self, name: str, figure: Figure) -> None:
        """Keep a result in the place of the last one of its kind."""
        self.figures.setdefault(name, {})[figure.kind] = figure
        self._tell()

    def failed(self, name: str, digest: str, findings: tuple[Diagnostic, ...]) -> None:
        """Keep where a run of a module failed; nothing where it did not. A newer source has no marks."""
        attempt = self.attempts.get(name)
        if attempt is None or attempt.error or attempt.digest != digest:
            return
        if attempt.findings != findings:
            self._keep(replace(attempt, findings=findings))

    def forget(self, name: str, kind: Kind) -> None:
        """Forget a result that no longer holds."""
        if self.figures.get(name, {}).pop(kind, None) is not None:
            self._tell()

    def clear(self) -> None:
        """Forget all of it."""
        self.attempts.clear()
        self.figures.clear()
        self._tell()

    def _keep(self, attempt: Attempt) -> None:
        self.attempts[attempt.name] = attempt
        self._tell()

    def _tell(self) -> None:
        for listener in list(self.listeners):
            listener()
