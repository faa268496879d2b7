"""The trace of an exchange: every callback and host call, in order."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Trace"]


@dataclass(frozen=True, slots=True)
class Trace:
    """Every callback and host call of one exchange."""
