"""The client's side of HTTP/2: one request in one stream of a connection of its own."""

from __future__ import annotations

from collections.abc import Iterator

from ..errors import RequestError
from ..http import Headers, Request, Response
from .client import Talk
from .metadata import metadata_frames, metadata_in
from .wire import HOP_BY_HOP

__all__ = ["Talk2"]

STREAM = 1


class Talk2(Talk):
    """A connection that speaks HTTP/2 from its first byte. Raises RequestError where that cannot carry it."""

    def __init__(self, request: Request) -> None:
        from h2.config import H2Configuration
        from h2.connection import H2Connection

        super().__init__()
        self.request = request
        # What a filter makes of a response need not be one that a strict client takes.
        self.connection = H2Connection(
            H2Configuration(
                validate_inbound_headers=False,
                normalize_inbound_headers=False,
                validate_outbound_headers=False,
                normalize_outbound_headers=False,
            )
        )
        self._headers: list[tuple[bytes, bytes]] = []
        self._trailers: list[tuple[bytes, bytes]] = []
        self._body: list[bytes] = []
        self._metadata: list[Headers] = []
        self._head = _head(request)

    def pieces(self) -> Iterator[bytes]:
        """What to send: headers and first frame together, as HTTP/1.1 sends them."""
        connection, request = self.connection, self.request
        connection.initiate_connection()
        frames = request.frames
        bare = not frames and not request.trailers and not request.metadata
        connection.send_headers(STREAM, self._head, end_stream=bare)
        first = connection.data_to_send() + metadata_frames(STREAM, request.metadata)
        for number, frame in enumerate(frames):
            last = number == len(frames) - 1
            if number:
                yield first + connection.data_to_send()
                first = b""
            self._data(frame, end=last and not request.trailers)
        if request.trailers and not self.done:
            connection.send_headers(STREAM, request.trailers.encode(), end_stream=True)
        elif request.metadata and not frames:
            connection.send_data(STREAM, b"", end_stream=True)
        yield first + connection.data_to_send()

    def received(self, data: bytes) -> None:
        """Take what came."""
        from h2 import events
        from h2.exceptions import ProtocolError

        if not data:
            raise ConnectionResetError
        try:
            for event in self.connection.receive_data(data):
                match event:
                    case events.ResponseReceived():
                        self._headers = _bytes(event.headers)
                    case events.DataReceived():
                        self._body.append(event.data)
                        self.connection.acknowledge_received_data(event.flow_controlled_length, STREAM)
                    case events.UnknownFrameReceived() if (found := metadata_in(event)) is not None:
                        self._metadata.append(found)
                    case events.TrailersReceived():
                        self._trailers = _bytes(event.headers)
                    case events.StreamEnded():
                        self.done = True
                    case events.StreamReset() | events.ConnectionTerminated() if not self.done:
                        raise ConnectionResetError
        except ProtocolError as error:
            raise RequestError(f"the answer is no HTTP/2 response: {error}") from None
        if not self.done:
            self.sock.sendall(self.connection.data_to_send())

    def result(self) -> Response:
        """The response."""
        status = next((value for name, value in self._headers if name == b":status"), b"0")
        pairs = [
            (name, value)
            for name, value in self._headers
            if not name.startswith(b":") and name.decode("latin-1") not in HOP_BY_HOP
        ]
        sizes = tuple(len(frame) for frame in self._body if frame)
        return Response(
            int(status),
            Headers.decode(pairs),
            b"".join(self._body),
            trailers=Headers.decode(self._trailers),
            chunks=sizes if len(sizes) > 1 else (),
            metadata=self._metadata,
        )

    def _data(self, frame: bytes, *, end: bool) -> None:
        """Make a data frame; what the proxy has no room for waits for some."""
        import select

        connection = self.connection
        while not self.done:
            room = min(connection.local_flow_control_window(STREAM), connection.max_outbound_frame_size)
            if len(frame) <= room:
                connection.send_data(STREAM, frame, end_stream=end)
                return
            if room:
                connection.send_data(STREAM, frame[:room])
                frame = frame[room:]
            self.sock.setblocking(True)
            self.sock.sendall(connection.data_to_send())
            self.sock.setblocking(False)
            if not room:
                self._wait(select.POLLIN)
                self._receive()


def _head(request: Request) -> list[tuple[bytes, bytes]]:
    barred = {name for name in request.headers if name in HOP_BY_HOP or name == "upgrade"}
    if barred:
        raise RequestError(
            f"HTTP/2 has no header {sorted(barred)[0]}",
            where=repr(request),
            do="leave it out, or send over HTTP/1.1",
        )
    head = [
        (b":method", request.method.encode()),
        (b":path", request.path.encode("utf-8", "surrogateescape")),
        (b":scheme", request.scheme.encode()),
        (b":authority", request.authority.encode("utf-8", "surrogateescape")),
        *((name, value.strip(b" \t")) for name, value in request.headers.encode()),
    ]
    if request.scheme != "http" and "x-forwarded-proto" not in request.headers:
        head.append((b"x-forwarded-proto", request.scheme.encode()))  # as a proxy that ends TLS tells it
    return head


def _bytes(pairs: object) -> list[tuple[bytes, bytes]]:
    assert isinstance(pairs, list)
    return [
        (n if isinstance(n, bytes) else n.encode(), v if isinstance(v, bytes) else v.encode())
        for n, v in pairs
    ]
