"""Latency reports side by side: build beside build, filter beside filter."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from .axis import Line, labels
from .report import LatencyReport
from .show import PERCENTILES, bundle, table

__all__ = ["Comparison"]


@dataclass(frozen=True)
class Comparison:
    """Latency reports side by side; the first is what the others are compared with."""

    reports: tuple[LatencyReport, ...]

    def change(self, percent: float = 50) -> tuple[float, ...]:
        """How each later report stands to the first: 1.1 is 10 % slower, 0 stands for no samples."""
        first, *rest = self.reports
        base = first.percentile(percent)
        return tuple(report.percentile(percent) / base if base else 0.0 for report in rest)

    @property
    def _labels(self) -> list[str]:
        return labels([(report.name, report.digest) for report in self.reports])

    @property
    def _lines(self) -> list[Line]:
        lines = [Line(name, report.filtered) for name, report in zip(self._labels, self.reports, strict=True)]
        base = self.reports[0].unfiltered
        if base is not None and all(report.unfiltered == base for report in self.reports):
            lines.append(Line("without filter", base, baseline=True))
        return lines

    def _changes(self) -> Iterable[str]:
        for label, report, change in zip(self._labels[1:], self.reports[1:], self.change(), strict=True):
            fuel = ""
            if report.fuel is not None and self.reports[0].fuel:
                fuel = f", fuel {report.fuel / self.reports[0].fuel - 1:+.1%}"
            yield f"{label}: {change - 1:+.1%} at the median{fuel}"

    def __str__(self) -> str:
        percents = (*PERCENTILES, 100.0)
        rows = [(line.label, [line.side.told(p) for p in percents]) for line in self._lines]
        lines = table(rows)
        lines += self._changes()
        engines = {report.engine for report in self.reports}
        if len(engines) > 1:
            lines.append("these were measured on different engines and answer different questions")
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"<Comparison of {' and '.join(self._labels)}>"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:  # noqa: ARG002
        return bundle(str(self), " beside ".join(self._labels), [], self._lines, self._changes())
