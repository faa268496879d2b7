"""A WebAssembly module: its bytes, and what they say about themselves."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

__all__ = ["Module"]


@dataclass(frozen=True, slots=True)
class Module:
    """A WebAssembly core module."""

    data: bytes

    @property
    def digest(self) -> str:
        """``sha256:`` and the hex digest of the bytes."""
        return "sha256:" + hashlib.sha256(self.data).hexdigest()
