"""A gzip file that holds its content as it is (RFC 1952 of stored blocks, RFC 1951 section 3.2.4).

Its bytes are the same on every machine, where those of a compressor differ from one zlib to the next; and
what it holds can be had while it arrives.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from functools import reduce

from .arrival import Beside
from .pieces import Piece, Source

__all__ = ["HEAD", "stored", "stored_size", "unstored"]

_HEAD = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
_BLOCK = struct.Struct("<BHH")
_TAIL = struct.Struct("<II")
HEAD = len(_HEAD) + _BLOCK.size
"""Bytes before the content."""
_LARGEST = 0xFFFF
"""Bytes of a block."""


def stored(content: Sequence[Piece]) -> tuple[tuple[Piece, ...], str]:
    """A gzip file of what these make together, in parts that are not copies; and its digest."""
    check = Beside(lambda: reduce(lambda known, part: zlib.crc32(part, known), content, 0))
    source, left = Source(content), sum(map(len, content))
    tail = left & 0xFFFFFFFF
    parts: list[Piece] = [_HEAD]
    last = False
    while not last:
        size = min(left, _LARGEST)
        left -= size
        last = not left
        parts += [_BLOCK.pack(last, size, size ^ 0xFFFF), *source.parts(size)]
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    parts.append(_TAIL.pack(check.result(), tail))
    digest.update(parts[-1])
    return tuple(parts), f"sha256:{digest.hexdigest()}"


def stored_size(content: Sequence[Piece]) -> int:
    """The bytes of that file."""
    size = sum(map(len, content))
    blocks = max(1, -(-size // _LARGEST))
    return len(_HEAD) + blocks * _BLOCK.size + size + _TAIL.size


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
