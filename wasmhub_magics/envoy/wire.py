"""HTTP/1.1 messages as h11 events: what the client and the upstream on either side of Envoy share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from ..errors import RequestError
from ..http import Headers, Request, Response

if TYPE_CHECKING:
    import h11

__all__ = ["HOP_BY_HOP", "Incoming", "segments"]

HOP_BY_HOP = {"transfer-encoding", "connection", "keep-alive", "proxy-connection"}
MAX_HEAD = 1 << 20


class Incoming:
    """A message on its way in: its head, its body chunk by chunk, its trailers."""

    def __init__(self, head: h11.Request | h11.Response) -> None:
        self.head = head
        self._frames: list[bytearray] = []
        self._chunked = any(name == b"transfer-encoding" for name, _ in head.headers)
        self._trailers: list[tuple[bytes, bytes]] = []

    def data(self, event: h11.Data) -> None:
        """Take a piece of the body; where the body is chunked, chunks are frames."""
        if event.chunk_start or not self._frames:
            self._frames.append(bytearray())
        self._frames[-1] += event.data

    def end(self, event: h11.EndOfMessage) -> None:
        """Take the end and the trailers."""
        self._trailers = list(event.headers)

    def request(self) -> Request:
        """It as a request; ``host`` is the authority."""
        import h11

        assert isinstance(self.head, h11.Request)
        headers = self._headers()
        return Request(
            self.head.method.decode("latin-1"),
            self.head.target.decode("utf-8", "surrogateescape"),
            headers,
            self._body(),
            trailers=Headers.decode(self._trailers),
            chunks=self._chunks(),
            authority=headers.get("host", ""),
        )

    def response(self) -> Response:
        """It as a response."""
        import h11

        assert isinstance(self.head, h11.Response)
        return Response(
            self.head.status_code,
            self._headers(),
            self._body(),
            trailers=Headers.decode(self._trailers),
            chunks=self._chunks(),
        )

    def _headers(self) -> Headers:
        return Headers.decode(
            (name, value) for name, value in self.head.headers if name.decode("latin-1") not in HOP_BY_HOP
        )

    def _body(self) -> bytes:
        return b"".join(self._frames)

    def _chunks(self) -> tuple[int, ...]:
        sizes = tuple(len(frame) for frame in self._frames if frame)
        return sizes if self._chunked and len(sizes) > 1 else ()


def segments(
    connection: h11.Connection, head: h11.Request | h11.Response, message: Request | Response
) -> Iterator[bytes]:
    """The bytes of a message, cut where a data frame ends; the first piece holds the head as well.

    Raises RequestError where HTTP/1.1 cannot carry the message.
    """
    import h11

    try:
        pending = connection.send(head) or b""
        for number, frame in enumerate(message.frames):
            if number:
                yield pending
                pending = b""
            pending += connection.send(h11.Data(data=frame)) or b""
        pending += connection.send(h11.EndOfMessage(headers=message.trailers.encode())) or b""
    except h11.LocalProtocolError as error:
        raise unsendable(message, error) from None
    yield pending


def framing(message: Request | Response) -> list[tuple[bytes, bytes]]:
    """The header that tells where a message ends, where its own headers do not say it.

    Bodies come in chunks, and an empty response has a length of 0. The embedded proxy shows filters the same.
    """
    if "content-length" in message.headers:
        return []
    if message.body or message.trailers:
        return [(b"transfer-encoding", b"chunked")]
    return [(b"content-length", b"0")] if isinstance(message, Response) else []


def lines(pairs: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Header lines that HTTP/1.1 can carry: framing is ours, blanks around a value mean nothing."""
    return [
        (name, value.strip(b" \t"))
        for name, value in pairs
        if name != b"transfer-encoding" and not name.startswith(b":")
    ]


def unsendable(message: Request | Response, error: Exception) -> RequestError:
    """The error for a message that HTTP/1.1 cannot carry."""
    return RequestError(
        f"the message cannot be sent over HTTP/1.1: {error}",
        where=repr(message),
        do="check content-length against the body, and the characters of the path and the headers",
    )
