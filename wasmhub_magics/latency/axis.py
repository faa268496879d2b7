"""The percentile axis that all charts share: their lines, colours and marks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .side import Side

__all__ = ["Line", "colours", "dashes", "farthest", "is_logarithmic", "labels", "ticks"]

BASELINE_COLOUR = "#8792a2"
COLOURS = ("#e8613c", "#2f8fdd", "#18a184", "#a066d3", "#c9921a")
"""Each reads on white and on a dark theme: contrast of at least 3 with both."""
DASHES = ((), (10, 4), (2, 4), (12, 4, 2, 4), (5, 3))
BASELINE_DASH = (6, 4)
"""Strokes and gaps in pixels: they tell lines apart in print and for who sees no colours."""
_STEPS = 16  # points a decade of the axis


@dataclass(frozen=True)
class Line:
    """One line of a chart."""

    label: str
    side: Side
    baseline: bool = False

    @cached_property
    def points(self) -> tuple[tuple[float, float], ...]:
        """(1 / (1 - p), nanoseconds) as far as one round has samples, then the maximum of all rounds."""
        rounds = [part.count for part in self.side.rounds if part.count]
        if not rounds:
            return ()
        steps = range(math.floor(_STEPS * math.log10(min(rounds))) + 1)
        inverses = [10 ** (step / _STEPS) for step in steps]
        points = [(x, self.side.percentile(100 * (1 - 1 / x))) for x in inverses]
        return (*points, (float(max(sum(rounds), 2)), self.side.percentile(100)))


def labels(builds: Sequence[tuple[str, str]]) -> list[str]:
    """What tells builds of these names and digests apart: the name, with the digest where names are equal."""
    names = [name for name, _ in builds]
    return [name if names.count(name) == 1 else f"{name} {digest[7:15]}" for name, digest in builds]


def colours(lines: Sequence[Line]) -> list[str]:
    """A colour for each line; the baseline is grey."""
    palette = iter(COLOURS * (len(lines) // len(COLOURS) + 1))
    return [BASELINE_COLOUR if line.baseline else next(palette) for line in lines]


def dashes(lines: Sequence[Line]) -> list[tuple[int, ...]]:
    """Strokes and gaps of each line; empty for one that is whole."""
    patterns = iter(DASHES * (len(lines) // len(DASHES) + 1))
    return [BASELINE_DASH if line.baseline else next(patterns) for line in lines]


def ticks(lines: list[Line]) -> list[tuple[float, str]]:
    """The marks of the percentile axis: 1, 10, 100, ... with 0 %, 90 %, ... as far as it goes."""
    top = farthest(lines)
    marks = [(1.0, "0 %"), (2.0, "50 %"), (10.0, "90 %"), (100.0, "99 %")]
    marks += [(10.0**power, f"99.{'9' * (power - 2)} %") for power in range(3, 10)]
    return [mark for mark in marks if mark[0] <= top]


def farthest(lines: Sequence[Line]) -> float:
    """Where the percentile axis ends: at 99.99 % at least, so that charts of short and long runs compare."""
    return max([10_000.0, *(line.points[-1][0] for line in lines if line.points)])


def is_logarithmic(lines: list[Line]) -> bool:
    """Whether the latencies spread so far that only a logarithmic axis shows them."""
    values = [value for line in lines for _, value in line.points]
    return bool(values) and max(values) > 12 * max(min(values), 1.0)
