"""Protobuf's wire format, as far as a message of texts and numbers needs it."""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["fields", "length_delimited", "varint"]


def varint(value: int) -> bytes:
    """A number."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def length_delimited(number: int, value: bytes) -> bytes:
    """A field of bytes."""
    return varint(number << 3 | 2) + varint(len(value)) + value


def fields(data: bytes) -> Iterator[tuple[int, bytes | int]]:
    """The number and the value of each field. Raises ValueError where the bytes are no message."""
    at = 0

    def number() -> int:
        nonlocal at
        value = shift = 0
        while shift < 64:
            if at >= len(data):
                raise ValueError("cut off")
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7
        raise ValueError("a number without end")

    while at < len(data):
        tag = number()
        kind = tag & 7
        if not tag >> 3 or kind not in (0, 1, 2, 5):
            raise ValueError("no field")
        if kind == 0:
            yield tag >> 3, number()
            continue
        size = {1: 8, 5: 4}.get(kind) or (number() if kind == 2 else 0)
        if at + size > len(data):
            raise ValueError("cut off")
        yield tag >> 3, data[at : at + size]
        at += size
