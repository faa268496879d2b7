"""What a callback changed: headers and bodies before and after it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

__all__ = ["Change", "Snapshot", "changed"]

Pairs: TypeAlias = "tuple[tuple[str, str], ...]"
PARTS = (
    "request headers",
    "request trailers",
    "response headers",
    "response trailers",
    "request body",
    "response body",
)
SHOWN = 60


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Headers, or a body of ``size`` bytes of which ``body`` are the first 4096."""

    pairs: Pairs = ()
    body: bytes = b""
    size: int = 0


@dataclass(frozen=True, slots=True)
class Change:
    """One part of a message before and after a callback that wrote to it; ``what`` names the part."""

    what: str
    before: Snapshot
    after: Snapshot

    @property
    def lines(self) -> tuple[tuple[str, str, str], ...]:
        """(``-`` or ``+``, name, value) for headers; a body's first bytes, with its size as the name."""
        if self.what.endswith("body"):
            sides = (("-", self.before), ("+", self.after))
            return tuple((mark, f"{s.size:,} bytes", _shown(s.body)) for mark, s in sides)
        left, added = list(self.before.pairs), []
        for pair in self.after.pairs:
            if pair in left:
                left.remove(pair)
            else:
                added.append(pair)
        return (*(("-", *pair) for pair in left), *(("+", *pair) for pair in added))

    def __str__(self) -> str:
        return f"{self.what}: " + ", ".join(f"{mark} {name}: {value}" for mark, name, value in self.lines)


def changed(snapshots: Iterable[tuple[int, int, Snapshot]]) -> tuple[Change, ...]:
    """The parts that differ, from snapshots by part and moment (0 before, 1 after)."""
    before: dict[int, Snapshot] = {}
    found = []
    for part, moment, snapshot in snapshots:
        if moment == 0:
            before[part] = snapshot
        elif part in before and before[part] != snapshot:
            found.append(Change(PARTS[part], before[part], snapshot))
    return tuple(change for change in found if change.lines)


def _shown(data: bytes) -> str:
    text = data.decode("utf-8", "backslashreplace")
    return repr(text if len(text) <= SHOWN else text[:SHOWN] + "…")
