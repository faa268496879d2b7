"""How far a measurement is: what is shown while it runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from .axis import Line
from .report import Side
from .show import PERCENTILES, table

__all__ = ["Progress"]


@dataclass(frozen=True)
class Progress:
    """The share that is ``done``, from 0 to 1, and both sides as far as they are measured."""

    done: float
    name: str
    filtered: Side
    unfiltered: Side | None = None

    @cached_property
    def lines(self) -> Sequence[Line]:
        """The lines of a chart; those without samples are left out."""
        found = [Line(self.name, self.filtered)]
        if self.unfiltered is not None:
            found.append(Line("without filter", self.unfiltered, baseline=True))
        return [line for line in found if line.side.histogram.count]

    @property
    def text(self) -> str:
        """The figures so far."""
        percents = (*PERCENTILES, 100.0)
        rows = [(line.label, [line.side.told(p) for p in percents]) for line in self.lines]
        return "\n".join(table(rows))
