"""What samples say of the truth behind them, at worst and at best; no shape of a distribution is assumed."""

from __future__ import annotations

import math
from collections.abc import Sequence

__all__ = ["SURE", "difference", "median", "share"]

SURE = 3.0
"""Standard errors: the truth lies beyond such a bound once in 740 samples. A rollout looks dozens of times at
growing samples, of which each is like the one before: all its looks together err about once in a hundred."""


def share(hits: int, count: int) -> tuple[float, float]:
    """Bounds of a share, by Wilson's score interval; 0 to 1 where nothing was counted."""
    if not count:
        return 0.0, 1.0
    found, square = hits / count, SURE * SURE
    middle = found + square / (2 * count)
    spread = SURE * math.sqrt(found * (1 - found) / count + square / (4 * count * count))
    whole = 1 + square / count
    low, high = (middle - spread) / whole, (middle + spread) / whole
    return low if hits else 0.0, high if hits < count else 1.0


def difference(new: tuple[int, int], old: tuple[int, int]) -> tuple[float, float]:
    """Bounds of the new share less the old one, each as (hits, count), by Newcombe's hybrid score method."""
    if not new[1] or not old[1]:
        return -1.0, 1.0
    (new_low, new_high), (old_low, old_high) = share(*new), share(*old)
    of_new, of_old = new[0] / new[1], old[0] / old[1]
    apart = of_new - of_old
    low = apart - math.hypot(of_new - new_low, old_high - of_old)
    high = apart + math.hypot(new_high - of_new, of_old - old_low)
    return low, high


def median(sorted_values: Sequence[float]) -> tuple[float, float]:
    """Bounds of a median: the values so many ranks below and above it; infinite where there are too few."""
    count = len(sorted_values)
    reach = SURE * math.sqrt(count) / 2
    low, high = math.floor(count / 2 - reach) - 1, math.ceil(count / 2 + reach)
    return (
        sorted_values[low] if low >= 0 else -math.inf,
        sorted_values[high] if high < count else math.inf,
    )
