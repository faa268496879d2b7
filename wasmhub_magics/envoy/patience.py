"""How long Envoy is waited for, in its own time."""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["Patience"]

IDLE_TIMES = 10
"""How many times its time Envoy is given where it gets little of the machine."""


class Patience:
    """So many seconds of Envoy's own work, from now on.

    ``worked`` tells Envoy's processor time in nanoseconds, 0 where nobody can tell. A machine busy with
    other things takes no patience; an Envoy that waits without working is given up, too, only later.
    """

    def __init__(self, seconds: float, worked: Callable[[], int]) -> None:
        self._seconds = seconds
        self._worked = worked
        self._before = worked()
        self._begun = time.monotonic()

    @property
    def passed(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self._begun

    @property
    def left(self) -> float:
        """Seconds that it may still take; none where that is not positive."""
        passed, now = self.passed, self._worked()
        spent = min(passed, (now - self._before) / 1e9) if now else passed
        return min(self._seconds - spent, IDLE_TIMES * self._seconds - passed)
