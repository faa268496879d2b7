"""What a report knows besides percentiles, drawn: the histogram, the callbacks, memory over requests."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from .axis import BASELINE_COLOUR, COLOURS
from .breakdown import table_of_callbacks
from .units import duration, short, size

if TYPE_CHECKING:
    from .histogram import Histogram
    from .report import LatencyReport

__all__ = ["Panels"]

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 620, 190, 70, 20, 34, 30
INK = "#6f7a89"
STEPS = 12
"""Bars for each power of ten."""


@dataclass(frozen=True)
class Panels:
    """Pictures of a report, with their numbers in text beside them: for print, and without colour."""

    report: LatencyReport

    def histogram(self) -> str:
        """How many exchanges took how long, on both sides."""
        sides = [(self.report.name, self.report.histogram)]
        if self.report.baseline is not None:
            sides.append(("without filter", self.report.baseline))
        bars = [(label, _bars(part)) for label, part in sides]
        places = [at for _, each in bars for at in each]
        if not places:
            return ""
        low, high = min(places), max(places) + 1
        top = max(count / sum(each.values()) for _, each in bars for count in each.values())
        wide = (WIDTH - LEFT - RIGHT) / (high - low)
        parts = _frame("How long exchanges took (share of each side)")
        for number, (_, each) in enumerate(bars):
            whole = sum(each.values())
            colour = COLOURS[0] if number == 0 else BASELINE_COLOUR
            paint = f"fill='{colour}'" if number == 0 else f"fill='none' stroke='{colour}' stroke-width='1.5'"
            for at, count in sorted(each.items()):
                tall = (HEIGHT - TOP - BOTTOM) * count / whole / top
                x, y = LEFT + (at - low) * wide, HEIGHT - BOTTOM - tall
                told = f"{duration(10 ** (at / STEPS))}: {count:,} of {whole:,}"
                where = f"x='{x:.1f}' y='{y:.1f}' width='{max(wide - 1, 1):.1f}' height='{tall:.1f}'"
                parts.append(f"<rect {where} {paint}><title>{told}</title></rect>")
        for power in range(math.ceil(low / STEPS), math.floor(high / STEPS) + 1):
            x = LEFT + (power * STEPS - low) * wide
            parts.append(_label(x, HEIGHT - 10, duration(10.0**power), "middle"))
        parts.append(_label(LEFT - 8, TOP + 8, f"{top:.0%}", "end"))
        return "".join([*parts, "</svg>"])

    def callbacks(self) -> str:
        """Where the time of an exchange goes."""
        costs = self.report.callbacks
        most = max((cost.ns for cost in costs), default=0.0)
        if not most:
            return ""
        tall = 20
        parts = _frame("Callbacks (median)", TOP + tall * len(costs) + 8)
        for number, cost in enumerate(costs):
            y = TOP + tall * number
            long = (WIDTH - 340 - RIGHT) * cost.ns / most
            parts += [
                _label(224, y + 13, cost.name, "end"),
                f"<rect x='232' y='{y + 3}' width='{max(long, 1):.1f}' height='12' fill='{COLOURS[0]}'/>",
                _label(238 + long, y + 13, f"{duration(cost.ns)}, {cost.calls} calls"),
            ]
        return "".join([*parts, "</svg>"])

    def memory(self) -> str:
        """Memory of the virtual machines over the exchanges."""
        samples = self.report.memory.samples
        if len(samples) < 2:
            return ""
        last, high = samples[-1][0] or 1, max(count for _, count in samples) or 1

        def place(sample: tuple[int, int]) -> str:
            x = LEFT + (WIDTH - LEFT - RIGHT) * sample[0] / last
            return f"{x:.1f} {HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * sample[1] / high:.1f}"

        parts = _frame(f"Memory over requests: {self.report.memory}")
        path = "L".join(place(sample) for sample in samples)
        parts += [
            f"<path d='M{path}' fill='none' stroke='{COLOURS[0]}' stroke-width='2.5'/>",
            _label(LEFT - 8, TOP + 8, size(high), "end"),
            _label(LEFT - 8, HEIGHT - BOTTOM, "0", "end"),
            _label(WIDTH - RIGHT, HEIGHT - 10, f"{short(last)} exchanges", "end"),
        ]
        return "".join([*parts, "</svg>"])

    def __str__(self) -> str:
        lines = [f"memory {self.report.memory}", *table_of_callbacks(self.report.callbacks)]
        return "\n".join(lines)

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        drawn = (self.histogram(), self.callbacks(), self.memory())
        return f"<div>{''.join(drawn)}<pre>{escape(str(self))}</pre></div>"


def _bars(part: Histogram) -> dict[int, int]:
    """Counts by steps of a logarithmic axis."""
    found: dict[int, int] = {}
    for value, count in part:
        at = math.floor(STEPS * math.log10(max(value, 1)))
        found[at] = found.get(at, 0) + count
    return found


def _frame(title: str, height: int = HEIGHT) -> list[str]:
    head = (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {height}' width='{WIDTH}' role='img' "
        f"style='max-width:100%;height:auto;display:block' font-family='system-ui,sans-serif' "
        f"font-size='12' fill='{INK}'><title>{escape(title)}</title>"
    )
    line = f"<text x='10' y='18' font-size='13' font-weight='600'>{escape(title)}</text>"
    return [head, line]


def _label(x: float, y: float, text: str, anchor: str = "start") -> str:
    return f"<text x='{x:.1f}' y='{y:.1f}' text-anchor='{anchor}'>{escape(text)}</text>"
