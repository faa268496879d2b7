"""Source lines out of a source map that stands in the module itself, as far as a backtrace needs them."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator

from .binary_reader import Reader
from .dwarf import LineTable
from .errors import MalformedModule

__all__ = ["SECTION", "encoded", "lines_of"]

SECTION = "sourceMappingURL"
PREFIX = "data:application/json;base64,"
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
DIGITS = {letter: value for value, letter in enumerate(LETTERS)}
MOST_BITS = 35


def encoded(source_map: bytes) -> bytes:
    """The address under which a map stands in its module: all of it but the text of the sources.

    Raises ValueError where the bytes are no source map.
    """
    known = json.loads(source_map)
    lean = {"version": 3, "sources": known["sources"], "names": [], "mappings": known["mappings"]}
    return (PREFIX + base64.b64encode(json.dumps(lean, separators=(",", ":")).encode()).decode()).encode()


def lines_of(section: bytes, code: int) -> LineTable:
    """The lines that a ``sourceMappingURL`` section tells of; none where it names a file or is damaged.

    ``code`` is where the content of the code section starts: maps count from the first byte of the module.
    """
    table = LineTable()
    try:
        reader = Reader(section, 0, len(section), SECTION)
        address = reader.name()
        if not address.startswith(PREFIX):
            return table
        known = json.loads(base64.b64decode(address[len(PREFIX) :], validate=True))
        sources = [str(name) for name in known["sources"]]
        rows = _rows(str(known["mappings"]).split(";", 1)[0], sources)
        table.rows = sorted((at - code, name, line) for at, name, line in rows)
    except (MalformedModule, ValueError, KeyError, TypeError, IndexError, RecursionError):
        pass
    return table


def _rows(mappings: str, sources: list[str]) -> Iterator[tuple[int, str, int]]:
    at = source = line = 0
    for segment in mappings.split(","):
        numbers = list(_numbers(segment))
        if not numbers:
            continue
        at += numbers[0]
        if len(numbers) < 4:
            yield at, "", 0
            continue
        source += numbers[1]
        line += numbers[2]
        if source < 0:
            raise IndexError(source)
        yield at, sources[source], line + 1


def _numbers(segment: str) -> Iterator[int]:
    """Numbers of variable length in Base64, the sign in the lowest bit."""
    value = shift = 0
    for letter in segment:
        digit = DIGITS[letter]
        value |= (digit & 31) << shift
        shift += 5
        if digit & 32:
            if shift > MOST_BITS:
                raise ValueError("a number in a source map has no end")
            continue
        yield -(value >> 1) if value & 1 else value >> 1
        value = shift = 0
