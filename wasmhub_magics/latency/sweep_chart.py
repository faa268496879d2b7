"""The chart of a sweep: latency over rate, the knee marked; told by dashes and marks as well as by colour."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from .axis import BASELINE_COLOUR, COLOURS
from .units import duration, short

__all__ = ["sweep_svg"]

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 620, 300, 70, 20, 60, 46
INK = "#6f7a89"
Line = tuple[str, Sequence[tuple[float, float]], float | None]


def sweep_svg(lines: Sequence[Line], title: str) -> str:
    """Lines of (rate, nanoseconds), each with its knee."""
    points = [(x, max(y, 1.0)) for _, line, _ in lines for x, y in line if y]
    if not points:
        return ""
    low_x, high_x = min(x for x, _ in points), max(x for x, _ in points)
    low_y = 10 ** math.floor(math.log10(min(y for _, y in points)))
    high_y = 10 ** math.ceil(math.log10(max(y for _, y in points) * 1.001))

    def place(x: float, y: float) -> tuple[float, float]:
        across = math.log(x / low_x) / math.log(high_x / low_x) if high_x > low_x else 0.5
        up = math.log(max(y, low_y) / low_y) / math.log(high_y / low_y)
        return LEFT + across * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM)

    head = (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {HEIGHT}' width='{WIDTH}' "
        f"style='max-width:100%;height:auto' font-family='system-ui,sans-serif' font-size='12' fill='{INK}' "
        f"role='img'><title>{escape(title)}</title>"
    )
    parts = [
        head,
        f"<text x='{LEFT}' y='20' font-size='14' font-weight='600'>{escape(title)}</text>",
    ]
    value = low_y
    while value <= high_y * 1.001:
        _, y = place(low_x, value)
        parts.append(
            f"<line x1='{LEFT}' x2='{WIDTH - RIGHT}' y1='{y:.1f}' y2='{y:.1f}' stroke='{INK}' "
            f"stroke-opacity='.25'/><text x='{LEFT - 8}' y='{y + 4:.1f}' text-anchor='end'>"
            f"{duration(value)}</text>"
        )
        value *= 10
    for rate in sorted({x for _, line, _ in lines for x, _ in line}):
        x, _ = place(rate, low_y)
        parts.append(
            f"<text x='{x:.1f}' y='{HEIGHT - BOTTOM + 18}' text-anchor='middle'>{short(rate)}</text>"
        )
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(f"<text x='{middle}' y='{HEIGHT - 8}' text-anchor='middle'>requests a second</text>")
    for number, (label, line, knee) in enumerate(lines):
        parts += _line(number, label, [(*place(x, y), x) for x, y in line if y], knee)
    return "".join([*parts, "</svg>"])


def _line(
    number: int, label: str, points: Sequence[tuple[float, float, float]], knee: float | None
) -> list[str]:
    colour, dash = (COLOURS[0], "") if number == 0 else (BASELINE_COLOUR, " stroke-dasharray='6 4'")
    path = "L".join(f"{x:.1f} {y:.1f}" for x, y, _ in points)
    parts = [f"<path d='M{path}' fill='none' stroke='{colour}' stroke-width='2.5'{dash}/>"]
    for x, y, rate in points:
        mark = (
            f"<rect x='{x - 6:.1f}' y='{y - 6:.1f}' width='12' height='12' fill='none' stroke='{colour}' "
            f"stroke-width='2'><title>knee: {short(rate)} a second</title></rect>"
            if rate == knee
            else ""
        )
        dot = (
            f"<circle cx='{x:.1f}' cy='{y:.1f}' r='3.5' fill='{colour}'/>"
            if number == 0
            else f"<path d='M{x - 4:.1f} {y + 4:.1f}h8l-4 -8z' fill='{colour}'/>"
        )
        parts.append(dot + mark)
    at = LEFT + number * 260
    told = "none kept" if knee is None else f"knee above {short(knee)}/s"
    parts.append(
        f"<line x1='{at}' x2='{at + 26}' y1='38' y2='38' stroke='{colour}' stroke-width='2.5'{dash}/>"
        f"<text x='{at + 33}' y='42'>{escape(label)} · {told}</text>"
    )
    return parts
