"""The latency chart as SVG: complete in itself, for pages that run no script."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape

from .axis import Line, colours, dashes, farthest, is_logarithmic, ticks
from .units import duration

__all__ = ["svg"]

WIDTH, HEIGHT = 760, 400
LEFT, RIGHT, TOP, BOTTOM = 74, 26, 112, 52
INK = "#6f7a89"
"""For text and axes: the page's colours are unknown, so it must read on white and on a dark theme."""
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"

Scale = Callable[[float], float]


def svg(lines: list[Line], title: str, notes: list[str]) -> str:
    """The chart of lines that have samples, with what the first adds to the last where that is a baseline."""
    marks = ticks(lines)
    right = farthest(lines)
    x = _log_scale(1.0, right, LEFT, WIDTH - RIGHT)
    levels, y = _latency_axis(lines)
    paint = colours(lines)
    legend, rows = _legend(lines, paint)
    down = 20 * (rows - 1)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT + down}" '
        f'viewBox="0 0 {WIDTH} {HEIGHT + down}" style="max-width:100%;height:auto" font-family="{FONT}" '
        f'font-size="12" fill="{INK}" role="img">'
    )
    parts = [
        head,
        f"<title>{_text(title)}</title>",
        _label(LEFT, 24, _cut(title, 80), size=15, weight=600),
        _label(LEFT, 43, _cut(" · ".join(notes), 105)),
        *legend,
        f'<g transform="translate(0 {down})">',
        *(_row(y(value), name) for value, name in levels),
        *_columns(lines, marks, x),
        _label((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, "percentile of requests", anchor="middle"),
        *_band(lines, paint, x, y),
    ]
    for line, colour, pattern in reversed(list(zip(lines, paint, dashes(lines), strict=True))):
        parts.append(
            f'<path d="{_path(line.points, x, y)}" fill="none" stroke="{colour}" stroke-width="2.5" '
            f'stroke-linejoin="round"{_dash(pattern)}/>'
        )
        end_x, end_y = line.points[-1]
        parts.append(
            f'<circle cx="{x(end_x):.1f}" cy="{y(end_y):.1f}" r="3.5" fill="{colour}">'
            f"<title>{_text(line.label)}: max {duration(end_y)}</title></circle>"
        )
    return "".join([*parts, "</g></svg>"])


def _log_scale(low: float, high: float, start: float, end: float) -> Scale:
    span = math.log(high / low)
    return lambda value: start + (end - start) * math.log(max(value, low) / low) / span


def _latency_axis(lines: list[Line]) -> tuple[list[tuple[float, str]], Scale]:
    """The marks of the latency axis and its scale; ends lie on marks."""
    values = [max(value, 1.0) for line in lines for _, value in line.points]
    low, high = min(values), max(values)
    bottom, top = HEIGHT - BOTTOM, TOP
    if is_logarithmic(lines):
        marks = [m * 10.0**power for power in range(-1, 14) for m in (1, 2, 5)]
        first = max(mark for mark in marks if mark <= low)
        last = min(mark for mark in marks if mark >= high * 0.999)
        shown = [mark for mark in marks if first <= mark <= last]
        if len(shown) > 9:
            ends = (shown[0], shown[-1])
            shown = [mark for mark in shown if mark in ends or f"{mark:e}"[0] == "1"]
        scale = _log_scale(first, last, bottom, top)
        return [(mark, duration(mark)) for mark in _apart(shown, scale)], scale
    step = next(
        m * 10.0**power for power in range(13) for m in (1, 2, 2.5, 5) if m * 10.0**power * 5.5 >= high
    )
    last = step * math.ceil(high / step)
    marks = [step * index for index in range(round(last / step) + 1)]
    return [
        (mark, duration(mark) if mark else "0") for mark in marks
    ], lambda v: bottom + (top - bottom) * v / last


def _apart(marks: list[float], scale: Scale) -> list[float]:
    """The marks whose labels do not touch."""
    kept: list[float] = []
    for mark in marks:
        if not kept or abs(scale(mark) - scale(kept[-1])) >= 18:
            kept.append(mark)
    return kept


def _row(y: float, name: str) -> str:
    return (
        f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" '
        f'stroke="{INK}" stroke-opacity=".2"/>' + _label(LEFT - 9, y + 4, name, anchor="end")
    )


def _columns(lines: list[Line], marks: list[tuple[float, str]], x: Scale) -> list[str]:
    """The percentiles, and above each of them what the filter adds there."""
    bottom = HEIGHT - BOTTOM
    parts = []
    pair = _pair(lines)
    if pair is not None:
        parts.append(_label(LEFT - 9, TOP - 12, "added", anchor="end", size=11))
    for at, name in marks:
        place = x(at)
        parts.append(
            f'<line x1="{place:.1f}" x2="{place:.1f}" y1="{TOP}" y2="{bottom}" stroke="{INK}" '
            f'stroke-opacity=".28" stroke-dasharray="1 4"/>'
        )
        parts.append(_label(place, bottom + 19, name, anchor="middle"))
        if pair is not None and at > 1 and at <= min(line.points[-2][0] for line in pair):
            percent = 100 * (1 - 1 / at)
            added = pair[0].side.added(pair[1].side, percent)
            parts.append(_label(place, TOP - 12, _signed(added), anchor="middle", size=11, weight=600))
    return parts


def _band(lines: list[Line], paint: list[str], x: Scale, y: Scale) -> list[str]:
    """The area between filter and baseline."""
    pair = _pair(lines)
    if pair is None:
        return []
    end = min(line.points[-1][0] for line in pair)
    there, back = ([point for point in line.points if point[0] <= end] for line in pair)
    return [f'<path d="{_path([*there, *reversed(back)], x, y)}Z" fill="{paint[0]}" fill-opacity=".1"/>']


def _pair(lines: list[Line]) -> tuple[Line, Line] | None:
    return (lines[0], lines[1]) if len(lines) == 2 and lines[1].baseline else None


def _path(points: Sequence[tuple[float, float]], x: Scale, y: Scale) -> str:
    return "M" + "L".join(f"{x(a):.1f} {y(max(b, 1.0)):.1f}" for a, b in points)


def _legend(lines: list[Line], paint: list[str]) -> tuple[list[str], int]:
    """The keys of the lines, and in how many rows they stand."""
    parts, place, rows = [], float(LEFT), 1
    for line, colour, pattern in zip(lines, paint, dashes(lines), strict=True):
        p50, p99 = (duration(line.side.percentile(p)) for p in (50, 99))
        text = f"{_cut(line.label, 40)} · p50 {p50}, p99 {p99}"
        width = 32 + 6.7 * len(text)
        if place > LEFT and place + width > WIDTH - RIGHT:
            place, rows = float(LEFT), rows + 1
        y = 46 + 20 * rows
        parts.append(
            f'<line x1="{place:.1f}" x2="{place + 24:.1f}" y1="{y}" y2="{y}" stroke="{colour}" '
            f'stroke-width="2.5"{_dash(pattern)}/>'
        )
        parts.append(_label(place + 32, y + 4, text))
        place += width + 24
    return parts, rows


def _dash(pattern: Sequence[int]) -> str:
    """The attribute of a broken line; whole ones get round ends."""
    if not pattern:
        return ' stroke-linecap="round"'
    return f' stroke-dasharray="{" ".join(map(str, pattern))}"'


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def _label(x: float, y: float, text: str, *, anchor: str = "", size: int = 0, weight: int = 0) -> str:
    extra = f' text-anchor="{anchor}"' if anchor else ""
    extra += f' font-size="{size}"' if size else ""
    extra += f' font-weight="{weight}"' if weight else ""
    return f'<text x="{x:.1f}" y="{y:.1f}"{extra}>{_text(text)}</text>'


def _signed(ns: float) -> str:
    return f"+{duration(ns)}" if ns > 0 else duration(ns)


def _text(text: str) -> str:
    """Escaped, without characters that XML has no place for."""
    return escape("".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text))
