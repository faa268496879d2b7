"""The requests that a measurement sends: one of them, or several that take turns by their weights."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from ..errors import RequestError
from ..http import Request

__all__ = ["Mix"]


@dataclass(frozen=True)
class Mix:
    """Requests with their shares, which add up to 1."""

    shares: tuple[tuple[Request, float], ...]

    @classmethod
    def of(cls, request: Request | None, weighted: Iterable[tuple[Request, float]] = ()) -> Self:
        """The weighted requests, or where there are none this one. Raises RequestError without a weight."""
        listed = list(weighted) or [(request or Request(), 1.0)]
        whole = sum(weight for _, weight in listed)
        if not whole > 0 or any(weight < 0 for _, weight in listed):
            raise RequestError(
                "a mix of requests without weights measures nothing", do="give weights above 0"
            )
        return cls(tuple((each, weight / whole) for each, weight in listed if weight))

    def __str__(self) -> str:
        if len(self.shares) == 1:
            return f"{self.shares[0][0].method} {self.shares[0][0].path}"
        return "mix of " + ", ".join(f"{share:.0%} {each.method} {each.path}" for each, share in self.shares)
