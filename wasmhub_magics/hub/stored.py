"""A gzip file that holds its content as it is (RFC 1952 of stored blocks, RFC 1951 section 3.2.4).

Its bytes are the same on every machine, where those of a compressor differ from one zlib to the next; and
what it holds can be had while it arrives.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator

__all__ = ["stored", "unstored"]

_HEAD = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
_BLOCK = struct.Struct("<BHH")
_TAIL = struct.Struct("<II")
_LARGEST = 0xFFFF
"""Bytes of a block."""


def stored(data: bytes) -> bytes:
    """A gzip file of the data."""
    view = memoryview(data)
    parts: list[bytes | memoryview] = [_HEAD]
    for start in range(0, max(len(data), 1), _LARGEST):
        piece = view[start : start + _LARGEST]
        last = start + _LARGEST >= len(data)
        parts += [_BLOCK.pack(last, len(piece), len(piece) ^ 0xFFFF), piece]
    parts.append(_TAIL.pack(zlib.crc32(data), len(data) & 0xFFFFFFFF))
    return b"".join(parts)


def unstored(pieces: Iterable[bytes]) -> Iterator[memoryview]:
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


class Source:
    """Bytes in pieces, to be had in parts of another size. Raises ValueError where they end too early."""

    def __init__(self, pieces: Iterable[bytes | memoryview]) -> None:
        self._pieces = iter(pieces)
        self._rest = memoryview(b"")

    def __iter__(self) -> Iterator[memoryview]:
        """All that is left."""
        yield self._rest
        yield from (memoryview(piece) for piece in self._pieces)

    def parts(self, count: int) -> Iterator[memoryview]:
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
