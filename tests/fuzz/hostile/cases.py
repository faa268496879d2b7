"""Cases for the host: a program for the lying filter, a blob for its decoders, and a request."""

from __future__ import annotations

import random
import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace

from wasmhub_magics.http import Request, Response

from .liar import BLOB, BLOB_SIZE, FUNCTIONS, PROGRAM_SIZE, RESULTS, WORDS

__all__ = ["REQUESTS", "RESPONSES", "Case", "mutated", "random_case"]

PLACES = tuple(WORDS)
ODD = (
    0,
    1,
    2,
    3,
    4,
    7,
    8,
    9,
    16,
    255,
    1024,
    0xFFFF,
    0x10000,
    0x3FFFE,
    0x7FFFFFFF,
    0x80000000,
    0xFFFFFFF0,
    0xFFFFFFFF,
)
SMALL = {"map": 9, "buffer": 10, "stream": 5, "level": 7, "type": 4, "context_id": 6, "token": 24, "id": 24}
CODES = (200, 403, 503, 0, 99, 1000, 0xFFFFFFFF)
REQUESTS = (
    Request("GET", "/a?b", [("x-a", "1"), ("cookie", "a"), ("cookie", "b")]),
    Request("POST", "/", [("te", "trailers")], b"one two three", chunks=(3, 4), trailers=[("x-t", "1")]),
    Request("POST", "/big", body=b"z" * 70_000, chunks=(30_000,)),
    Request("HEAD", "/", [("content-type", "application/grpc")]),
    Request("POST", "/two", [("x-b", "2")], b"body", version="2"),
)
RESPONSES = (
    Response(200, [("x-a", "1"), ("set-cookie", "a"), ("set-cookie", "b")], b"answer", chunks=(2,)),
    Response(204),
    Response(500, body=b"z" * 5000, trailers=[("grpc-status", "3")]),
)
Call = tuple[int, ...]


@dataclass(frozen=True)
class Case:
    """``calls`` are the number of a function and its arguments; 0 ends a callback, 255 traps."""

    calls: tuple[Call, ...]
    blob: bytes = b""
    allocator: tuple[int, int] = (0, 0)
    request: int = 0
    response: int = 0
    asks: bool = False

    def program(self) -> bytes:
        """The calls as the filter reads them."""
        parts = []
        for number, *arguments in self.calls:
            if 0 < number <= len(FUNCTIONS):
                kinds = FUNCTIONS[number - 1].type.params
                layout = "<B" + "".join("Q" if kind == "i64" else "I" for kind in kinds)
                parts.append(struct.pack(layout, number, *arguments))
            else:
                parts.append(struct.pack("<BI", number, *arguments))
        return b"".join(parts)[:PROGRAM_SIZE]


def random_case(draw: random.Random) -> Case:
    """A case of some calls."""
    calls: list[Call] = []
    for _ in range(draw.randint(1, 12)):
        calls.append(_call(draw))
        if draw.random() < 0.35:
            calls.append((0, draw.choice((0, 0, 0, 1, 1, 2, 3, 4, 0xFFFFFFFF))))
    allocator = (draw.choice((0, 0, 0, 0, 0, 0, 1, 2, 3, 3, 4)), draw.choice((*ODD, 0x10000, 0x3FFF0)))
    return Case(
        tuple(calls),
        _blob(draw),
        allocator,
        draw.randrange(len(REQUESTS)),
        draw.randrange(len(RESPONSES)),
        draw.random() < 0.2,
    )


def mutated(draw: random.Random, case: Case, others: Sequence[Case]) -> Case:
    """A case that is a little different."""
    calls, blob = list(case.calls), bytearray(case.blob)
    for _ in range(draw.choice((1, 1, 2, 3, 5))):
        kind = draw.randrange(9)
        if kind == 0 or not calls:
            calls.insert(draw.randint(0, len(calls)), _call(draw))
        elif kind == 1:
            del calls[draw.randrange(len(calls))]
        elif kind in (2, 3, 4):
            at = draw.randrange(len(calls))
            number, *arguments = calls[at]
            if arguments:
                place = draw.randrange(len(arguments))
                arguments[place] = _argument(draw, number, place, arguments)
                calls[at] = (number, *arguments)
        elif kind == 5:
            other = draw.choice(others).calls
            start = draw.randint(0, len(other))
            at = draw.randint(0, len(calls))
            calls[at:at] = other[start : start + draw.randint(1, 6)]
        elif kind == 6:
            calls.insert(draw.randint(0, len(calls)), (0, draw.choice((0, 1, 2, 3, 4))))
        elif kind == 7 and blob:
            at = draw.randrange(len(blob))
            blob[at] = draw.choice((0, 1, 2, 4, 8, 0x7F, 0x80, 0xFF, draw.randrange(256)))
        else:
            blob = bytearray(_blob(draw))
    case = replace(case, calls=tuple(calls[:60]), blob=bytes(blob[:BLOB_SIZE]))
    if draw.random() < 0.1:
        case = replace(case, request=draw.randrange(len(REQUESTS)), response=draw.randrange(len(RESPONSES)))
    if draw.random() < 0.1:
        case = replace(case, allocator=(draw.choice((0, 0, 0, 1, 2, 3, 4)), draw.choice(ODD)))
    return case


def _call(draw: random.Random) -> Call:
    if draw.random() < 0.001:
        return (255, 0)
    number = draw.randint(1, len(FUNCTIONS))
    arguments: list[int] = []
    for place in range(len(FUNCTIONS[number - 1].params)):
        arguments.append(_argument(draw, number, place, arguments))
    return (number, *arguments)


def _argument(draw: random.Random, number: int, place: int, before: Sequence[int]) -> int:
    if not 0 < number <= len(FUNCTIONS):
        return draw.choice((0, 1, 2, 3, 4))
    function = FUNCTIONS[number - 1]
    name, wide = function.params[place], function.type.params[place] == "i64"
    if draw.random() < 0.08:
        return draw.choice(ODD)
    if name.startswith("ret_"):
        return RESULTS + 8 * draw.randrange(16)
    if name.endswith("_ptr"):
        return BLOB + draw.choice((0, 0, 0, 4, 12)) if draw.random() < 0.25 else draw.choice(PLACES)
    if name.endswith("_len") and place and function.params[place - 1].endswith("_ptr"):
        at = before[place - 1]
        return WORDS[at] if at in WORDS else draw.choice((0, 4, 12, 24, 40, 64, 200, BLOB_SIZE))
    if name in SMALL:
        return draw.randrange(SMALL[name])
    if name == "http_code":
        return draw.choice(CODES)
    if wide:
        return draw.choice((0, 1, 5, (1 << 64) - 1, 1 << 63))
    return draw.choice((0, 0, 1, 2, 3, 5, 10, 100, 0xFFFFFFFF))


def _blob(draw: random.Random) -> bytes:
    """Serialised pairs that are more or less right, or bytes."""
    if draw.random() < 0.2:
        return draw.randbytes(draw.randrange(64))
    pairs = [
        (draw.choice((b":path", b"x-a", b"X-B", b"cookie", b"")), draw.choice((b"/", b"1", b"", b"v" * 40)))
        for _ in range(draw.randrange(5))
    ]
    sizes = b"".join(struct.pack("<II", len(name), len(value)) for name, value in pairs)
    whole = struct.pack("<I", len(pairs)) + sizes + b"".join(n + b"\0" + v + b"\0" for n, v in pairs)
    if draw.random() < 0.3:
        whole = whole[: draw.randint(0, len(whole))]
    return whole
