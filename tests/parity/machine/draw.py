"""Random draws from a seed."""

from __future__ import annotations

import random
from typing import TypeVar

__all__ = ["Draw"]

T = TypeVar("T")


class Draw:
    """What it draws depends on the seed alone."""

    def __init__(self, seed: str) -> None:
        self.random = random.Random(seed)

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def pick(self, *choices: T) -> T:
        return self.random.choice(choices)

    def weighted(self, **weights: float) -> str:
        return self.random.choices(list(weights), list(weights.values()))[0]
