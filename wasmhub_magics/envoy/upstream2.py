"""The upstream behind Envoy where it speaks HTTP/2: one stream after another, answered by an ``Upstream``."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..http import Headers, Request, Response, cut_frames
from .metadata import metadata_frames, metadata_in
from .upstream import UpstreamServer, shown
from .wire import HOP_BY_HOP

if TYPE_CHECKING:
    from h2.connection import H2Connection

__all__ = ["UpstreamServer2", "request_of"]


@dataclass
class _Stream:
    """A request on its way in."""

    headers: list[tuple[bytes, bytes]]
    body: list[bytes] = field(default_factory=list)
    trailers: list[tuple[bytes, bytes]] = field(default_factory=list)
    metadata: list[Headers] = field(default_factory=list)
    ended: bool = False

    def request(self) -> Request:
        """It as a request."""
        request = request_of(self.headers)
        sizes = tuple(len(frame) for frame in self.body if frame)
        parts = {
            "body": b"".join(self.body),
            "trailers": Headers.decode(self.trailers),
            "chunks": sizes if len(sizes) > 1 else (),
            "metadata": tuple(self.metadata),
        }
        for name, value in parts.items():
            object.__setattr__(request, name, value)
        return request


class _Connection:
    """One connection of Envoy, read by the thread that serves it."""

    def __init__(self, sock: socket.socket) -> None:
        from h2.config import H2Configuration
        from h2.connection import H2Connection

        self.sock = sock
        # What a filter makes of a request need not be what HTTP/2 allows; the upstream shall see it.
        settings = H2Configuration(
            client_side=False,
            header_encoding=None,
            validate_inbound_headers=False,
            normalize_inbound_headers=False,
            validate_outbound_headers=False,
            normalize_outbound_headers=False,
        )
        self.h2: H2Connection = H2Connection(settings)
        self.ready = b""
        self.streams: dict[int, _Stream] = {}
        self.h2.initiate_connection()
        self.flush()

    def flush(self) -> None:
        """Send what is to be sent."""
        data, self.ready = self.ready + self.h2.data_to_send(), b""
        if data:
            self.sock.sendall(data)

    def receive(self) -> None:
        """Take what comes. Raises ConnectionResetError where nothing comes any more."""
        data = self.sock.recv(1 << 18)
        if not data:
            raise ConnectionResetError
        for event in self.h2.receive_data(data):
            self._handle(event)
        self.flush()

    def next(self) -> tuple[int, Request]:
        """The next request that is whole, and its stream. Raises ConnectionResetError at the end."""
        while True:
            for number, stream in self.streams.items():
                if stream.ended:
                    return number, stream.request()
            self.receive()

    def give(self, number: int, response: Response) -> Iterator[None]:
        """Send a response; it pauses where a data frame ends."""
        frames = cut_frames(response)
        bare = not frames and not response.trailers and not response.metadata
        head = [(name, value.strip(b" \t")) for name, value in response.headers.encode()]
        head = [pair for pair in head if pair[0].decode("latin-1") not in HOP_BY_HOP]
        self.h2.send_headers(number, [(b":status", str(response.status).encode()), *head], end_stream=bare)
        if response.metadata:
            self.ready += self.h2.data_to_send() + metadata_frames(number, response.metadata)
        for place, frame in enumerate(frames):
            if place:
                self.flush()
                yield
            yield from self._data(number, frame, end=place == len(frames) - 1 and not response.trailers)
        if number not in self.streams:
            return
        if response.trailers:
            self.h2.send_headers(number, response.trailers.encode(), end_stream=True)
        elif response.metadata and not frames:
            self.h2.send_data(number, b"", end_stream=True)
        self.flush()

    def _data(self, number: int, frame: bytes, *, end: bool) -> Iterator[None]:
        while number in self.streams:
            room = min(self.h2.local_flow_control_window(number), self.h2.max_outbound_frame_size)
            if len(frame) <= room:
                self.h2.send_data(number, frame, end_stream=end)
                return
            self.h2.send_data(number, frame[:room])
            frame = frame[room:]
            self.flush()
            if not room:
                self.receive()
        yield from ()

    def _handle(self, event: Any) -> None:
        from h2 import events

        number = getattr(event, "stream_id", None) or 0
        match event:
            case events.RequestReceived():
                self.streams[number] = _Stream(_bytes(event.headers))
            case events.DataReceived():
                if number in self.streams:
                    self.streams[number].body.append(event.data or b"")
                if event.flow_controlled_length:
                    self.h2.acknowledge_received_data(event.flow_controlled_length, number)
            case events.TrailersReceived() if number in self.streams:
                self.streams[number].trailers = _bytes(event.headers)
            case events.UnknownFrameReceived() if event.frame is not None:
                known = self.streams.get(event.frame.stream_id)
                if known is not None and (found := metadata_in(event)) is not None:
                    known.metadata.append(found)
            case events.StreamEnded() if number in self.streams:
                self.streams[number].ended = True
            case events.StreamReset():
                self.streams.pop(number, None)


class UpstreamServer2(UpstreamServer):
    """The same over HTTP/2; a stream that Envoy resets is forgotten."""

    def _connection(self, sock: socket.socket) -> Any:
        return _Connection(sock)

    def _exchange(self, sock: socket.socket, connection: Any) -> bool:  # noqa: ARG002
        """Answer one request; false where the connection cannot take another."""
        number, request = connection.next()
        visit = self._visited(request)
        try:
            visit.response = response = self._answer(visit.upstream, request)
            for _ in connection.give(number, shown(response, request)):
                self.pace()
        except OSError:
            raise
        except BaseException as error:  # it belongs to the caller of send, in another thread
            visit.error = error
            return False
        connection.streams.pop(number, None)
        return True


def request_of(pairs: list[tuple[bytes, bytes]]) -> Request:
    """The request that a head of HTTP/2 is, as it is: a filter may have made what no user may send."""
    known = dict(reversed([pair for pair in pairs if pair[0].startswith(b":")]))

    def part(name: bytes) -> str:
        return known.get(name, b"").decode("utf-8", "surrogateescape")

    headers = Headers.decode([(n, v) for n, v in pairs if not n.startswith(b":")])
    request = Request(authority=part(b":authority"), headers=headers)
    for name in ("method", "path", "scheme"):
        object.__setattr__(request, name, part(b":" + name.encode()))
    return request


def _bytes(pairs: Any) -> list[tuple[bytes, bytes]]:
    return [(bytes(name), bytes(value)) for name, value in pairs or ()]
