"""A gzip file that holds its content as it is (RFC 1952 of stored blocks, RFC 1951 section 3.2.4).

Its bytes are the same on every machine, where those of a compressor differ from one zlib to the next; and
what it holds can be had while it arrives.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property, reduce

from .arrival import Beside
from .pieces import Piece, Source, sha256

__all__ = ["HEAD", "Stored", "unstored"]

_HEAD = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
_BLOCK = struct.Struct("<BHH")
_TAIL = struct.Struct("<II")
HEAD = len(_HEAD) + _BLOCK.size
"""Bytes before the content."""
_LARGEST = 0xFFFF
"""Bytes of a block."""


class Stored:
    """A gzip file of what these make together, of ``size`` bytes; its parts are not copies."""

    def __init__(self, content: Sequence[Piece]) -> None:
        self._content = content
        self._length = sum(map(len, content))
        self.blocks: tuple[Piece, ...] = (_HEAD, *_blocks(content, self._length))
        """The file without its end, which takes a while."""
        self.size = sum(map(len, self.blocks)) + _TAIL.size

    @property
    def parts(self) -> tuple[Piece, ...]:
        """The bytes of the file."""
        return (*self.blocks, self._tail())

    @cached_property
    def digest(self) -> str:
        """The digest of the file, as images name it."""
        return sha256(self._pieces())

    @cached_property
    def _check(self) -> Beside[int]:
        """The sum, of which nothing is computed before somebody wants it."""
        return Beside(lambda: reduce(lambda known, part: zlib.crc32(part, known), self._content, 0))

    def _pieces(self) -> Iterator[Piece]:
        _ = self._check  # begin with it
        yield from self.blocks
        yield self._tail()

    def _tail(self) -> bytes:
        return _TAIL.pack(self._check.result(), self._length & 0xFFFFFFFF)


def _blocks(content: Sequence[Piece], left: int) -> Iterator[Piece]:
    source = Source(content)
    last = False
    while not last:
        size = min(left, _LARGEST)
        left -= size
        last = not left
        yield _BLOCK.pack(last, size, size ^ 0xFFFF)
        yield from source.parts(size)


def unstored(pieces: Iterable[Piece]) -> Iterator[memoryview[int]]:
    """What such a file holds, while it is read. Raises ValueError where it is any other.

    The sum at its end is not looked at: whoever reads it knows the digest of the whole.
    """
    source = Source(pieces)
    if source.take(len(_HEAD)) != _HEAD:
        raise ValueError("it is compressed, or written by others")
    last = 0
    while not last:
        last, size, inverted = _BLOCK.unpack(source.take(_BLOCK.size))
        if last > 1 or size != inverted ^ 0xFFFF:
            raise ValueError("a block is compressed")
        yield from source.parts(size)
    source.take(_TAIL.size)
    if any(source):
        raise ValueError("more than one member")
