"""Source lines out of a module's ``.debug_line`` section (DWARF 2 to 5), as far as a backtrace needs them."""

from __future__ import annotations

import struct
from bisect import bisect_right
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from .binary_reader import Reader
from .errors import MalformedModule

__all__ = ["LineTable"]

EXTENDED, COPY, ADVANCE_PC, ADVANCE_LINE, SET_FILE, SET_COLUMN, NEGATE = range(7)
BASIC_BLOCK, CONST_ADD_PC, FIXED_ADVANCE_PC = 7, 8, 9
END_SEQUENCE, SET_ADDRESS = 1, 2
PROLOGUE = 8
"""Bytes at the start of a function, its variables, that belong to no line."""
PATH, FORM_SIZES = 1, {0x0B: 1, 0x05: 2, 0x06: 4, 0x07: 8, 0x1E: 16}
STRING, LINE_STRP, STRP, UDATA, BLOCK = 0x08, 0x1F, 0x0E, 0x0F, 0x09


@dataclass
class LineTable:
    """Which source line each place of the code comes from; ``rows`` are (address, file, line) in order.

    Addresses count from the start of the code section's content; line 0 stands where a sequence ends.
    """

    rows: list[tuple[int, str, int]] = field(default_factory=list)

    @classmethod
    def read(cls, lines: bytes, strings: bytes = b"", line_strings: bytes = b"") -> LineTable:
        """The table of a module; what is damaged in it ends it there."""
        table = cls()
        at = 0
        try:
            while at + 4 < len(lines):
                (size,) = struct.unpack_from("<I", lines, at)
                end = at + 4 + size
                if size == 0xFFFFFFFF or end > len(lines):
                    break
                table.rows += _unit(Reader(lines, at + 4, end, ".debug_line"), strings, line_strings)
                at = end
        except (MalformedModule, struct.error, IndexError, UnicodeDecodeError):
            pass
        table.rows.sort(key=lambda row: row[0])
        return table

    def at(self, address: int) -> tuple[str, int] | None:
        """The file's name and the line of a place; None where it has none."""
        index = bisect_right(self.rows, address, key=lambda row: row[0]) - 1
        if index < 0:
            return None
        _, name, line = self.rows[index]
        if not line and index + 1 < len(self.rows) and self.rows[index + 1][0] - address <= PROLOGUE:
            _, name, line = self.rows[index + 1]
        return (PurePosixPath(name).name, line) if line else None


def _unit(r: Reader, strings: bytes, line_strings: bytes) -> list[tuple[int, str, int]]:
    version = _number(r, 2)
    if version >= 5:
        r.skip(2)  # the sizes of an address and of a segment
    r.skip(4)  # the header's length
    step = r.byte()
    if version >= 4:
        r.skip(1)
    r.skip(1)
    base = struct.unpack("b", bytes([r.byte()]))[0]
    span, first_special = r.byte(), r.byte()
    lengths = [r.byte() for _ in range(first_special - 1)]
    files = _files_5(r, strings, line_strings) if version >= 5 else _files(r)
    return _run(r, files, lengths, (step, base, span, first_special))


def _files(r: Reader) -> list[str]:
    """The files of versions 2 to 4, counted from 1."""
    while _text(r):
        pass
    names = [""]
    while name := _text(r):
        names.append(name)
        for _ in range(3):
            r.unsigned()
    return names


def _files_5(r: Reader, strings: bytes, line_strings: bytes) -> list[str]:
    def entries() -> list[str]:
        formats = [(r.unsigned(), r.unsigned()) for _ in range(r.byte())]
        return [_entry(r, formats, strings, line_strings) for _ in range(r.unsigned())]

    entries()  # folders
    return entries()


def _entry(r: Reader, formats: list[tuple[int, int]], strings: bytes, line_strings: bytes) -> str:
    name = ""
    for content, form in formats:
        value = ""
        if form == STRING:
            value = _text(r)
        elif form in (LINE_STRP, STRP):
            value = _cut(line_strings if form == LINE_STRP else strings, _number(r, 4))
        elif form == UDATA:
            r.unsigned()
        elif form == BLOCK:
            r.skip(r.unsigned())
        else:
            r.skip(FORM_SIZES.get(form, 1 << 30))
        if content == PATH:
            name = value
    return name


def _run(
    r: Reader, files: list[str], lengths: list[int], shape: tuple[int, int, int, int]
) -> list[tuple[int, str, int]]:
    """Run the line program."""
    step, base, span, first_special = shape
    rows: list[tuple[int, str, int]] = []
    address, file, line = 0, 1, 1

    def name() -> str:
        return files[file] if file < len(files) else ""

    while r.pos < r.end:
        code = r.byte()
        if code >= first_special:
            address += (code - first_special) // span * step
            line += base + (code - first_special) % span
            rows.append((address, name(), line))
        elif code == EXTENDED:
            size = r.unsigned()
            end = r.pos + size
            kind = r.byte()
            if kind == SET_ADDRESS:
                address = _number(r, size - 1)
            elif kind == END_SEQUENCE:
                rows.append((address, "", 0))
                address, file, line = 0, 1, 1
            r.pos = end
        elif code == COPY:
            rows.append((address, name(), line))
        elif code == ADVANCE_PC:
            address += r.unsigned() * step
        elif code == ADVANCE_LINE:
            line += _signed(r)
        elif code == SET_FILE:
            file = r.unsigned()
        elif code == CONST_ADD_PC:
            address += (255 - first_special) // span * step
        elif code == FIXED_ADVANCE_PC:
            address += _number(r, 2)
        else:
            for _ in range(lengths[code - 1]):
                r.unsigned()
    return rows


def _number(r: Reader, size: int) -> int:
    return int.from_bytes(bytes(r.byte() for _ in range(size)), "little")


def _signed(r: Reader) -> int:
    value = shift = 0
    while True:
        byte = r.byte()
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value - (1 << shift) if byte & 0x40 else value


def _text(r: Reader) -> str:
    out = bytearray()
    while byte := r.byte():
        out.append(byte)
    return out.decode("utf-8", "replace")


def _cut(data: bytes, at: int) -> str:
    return data[at : data.index(0, at)].decode("utf-8", "replace") if at < len(data) else ""
