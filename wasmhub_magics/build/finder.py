"""What finds a compiler on this machine."""

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper
from typing import Generic, TypeVar

__all__ = ["Finder"]

T = TypeVar("T")


class Finder(Generic[T]):
    """A function whose find is kept. It looks again where it found nothing: that may be installed later."""

    def __init__(self, find: Callable[[], T | None]) -> None:
        self._find = find
        self._found: T | None = None
        update_wrapper(self, find)

    def __call__(self) -> T | None:
        """What was found, None where there is nothing."""
        if self._found is None:
            self._found = self._find()
        return self._found

    def cache_clear(self) -> None:
        """Look again next time."""
        self._found = None
