"""What a report may not exceed, for CI: exact where the figures are exact, by ratio where they are noisy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import RequestError
from .units import size

if TYPE_CHECKING:
    from .report import LatencyReport

__all__ = ["Guard"]


@dataclass(frozen=True, slots=True)
class Guard:
    """Bounds against an earlier report of the same filter and request.

    ``fuel`` is how much more the filter may add, as a share (0 is exact: not one instruction); ``memory`` how
    many bytes its virtual machines may be larger after the run; neither depends on the machine. ``latency``
    bounds how the median with the filter stands to that without, against the same ratio of the report before:
    both are of one run each, so that a slow machine cancels out, but noise does not; None does not look.
    """

    fuel: float = 0.0
    memory: int = 0
    latency: float | None = None

    def violations(self, report: LatencyReport, before: LatencyReport) -> tuple[str, ...]:
        """What is beyond its bound, in words; empty where all is well.

        Raises RequestError where the two answer different questions.
        """
        if report.engine != before.engine:
            raise RequestError(
                f"{report.engine} and {before.engine} answer different questions",
                do="measure both with the same engine",
            )
        return tuple(self._found(report, before))

    def _found(self, report: LatencyReport, before: LatencyReport) -> Iterator[str]:
        now, old = report.added_fuel, before.added_fuel
        if now is not None and old is not None and now > old * (1 + self.fuel):
            yield f"fuel: the filter adds {now:,.6g} instructions an exchange, {old:,.6g} before"
        if report.memory.samples and before.memory.samples:
            grown = report.memory.after - before.memory.after
            if grown > self.memory:
                after, then = size(report.memory.after), size(before.memory.after)
                yield f"memory: {after} after the run, {then} before"
            if report.memory.verdict == "growing" and before.memory.verdict != "growing":
                yield f"memory: {report.memory}"
        if self.latency is not None:
            ratio, then_ratio = _ratio(report), _ratio(before)
            if ratio and then_ratio and ratio > then_ratio * self.latency:
                yield (
                    f"latency: the median with the filter is {ratio:.2f} times that without, "
                    f"{then_ratio:.2f} before"
                )
        if report.errors > before.errors:
            yield f"errors: {report.errors:,} requests failed, {before.errors:,} before"


def _ratio(report: LatencyReport) -> float:
    base = report.unfiltered.percentile(50) if report.unfiltered is not None else 0.0
    return report.percentile(50) / base if base else 0.0
