"""How far a measurement is: what is shown while it runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

from .axis import Line, labels
from .show import PERCENTILES, table
from .side import Side

__all__ = ["Progress"]


@dataclass(frozen=True)
class Progress:
    """The share that is ``done``, from 0 to 1, and the lines of a chart as far as they are measured."""

    done: float
    lines: Sequence[Line]

    @classmethod
    def of(cls, done: float, builds: Sequence[tuple[str, str]], sides: Iterable[Side]) -> Self:
        """The sides of builds of these names and digests, then, where there is one more, the baseline."""
        names = [*((label, False) for label in labels(builds)), ("without filter", True)]
        lines = [Line(label, side, baseline) for (label, baseline), side in zip(names, sides, strict=False)]
        return cls(done, [line for line in lines if line.side.histogram.count])

    @property
    def text(self) -> str:
        """The figures so far."""
        percents = (*PERCENTILES, 100.0)
        rows = [(line.label, [line.side.told(p) for p in percents]) for line in self.lines]
        return "\n".join(table(rows))
