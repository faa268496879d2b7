"""What a loop of exchanges inside the host measured."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

__all__ = ["Loop"]

HALF = 1024


@dataclass(frozen=True)
class Loop:
    """``n`` exchanges in ``seconds`` of wall time, without a step into Python between them.

    ``counts`` are those of a log-linear histogram of nanoseconds, as HdrHistogram keeps them with three
    significant figures: exact below 2048 ns, then 1024 steps for each power of two; empty where no exchange
    was timed. ``fuel`` counts the instructions of all exchanges, None where the proxy does not count.
    ``memory_before`` and ``memory_after`` are the bytes of each plugin's VM, ``host_before`` and
    ``host_after`` those of the host.
    """

    n: int
    seconds: float
    counts: tuple[int, ...] = field(default=(), repr=False)
    fuel: int | None = None
    memory_before: tuple[int, ...] = ()
    memory_after: tuple[int, ...] = ()
    host_before: int = 0
    host_after: int = 0

    @property
    def rate(self) -> float:
        """Exchanges a second."""
        return self.n / self.seconds if self.seconds else 0.0

    def buckets(self) -> Iterator[tuple[int, int]]:
        """(lowest nanoseconds of the bucket, count) in rising order, without empty buckets."""
        for index, count in enumerate(self.counts):
            if count:
                group = max(index // HALF - 1, 0)
                yield (index - group * HALF) << group, count
