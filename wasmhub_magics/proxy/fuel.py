"""The fuel of a store: who has used how much of it, and how much a filter may use."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import wasmtime

__all__ = ["Tank"]

PLENTY = 1 << 62


class Tank:
    """What runs in a store where instructions are counted, those of the host and of its filters together.

    Only a filter can run dry: the host gets plenty whenever it runs, so that nothing it does is left half
    done. ``used`` counts since ``fill``.
    """

    def __init__(self, store: wasmtime.Store) -> None:
        self._store = store
        self.fill(None)

    def fill(self, limit: int | None) -> None:
        """Count from zero, and let filters run until that many instructions were used."""
        self.limit, self.dry = limit, False
        self._used = 0
        self._give(PLENTY)

    @property
    def used(self) -> int:
        """Instructions since it was filled."""
        return self._used + self._given - self._store.get_fuel()

    def meter(self, guest: int) -> int:
        """Note whose code runs from now on. 1 where that is a filter's and nothing is left for it."""
        self._used = self.used
        left = PLENTY if not guest or self.limit is None else self.limit - self._used
        self.dry = left <= 0
        self._give(PLENTY if self.dry else left)
        return int(self.dry)

    def _give(self, fuel: int) -> None:
        self._given = fuel
        self._store.set_fuel(fuel)
