"""How results are shown: in a notebook and as a table of text."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from .units import duration

if TYPE_CHECKING:
    from .axis import Line

__all__ = ["PERCENTILES", "VEGA_LITE", "bundle", "named", "table"]

PERCENTILES = (50.0, 90.0, 99.0, 99.9, 99.99)
VEGA_LITE = "application/vnd.vegalite.v5+json"


def bundle(
    text: str, title: str, notes: list[str], lines: list[Line], facts: Iterable[str] = ()
) -> dict[str, Any]:
    """What a notebook shows: JupyterLab the chart with notes and facts in its title, others picture or text.

    There is no ``text/html``: JupyterLab would prefer it and hide the chart.
    """
    bundle: dict[str, Any] = {"text/plain": text}
    if all(line.side.histogram.count for line in lines):
        from .chart import vega_lite
        from .svg import svg

        bundle[VEGA_LITE] = vega_lite(lines, title, [*notes, *(" ".join(fact.split()) for fact in facts)])
        bundle["image/svg+xml"] = svg(lines, title, notes)
    return bundle


def table(rows: list[tuple[str, list[float | None]]]) -> list[str]:
    """Lines of text: a row for each label, its durations at ``PERCENTILES`` and the maximum.

    What there are too few samples for is None, and shows as a dash.
    """
    heads = [*(f"p{p:g}" for p in PERCENTILES), "max"]
    wide = max(8, *(len(label) for label, _ in rows))
    lines = [" " * wide + "".join(f"{head:>10}" for head in heads)]
    lines += [
        f"{label:<{wide}}" + "".join(f"{'–' if v is None else duration(v):>10}" for v in values)
        for label, values in rows
    ]
    return lines


def named(percent: float) -> str:
    """A percentile by its usual name: ``p99.9``, and ``max`` for 100."""
    return "max" if percent >= 100 else f"p{percent:g}"
