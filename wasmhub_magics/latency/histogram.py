"""A histogram of durations with HdrHistogram's buckets, as a value."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hdrh.histogram import HdrHistogram

__all__ = ["Histogram"]

SIGNIFICANT_FIGURES = 3
_SUB_BUCKET_BITS = 11  # 2 * 10**3 values fit into 2**11 sub-buckets
_HOUR_NS = 3_600_000_000_000


@dataclass(frozen=True)
class Histogram:
    """How often which duration was seen, in nanoseconds, exact to three significant figures.

    The buckets are those of HdrHistogram for a lowest value of 1 and three figures: below 2048 ns each value
    has its own, above that a bucket is at most 1/1024 of its value wide. ``buckets`` holds (lowest value,
    count) in rising order, no count is zero; ``min`` and ``max`` are exact, 0 where nothing was recorded.
    """

    buckets: tuple[tuple[int, int], ...] = ()
    min: int = 0
    max: int = 0

    @classmethod
    def of(cls, values: Iterable[int]) -> Histogram:
        """The histogram of durations in nanoseconds. Raises ValueError for a negative one."""
        return cls.from_counts(Counter(values).items())

    @classmethod
    def from_counts(cls, pairs: Iterable[tuple[int, int]]) -> Histogram:
        """The histogram of (nanoseconds, count) pairs, in any order; a value may come more than once.

        Raises ValueError for a negative value or count.
        """
        counts: Counter[int] = Counter()
        low, high = -1, 0
        for value, count in pairs:
            if value < 0 or count < 0:
                raise ValueError(f"a duration and its count are at least 0, not {value} and {count}")
            if count:
                counts[_lowest(value)] += count
                low = value if low < 0 else min(low, value)
                high = max(high, value)
        return cls(tuple(sorted(counts.items())), max(low, 0), high)

    @classmethod
    def merged(cls, histograms: Iterable[Histogram]) -> Histogram:
        """One histogram of all that these recorded."""
        parts = [part for part in histograms if part.buckets]
        whole = cls.from_counts(pair for part in parts for pair in part.buckets)
        if not parts:
            return whole
        return cls(whole.buckets, min(part.min for part in parts), max(part.max for part in parts))

    @property
    def count(self) -> int:
        """How many durations were recorded."""
        return self._sums[-1] if self.buckets else 0

    @property
    def mean(self) -> float:
        """The mean in nanoseconds, each bucket taken at its middle; 0 where nothing was recorded."""
        total = sum((value + (_width(value) >> 1)) * count for value, count in self.buckets)
        return total / self.count if self.buckets else 0.0

    @property
    def deviation(self) -> float:
        """The standard deviation in nanoseconds; 0 where nothing was recorded."""
        mean = self.mean
        squares = sum((value + (_width(value) >> 1) - mean) ** 2 * count for value, count in self.buckets)
        return math.sqrt(squares / self.count) if self.buckets else 0.0

    def percentile(self, percent: float) -> int:
        """The duration in nanoseconds that this percentage of the recorded ones does not exceed.

        The rank is the nearest one upwards; the value is the highest of its bucket and never above ``max``.
        0 gives ``min``, 100 gives ``max``, and an empty histogram 0. Raises ValueError outside 0 to 100.
        """
        if not 0 <= percent <= 100:
            raise ValueError(f"a percentile lies between 0 and 100, not at {percent}")
        if not self.buckets or percent == 0:
            return self.min
        rank = max(math.ceil(percent * self.count / 100 * (1 - 1e-12)), 1)
        value = self.buckets[bisect_left(self._sums, rank)][0]
        return min(value + _width(value) - 1, self.max)

    @cached_property
    def _sums(self) -> list[int]:
        """How many durations were recorded up to each bucket."""
        return list(accumulate(count for _, count in self.buckets))

    def corrected(self, interval: float) -> Histogram:
        """A copy corrected for coordinated omission, for requests sent every ``interval`` nanoseconds.

        While a response was late, a sender that waits for it left requests out. For each duration beyond the
        interval this adds those that the left-out requests would have seen: the duration less one interval,
        less two, and so on (HdrHistogram ``copyCorrectedForCoordinatedOmission``).
        """
        if interval <= 0:
            raise ValueError(f"the interval between requests is above 0, not {interval}")
        added: list[tuple[int, int]] = []
        for value, count in self.buckets:
            late = value - interval
            while late >= interval:
                added.append((round(late), count))
                late -= interval
        return Histogram.merged([self, Histogram.from_counts(added)])

    def __add__(self, other: Histogram) -> Histogram:
        return Histogram.merged([self, other])

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(self.buckets)

    def encode(self) -> str:
        """HdrHistogram's own compressed form (V2, base64), which other tools read."""
        encoded: bytes = self._hdr().encode()
        return encoded.decode("ascii")

    @classmethod
    def decode(cls, text: str) -> Histogram:
        """The histogram of HdrHistogram's compressed form, V2 and base64."""
        from hdrh.histogram import HdrHistogram

        found = HdrHistogram.decode(text)
        return cls.from_counts(
            (item.value_iterated_to, item.count_at_value_iterated_to)
            for item in found.get_recorded_iterator()
        )

    def hgrm(self, scale: float = 1000.0) -> str:
        """The percentile distribution as ``.hgrm`` text, values divided by ``scale`` (microseconds).

        HdrHistogram's plotter reads this. Five rows halve the distance to 100 %, as its own tools do.
        """
        rows = [f"{'Value':>12} {'Percentile':>14} {'TotalCount':>10} {'1/(1-Percentile)':>14}\n"]
        step, total = 0, self.count
        while self.buckets:
            inverse = 2 ** (step // 5) / (1 - step % 5 / 10)
            if inverse > total:
                break
            value = self.percentile(100 * (1 - 1 / inverse))
            below = self._sums[bisect_left(self.buckets, (value + 1, 0)) - 1]
            rows.append(f"{value / scale:12.3f} {1 - 1 / inverse:2.12f} {below:10d} {inverse:14.2f}")
            step += 1
        rows.append(f"{self.max / scale:12.3f} {1:2.12f} {total:10d}")
        rows.append(
            f"#[Mean    = {self.mean / scale:12.3f}, StdDeviation   = {self.deviation / scale:12.3f}]"
        )
        rows.append(f"#[Max     = {self.max / scale:12.3f}, TotalCount     = {total:12d}]")
        used = max(self.max.bit_length() - _SUB_BUCKET_BITS, 0) + 1
        rows.append(f"#[Buckets = {used:12d}, SubBuckets     = {1 << _SUB_BUCKET_BITS:12d}]")
        return "\n".join(rows) + "\n"

    def _hdr(self) -> HdrHistogram:
        from hdrh.histogram import HdrHistogram

        histogram = HdrHistogram(1, max(_HOUR_NS, 2 * self.max), SIGNIFICANT_FIGURES)
        for value, count in self.buckets:
            histogram.record_value(value, count)
        return histogram

    def __repr__(self) -> str:
        if not self.buckets:
            return "<Histogram, empty>"
        return f"<Histogram of {self.count:,}: {self.min:,} to {self.max:,} ns>"


def _width(value: int) -> int:
    return 1 << max(value.bit_length() - _SUB_BUCKET_BITS, 0)


def _lowest(value: int) -> int:
    shift = max(value.bit_length() - _SUB_BUCKET_BITS, 0)
    return value >> shift << shift
