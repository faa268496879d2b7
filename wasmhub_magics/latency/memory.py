"""What a filter's memory does over many requests: leaks are what users of filters suffer most."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .units import size

__all__ = ["Memory"]


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory over a run: ``samples`` are (exchanges so far, bytes), in order.

    The bytes are the linear memory of the filters' virtual machines in the embedded proxy, which grows in
    pages of 64 KiB and never shrinks.
    """

    samples: tuple[tuple[int, int], ...] = ()

    @property
    def before(self) -> int:
        """Bytes at the first sample; 0 without samples."""
        return self.samples[0][1] if self.samples else 0

    @property
    def after(self) -> int:
        """Bytes at the last sample; 0 without samples."""
        return self.samples[-1][1] if self.samples else 0

    @property
    def slope(self) -> float:
        """Bytes that an exchange adds in the second half of the run (least squares); 0 below two samples."""
        half = self._second_half
        if len(half) < 2:
            return 0.0
        x0 = sum(x for x, _ in half) / len(half)
        y0 = sum(y for _, y in half) / len(half)
        spread = sum((x - x0) ** 2 for x, _ in half)
        return sum((x - x0) * (y - y0) for x, y in half) / spread if spread else 0.0

    @property
    def verdict(self) -> Literal["flat", "settled", "growing", "unknown"]:
        """What the samples say.

        ``flat``: no growth at all; ``settled``: it grew at first and not in the second half; ``growing``: it
        grew in the second half as well, by more than a hundredth; ``unknown``: fewer than four samples.
        """
        if len(self.samples) < 4:
            return "unknown"
        half = self._second_half
        if half[-1][1] > half[0][1] * 1.01 and self.slope > 0:
            return "growing"
        return "settled" if self.after > self.before * 1.01 else "flat"

    @property
    def _second_half(self) -> tuple[tuple[int, int], ...]:
        if not self.samples:
            return ()
        middle = (self.samples[0][0] + self.samples[-1][0]) / 2
        return tuple(sample for sample in self.samples if sample[0] >= middle)

    def __str__(self) -> str:
        if not self.samples:
            return "not measured"
        text = f"{self.verdict}, {size(self.before)} → {size(self.after)}"
        if self.verdict == "growing":
            text += f", {size(self.slope)} an exchange: the filter leaks or keeps what it sees"
        return text
