"""A request during a rollout."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Seen"]


@dataclass(frozen=True, slots=True)
class Seen:
    """One request: the version that it met, the status of its answer, and how long it took."""

    arm: Literal["stable", "canary"]
    status: int
    micros: int
