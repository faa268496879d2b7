"""What the driver and the host module say to each other; ``src/exchange.zig`` describes the bytes."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ..errors import RequestError
from ..http import Headers, Request, Response, cut_frames
from .cluster import KINDS, Delay, Failure
from .exchange import LogLevel, Outcome
from .grpc import Grpc, GrpcReply
from .grpc_session import Part

__all__ = [
    "Reader",
    "Record",
    "encode_answer",
    "encode_call_answer",
    "encode_clusters",
    "encode_grpc_answer",
    "encode_request",
    "read_record",
    "read_request",
    "read_response",
    "text",
]

_U32 = struct.Struct("<I")
_U64 = struct.Struct("<Q")

TRACE = 1
ANSWERED = 2
OVER_HTTP2 = 4
METADATA, UPSTREAM_HTTP2 = 8, 16
ANSWER_METADATA, ANSWER_HTTP2 = 1 << 16, 1 << 17
HEADERS_COME, ENDS = 1, 2
FIXED, HTTP2 = 1, 2
OUTCOMES: tuple[Outcome, ...] = ("complete", "paused", "reset")
LEVELS: tuple[LogLevel, ...] = ("trace", "debug", "info", "warn", "error", "critical")

Pairs = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Record:
    """What was logged: (level, plugin number or None, text), what was dropped, warnings, the raw trace."""

    lines: tuple[tuple[int, int | None, bytes], ...]
    dropped_lines: int
    dropped_bytes: int
    warnings: tuple[str, ...]
    dropped_events: int
    events: bytes


def text(value: bytes) -> bytes:
    """A text: its length and its bytes."""
    return _U32.pack(len(value)) + value


def texts(values: Sequence[bytes]) -> bytes:
    """A list of texts."""
    return b"".join([_U32.pack(len(values)), *(text(value) for value in values)])


def _pairs(headers: Headers) -> bytes:
    pairs = headers.encode()
    parts = [_U32.pack(len(pairs))]
    for name, value in pairs:
        parts += (_U32.pack(len(name)), name, _U32.pack(len(value)), value)
    return b"".join(parts)


def encode_request(
    request: Request, *, trace: bool, answer: Response | None, upstream_version: str = "1.1"
) -> bytes:
    """An exchange for the host; with an answer it asks no upstream."""
    flags = TRACE * trace | ANSWERED * (answer is not None) | OVER_HTTP2 * (request.version == "2")
    flags |= METADATA * bool(request.metadata) | UPSTREAM_HTTP2 * (upstream_version == "2")
    return b"".join(
        (
            _U32.pack(flags),
            text(_encode(request.method)),
            text(_encode(request.path)),
            text(_encode(request.authority)),
            text(_encode(request.scheme)),
            _pairs(request.headers),
            texts(request.frames),
            _pairs(request.trailers),
            _sizes(request) if request.metadata else b"",
            b"" if answer is None else encode_answer(answer, upstream_version),
        )
    )


def encode_answer(response: Response, version: str = "1.1") -> bytes:
    """What an upstream answers over that version of HTTP. Raises RequestError where that cannot carry it."""
    over_http2 = version == "2"
    if response.metadata and not over_http2:
        raise RequestError("HTTP/1.1 carries no metadata", do='make the proxy with upstream_version="2"')
    flags = ANSWER_METADATA * bool(response.metadata) | ANSWER_HTTP2 * over_http2
    return b"".join(
        (
            _U32.pack(response.status | flags),
            _pairs(response.headers),
            texts(cut_frames(response) if over_http2 else response.frames),
            _pairs(response.trailers),
            _sizes(response) if response.metadata else b"",
        )
    )


def _sizes(message: Request | Response) -> bytes:
    return b"".join(map(_U32.pack, (len(message.metadata), *map(len, message.metadata))))


def encode_call_answer(answer: Response | Delay | Failure) -> bytes:
    """What a cluster answers to a call."""
    if isinstance(answer, Failure):
        return bytes([1 + KINDS.index(answer.kind)]) + _U64.pack(0)
    late = answer if isinstance(answer, Delay) else Delay(0, answer)
    response = late.response
    plain = response.response() if isinstance(response, GrpcReply) else response
    return b"\0" + _U64.pack(int(late.seconds * 1_000_000_000)) + encode_answer(plain.replace(metadata=()))


def encode_grpc_answer(answer: Sequence[Part]) -> bytes:
    """What a cluster answers to news of a gRPC call."""
    parts = [_U32.pack(len(answer))]
    for seconds, what, first, ends in answer:
        due = _U64.pack(int(seconds * 1_000_000_000))
        if isinstance(what, Failure):
            parts.append(bytes([1 + KINDS.index(what.kind)]) + due)
        else:
            parts.append(b"\0" + due + bytes([HEADERS_COME * first | ENDS * ends]) + encode_answer(what))
    return b"".join(parts)


def encode_clusters(clusters: Mapping[str, object]) -> bytes:
    """The clusters that can be called, and what those answer that always answer the same."""
    parts = [_U32.pack(len(clusters))]
    for name, cluster in clusters.items():
        parts.append(text(_encode(name)))
        if isinstance(cluster, Response | Delay | Failure):
            parts += [bytes([FIXED]), text(encode_call_answer(cluster))]
        else:
            parts.append(bytes([HTTP2 * isinstance(cluster, Grpc)]))
    return b"".join(parts)


class Reader:
    """Reads what the host has written, front to back."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def u8(self) -> int:
        """One byte."""
        self.at += 1
        return self.data[self.at - 1]

    def u32(self) -> int:
        """A number of four bytes."""
        self.at += 4
        number: int = _U32.unpack_from(self.data, self.at - 4)[0]
        return number

    def u64(self) -> int:
        """A number of eight bytes."""
        self.at += 8
        number: int = _U64.unpack_from(self.data, self.at - 8)[0]
        return number

    def text(self) -> bytes:
        """A text."""
        size = self.u32()
        self.at += size
        return self.data[self.at - size : self.at]

    def texts(self) -> list[bytes]:
        """A list of texts."""
        return [self.text() for _ in range(self.u32())]

    def pairs(self) -> Pairs:
        """Headers."""
        return [(self.text(), self.text()) for _ in range(self.u32())]


def read_request(reader: Reader, *, body: bool = True) -> Request:
    """A request: headers and, with ``body``, body and trailers."""
    pairs = reader.pairs()
    content = reader.text() if body else b""
    trailers = reader.pairs() if body else []
    known = dict(reversed([pair for pair in pairs if pair[0].startswith(b":")]))
    request = Request(body=content)
    # Set as they are: what a filter made of a request need not be one that a user may send.
    for name in ("method", "path", "authority", "scheme"):
        object.__setattr__(request, name, _decode(known.get(b":" + name.encode(), b"")))
    object.__setattr__(request, "headers", _ordinary(pairs))
    object.__setattr__(request, "trailers", Headers.decode(trailers))
    return request


def read_response(reader: Reader) -> Response:
    """A response: headers, body, trailers."""
    pairs = reader.pairs()
    response = Response(body=reader.text())
    status = next((value for name, value in pairs if name == b":status"), b"0")
    object.__setattr__(response, "status", int(status) if status.isdigit() else 0)
    object.__setattr__(response, "headers", _ordinary(pairs))
    object.__setattr__(response, "trailers", Headers.decode(reader.pairs()))
    return response


def read_record(reader: Reader) -> Record:
    """What was logged."""
    lines = []
    for _ in range(reader.u32()):
        level, plugin = reader.u8(), reader.u32()
        lines.append((level, None if plugin == 0xFFFFFFFF else plugin, reader.text()))
    dropped_lines, dropped_bytes = reader.u32(), reader.u64()
    warnings = tuple(_decode(warning) for warning in reader.texts())
    return Record(tuple(lines), dropped_lines, dropped_bytes, warnings, reader.u32(), reader.text())


def _ordinary(pairs: Iterable[tuple[bytes, bytes]]) -> Headers:
    return Headers.decode([pair for pair in pairs if not pair[0].startswith(b":")])


def _encode(value: str) -> bytes:
    return value.encode("utf-8", "surrogateescape")


def _decode(value: bytes) -> str:
    return value.decode("utf-8", "surrogateescape")
