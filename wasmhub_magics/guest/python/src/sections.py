"""WebAssembly modules as lists of sections, to be taken apart and put together again."""

from __future__ import annotations

from collections.abc import Callable, Iterable

CUSTOM, IMPORT, MEMORY, GLOBAL, EXPORT, START, CODE, DATA, DATA_COUNT = 0, 2, 5, 6, 7, 8, 10, 11, 12

Sections = list[tuple[int, bytes]]


def read(data: bytes) -> Sections:
    """The sections of a module, as (id, content)."""
    at, found = 8, Sections()
    while at < len(data):
        kind = data[at]
        size, at = unsigned(data, at + 1)
        found.append((kind, data[at : at + size]))
        at += size
    return found


def write(sections: Sections) -> bytes:
    """A module made of sections."""
    parts = (bytes([kind]) + leb(len(content)) + content for kind, content in sections)
    return b"\0asm\x01\0\0\0" + b"".join(parts)


def change(sections: Sections, kind: int, edit: Callable[[bytes], bytes]) -> Sections:
    """The sections, with the content of those of one kind edited."""
    return [(each, edit(content) if each == kind else content) for each, content in sections]


def unsigned(data: bytes, at: int) -> tuple[int, int]:
    """The LEB128 number at an offset, and the offset behind it."""
    result = shift = 0
    while True:
        byte = data[at]
        at += 1
        result |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return result, at


def signed(data: bytes, at: int) -> tuple[int, int]:
    """The signed LEB128 number at an offset, and the offset behind it."""
    start = at
    result, at = unsigned(data, at)
    if data[at - 1] & 64:
        result -= 1 << 7 * (at - start)
    return result, at


def leb(value: int) -> bytes:
    """A number as unsigned LEB128."""
    out = bytearray()
    while value >= 128:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def signed_leb(value: int) -> bytes:
    """A number as signed LEB128."""
    out = bytearray()
    while not -64 <= value < 64:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value & 127])


def text(value: str) -> bytes:
    """A name, with its length."""
    data = value.encode()
    return leb(len(data)) + data


def vector(items: Iterable[bytes]) -> bytes:
    """Items, with their count."""
    parts = list(items)
    return leb(len(parts)) + b"".join(parts)


def imports(content: bytes) -> list[tuple[str, str, bytes]]:
    """The entries of an import section: module, name, and the description as it stands."""
    count, at = unsigned(content, 0)
    found = []
    for _ in range(count):
        names = []
        for _ in range(2):
            size, at = unsigned(content, at)
            names.append(content[at : at + size].decode())
            at += size
        start = at
        kind = content[at]
        at += 1
        if kind == 1:  # a table: its type comes before its limits
            at += 1
        if kind in (1, 2):
            flags = content[at]
            _, at = unsigned(content, at + 1)
            if flags & 1:
                _, at = unsigned(content, at)
        elif kind == 3:
            at += 2
        else:
            _, at = unsigned(content, at + (kind == 4))
        found.append((names[0], names[1], content[start:at]))
    return found


def exports(content: bytes) -> list[tuple[str, bytes]]:
    """The entries of an export section: name, and kind and index as they stand."""
    count, at = unsigned(content, 0)
    found = []
    for _ in range(count):
        size, at = unsigned(content, at)
        name = content[at : at + size].decode()
        at += size
        _, end = unsigned(content, at + 1)
        found.append((name, content[at:end]))
        at = end
    return found


def globals_(content: bytes) -> list[tuple[bytes, int]]:
    """The entries of a global section whose values are i32 constants: type, value."""
    count, at = unsigned(content, 0)
    found = []
    for _ in range(count):
        kind = content[at : at + 2]
        if kind[0] != 0x7F or content[at + 2] != 0x41:
            raise ValueError("a global variable is not an i32 constant")
        value, end = signed(content, at + 3)
        found.append((kind, value))
        at = end + 1
    return found


def segments(content: bytes) -> list[tuple[int, bytes]]:
    """The entries of a data section whose addresses are constants: address, bytes."""
    count, at = unsigned(content, 0)
    found = []
    for _ in range(count):
        if content[at] != 0 or content[at + 1] != 0x41:
            raise ValueError("a data segment has no constant address")
        address, at = signed(content, at + 2)
        size, at = unsigned(content, at + 1)
        found.append((address, content[at : at + size]))
        at += size
    return found


def data_section(parts: Iterable[tuple[int, bytes]]) -> bytes:
    """A data section with constant addresses."""
    return vector(b"\0\x41" + signed_leb(at) + b"\x0b" + leb(len(data)) + data for at, data in parts)
