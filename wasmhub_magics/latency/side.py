"""One side of a measurement: with the filter, or without."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from statistics import median
from typing import Any, Self

from .histogram import Histogram
from .show import PERCENTILES, named

__all__ = ["Side"]


@dataclass(frozen=True)
class Side:
    """One side of a measurement: the chain with the filter in it, or the same chain without.

    ``rounds`` are the latencies of each round. ``exchanges`` counts requests sent, ``errors`` those that
    failed (no answer, or a 5xx). ``per_second`` is the rate reached: by the embedded proxy as fast as it can
    and without clock reads, by Envoy at the rate asked for. ``fuel`` counts Wasm instructions of one
    exchange, host and filter together; None where nobody counted. ``cpu`` is the processor time in
    nanoseconds that Envoy spent on a request, round by round; empty where the system does not tell.
    """

    rounds: tuple[Histogram, ...]
    exchanges: int = 0
    per_second: float = 0.0
    errors: int = 0
    statuses: tuple[tuple[int, int], ...] = ()
    fuel: float | None = None
    cpu: tuple[float, ...] = ()

    @cached_property
    def histogram(self) -> Histogram:
        """All rounds in one histogram."""
        return Histogram.merged(self.rounds)

    def percentile(self, percent: float) -> float:
        """The median over the rounds of this percentile, in nanoseconds; 100 is the highest of all rounds."""
        rounds = [part for part in self.rounds if part.buckets]
        if not rounds:
            return 0.0
        if percent >= 100:
            return float(self.histogram.max)
        return float(median(part.percentile(percent) for part in rounds))

    def told(self, percent: float) -> float | None:
        """The percentile where there are samples enough for it; None where one decides it."""
        enough = percent >= 100 or self.histogram.count * (100 - percent) >= 100
        return self.percentile(percent) if enough else None

    def differences(self, other: Side, percent: float) -> list[float]:
        """How much more each round took at a percentile than the other side's round that ran beside it."""
        pairs = zip(self.rounds, other.rounds, strict=False)
        return [
            float(a.percentile(percent) - b.percentile(percent)) for a, b in pairs if a.buckets and b.buckets
        ]

    def added(self, other: Side, percent: float) -> float:
        """The median of the differences: what disturbs both sides of a round alike drops out of it."""
        return float(median(self.differences(other, percent) or [0.0]))

    def to_dict(self) -> dict[str, Any]:
        """The side as JSON values: durations in nanoseconds, histograms in HdrHistogram's own form."""
        return {
            "percentiles_ns": {named(p): self.percentile(p) for p in (*PERCENTILES, 100.0)},
            "mean_ns": self.histogram.mean,
            "exchanges": self.exchanges,
            "per_second": self.per_second,
            "errors": self.errors,
            "statuses": {str(status): count for status, count in self.statuses},
            "fuel": self.fuel,
            "cpu_ns": median(self.cpu) if self.cpu else None,
            "cpu": list(self.cpu),
            "rounds": [[part.min, part.max, [list(pair) for pair in part]] for part in self.rounds],
            "histogram": self.histogram.encode(),
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """The side whose ``to_dict`` this is. Raises KeyError, TypeError or ValueError where it is none."""
        return cls(
            tuple(
                Histogram(tuple((int(value), int(count)) for value, count in buckets), low, high)
                for low, high, buckets in data["rounds"]
            ),
            data["exchanges"],
            data["per_second"],
            data["errors"],
            tuple((int(status), count) for status, count in data["statuses"].items()),
            data["fuel"],
            tuple(data["cpu"]),
        )
