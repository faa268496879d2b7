"""The latency chart for notebooks: as Vega-Lite, which is alive, and as matplotlib."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .axis import Line, colours, dashes, farthest, is_logarithmic, ticks
from .units import duration, scale_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw", "vega_lite"]

_UNITS = (
    "datum.value>=1e9?datum.value/1e9+' s':datum.value>=1e6?datum.value/1e6+' ms':"
    "datum.value>=1e3?datum.value/1e3+' µs':datum.value+' ns'"
)


def vega_lite(lines: list[Line], title: str, notes: list[str]) -> dict[str, Any]:
    """A Vega-Lite 5 chart with tooltips and zoom; its data is inside it."""
    marks = ticks(lines)
    label = "".join(f"datum.value==={x:g}?'{text}':" for x, text in marks) + "''"
    rows = [
        {
            "line": line.label,
            "x": x,
            "latency": max(y, 1.0),
            "percentile": "max" if (x, y) == line.points[-1] else f"{100 * (1 - 1 / x):.6g} %",
            "shown": duration(y),
        }
        for line in lines
        for x, y in line.points
    ]
    log = is_logarithmic(lines)
    names = [line.label for line in lines]
    legend = {"orient": "top-left", "symbolType": "stroke"}
    series = {"field": "line", "type": "nominal", "title": None, "legend": legend}
    patterns = [list(pattern) or [1, 0] for pattern in dashes(lines)]
    hover = {
        "name": "hover",
        "select": {"type": "point", "on": "pointermove", "nearest": True, "clear": "pointerout"},
    }
    zoom = {"name": "zoom", "select": {"type": "interval", "encodings": ["x", "y"]}, "bind": "scales"}
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "title": {"text": title, "subtitle": notes, "anchor": "start"},
        "width": 560,
        "height": 300,
        "data": {"values": rows},
        "encoding": {
            "x": {
                "field": "x",
                "type": "quantitative",
                "title": "percentile",
                "scale": {"type": "log", "nice": False, "domain": [1, farthest(lines)]},
                "axis": {"values": [x for x, _ in marks], "labelExpr": label, "labelFlush": False},
            },
            "y": {
                "field": "latency",
                "type": "quantitative",
                "title": "latency",
                "scale": {"type": "log"} if log else {"type": "linear", "zero": True},
                "axis": {"labelExpr": _UNITS, **({"values": _decades(lines)} if log else {"tickCount": 6})},
            },
            "color": {**series, "scale": {"domain": names, "range": colours(lines)}},
        },
        "layer": [
            {
                "mark": {"type": "line", "strokeWidth": 2.5, "interpolate": "monotone", "clip": True},
                "params": [zoom],
                "encoding": {"strokeDash": {**series, "scale": {"domain": names, "range": patterns}}},
            },
            {
                "mark": {"type": "point", "filled": True, "size": 70, "clip": True},
                "params": [hover],
                "encoding": {
                    "opacity": {"condition": {"param": "hover", "empty": False, "value": 1}, "value": 0},
                    "tooltip": [
                        {"field": "line", "title": "chain"},
                        {"field": "percentile", "title": "percentile"},
                        {"field": "shown", "title": "latency"},
                    ],
                },
            },
        ],
    }


def draw(lines: list[Line], title: str, ax: Axes | None = None) -> Axes:
    """Draw the lines with matplotlib."""
    if ax is None:
        import matplotlib.pyplot as plt

        ax = plt.subplots(figsize=(7.5, 4.2), layout="constrained")[1]
    factor, unit = scale_of(max(line.side.percentile(50) for line in lines))
    for line, colour, pattern in zip(lines, colours(lines), dashes(lines), strict=True):
        xs, ys = [x for x, _ in line.points], [y / factor for _, y in line.points]
        ax.plot(xs, ys, color=colour, label=line.label, linestyle=(0, pattern))
    ax.set_xscale("log")
    if is_logarithmic(lines):
        ax.set_yscale("log")
    ax.set_xlim(1, farthest(lines))
    marks = ticks(lines)
    ax.set_xticks([x for x, _ in marks], [text for _, text in marks])
    ax.minorticks_off()
    ax.set(title=title, xlabel="percentile", ylabel=f"latency ({unit})")
    ax.legend()
    return ax


def _decades(lines: list[Line]) -> list[float]:
    values = [max(value, 1.0) for line in lines for _, value in line.points]
    steps = (1, 2, 5) if max(values) < 1000 * min(values) else (1,)
    return [step * 10.0**power for power in range(13) for step in steps]
