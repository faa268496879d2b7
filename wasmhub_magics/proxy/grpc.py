"""gRPC clusters: what answers the gRPC calls and streams of filters."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from ..errors import RequestError
from ..http import Headers, Request, Response

__all__ = ["Grpc", "GrpcCall", "GrpcReply", "frame", "messages_in"]

Pairs: TypeAlias = "Headers | Iterable[tuple[str, str]]"


@dataclass(frozen=True, slots=True, init=False)
class GrpcReply:
    """What a gRPC service sends: metadata, messages, and a status with which it ends.

    With ``status`` None it sends its messages and goes on listening. Messages are bytes, or text in UTF-8:
    encoded protobuf messages, as a generated class gives them by ``SerializeToString``. An answer without
    metadata and messages goes out as trailers only, as servers do.
    """

    messages: tuple[bytes, ...]
    status: int | None
    message: str
    metadata: Headers
    trailers: Headers

    def __init__(
        self,
        *messages: bytes | str,
        status: int | None = 0,
        message: str = "",
        metadata: Pairs = (),
        trailers: Pairs = (),
    ) -> None:
        encoded = tuple(m.encode() if isinstance(m, str) else bytes(m) for m in messages)
        object.__setattr__(self, "messages", encoded)
        object.__setattr__(self, "status", status)
        object.__setattr__(self, "message", message)
        object.__setattr__(self, "metadata", Headers(metadata))
        object.__setattr__(self, "trailers", Headers(trailers))

    @property
    def ending(self) -> Headers:
        """The trailers with the status in them; empty where it does not end."""
        if self.status is None:
            return Headers()
        ending = Headers([("grpc-status", str(self.status))])
        if self.message:
            ending = ending.add("grpc-message", _percent_encoded(self.message))
        return Headers([*ending.pairs, *self.trailers.pairs])

    def response(self, *, first: bool = True) -> Response:
        """It as an HTTP response, without the headers where it is not the ``first`` of its stream."""
        headers = [("content-type", "application/grpc"), *self.metadata.pairs] if first else []
        if first and not self.messages and not self.metadata and self.status is not None:
            return Response(200, [*headers, *self.ending.pairs])
        frames = [frame(m) for m in self.messages]
        return Response(
            200,
            headers,
            b"".join(frames),
            trailers=self.ending,
            chunks=[len(f) for f in frames] if len(frames) > 1 else (),
        )


@dataclass(frozen=True, slots=True)
class GrpcCall:
    """What a gRPC service has got so far: ``messages`` in order; ``ended`` where no more will come."""

    cluster: str
    service: str
    method: str
    metadata: Headers = field(default_factory=Headers)
    messages: tuple[bytes, ...] = ()
    ended: bool = False

    @property
    def message(self) -> bytes:
        """The newest message; empty where there is none."""
        return self.messages[-1] if self.messages else b""

    @classmethod
    def of(cls, cluster: str, request: Request) -> GrpcCall:
        """The call that an HTTP request is."""
        service, _, method = request.path.removeprefix("/").rpartition("/")
        return cls(cluster, service, method, request.headers, messages_in(request.body), True)

    def with_message(self, message: bytes | None, *, ended: bool) -> GrpcCall:
        """It with one more message, or with its end alone."""
        more = () if message is None else (message,)
        return replace(self, messages=self.messages + more, ended=ended)


@dataclass(frozen=True, slots=True)
class Grpc:
    """A cluster that speaks gRPC, which is HTTP/2.

    ``answer`` is a GrpcReply, a Response (what is no gRPC), a Delay of one of these, a Failure, or a function
    of the GrpcCall that gives one of these, or None to wait for more. A function is asked after each message
    and at the end, once where both come together. A fixed reply comes when the filter has sent all of its
    messages; one without a status comes after each message, and the stream ends with status 0 when the filter
    ends it. Failures come at once.
    """

    answer: object

    def __post_init__(self) -> None:
        from .cluster import Delay, Failure

        if not isinstance(self.answer, GrpcReply | Response | Delay | Failure) and not callable(self.answer):
            raise RequestError(
                f"a gRPC cluster cannot answer by {type(self.answer).__name__}",
                do="pass GrpcReply(b'...'), a Response, a Delay, a Failure, or a function of the GrpcCall",
            )


Service: TypeAlias = Callable[[GrpcCall], object]


def frame(message: bytes) -> bytes:
    """A message as it goes over the wire: a zero, its length, its bytes."""
    return b"\0" + struct.pack(">I", len(message)) + message


def messages_in(data: bytes) -> tuple[bytes, ...]:
    """The messages of a body; what is cut off at the end is left out."""
    return tuple(_messages(data))


def _messages(data: bytes) -> Iterator[bytes]:
    at = 0
    while at + 5 <= len(data):
        (size,) = struct.unpack_from(">I", data, at + 1)
        if at + 5 + size > len(data):
            return
        yield data[at + 5 : at + 5 + size]
        at += 5 + size


def _percent_encoded(text: str) -> str:
    plain = (chr(byte) if 0x20 <= byte < 0x7F and byte != 0x25 else f"%{byte:02X}" for byte in text.encode())
    return "".join(plain)
