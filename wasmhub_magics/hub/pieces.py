"""Bytes in pieces, which are not put together before somebody needs them whole."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import TypeAlias

__all__ = ["Piece", "Source", "sha256"]

Piece: TypeAlias = "bytes | memoryview[int]"


class Source:
    """Bytes in pieces, to be had in parts of another size. Raises ValueError where they end too early."""

    def __init__(self, pieces: Iterable[Piece]) -> None:
        self._pieces = iter(pieces)
        self._rest = memoryview(b"")

    def __iter__(self) -> Iterator[memoryview[int]]:
        """All that is left."""
        yield self._rest
        yield from (memoryview(piece) for piece in self._pieces)

    def parts(self, count: int) -> Iterator[memoryview[int]]:
        """The next bytes, without a copy."""
        while count:
            if not self._rest:
                piece = next(self._pieces, None)
                if piece is None:
                    raise ValueError("it ends too early")
                self._rest = memoryview(piece)
            part, self._rest = self._rest[:count], self._rest[count:]
            count -= len(part)
            yield part

    def take(self, count: int) -> bytes:
        """The next bytes."""
        return b"".join(self.parts(count))


def sha256(pieces: Iterable[Piece]) -> str:
    """The digest of what these make together, as images name it."""
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return f"sha256:{digest.hexdigest()}"
