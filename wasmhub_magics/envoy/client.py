"""The client before Envoy: one request on a connection of its own, sent frame by frame."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import time
from abc import abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import RequestError
from ..http import Request, Response
from ..proxy.exchange import Outcome
from .config import HOST
from .wire import MAX_HEAD, Incoming, framing, lines, segments, unsendable

if TYPE_CHECKING:
    import h11

__all__ = ["Answer", "Talk", "ask"]

LOOK_SECONDS = 0.003


@dataclass(frozen=True, slots=True)
class Answer:
    """What the client got; ``port`` is its own end of the connection, ``warning`` tells what was odd."""

    response: Response | None
    outcome: Outcome
    port: int
    nanoseconds: int
    warning: str = ""


def ask(
    port: int,
    request: Request,
    *,
    timeout: float,
    pace: Callable[[], object],
    idle: Callable[[], bool] | None = None,
) -> Answer:
    """Send a request and read the answer; ``pace`` is called between two data frames.

    No whole answer in ``timeout`` seconds is outcome ``paused``, a connection that ends early is ``reset``.
    ``idle`` tells, when nothing comes, whether nothing can come any more: then nobody waits. Raises
    RequestError where the version of HTTP cannot carry the request.
    """
    import h11

    talk: Talk
    if request.version == "2":
        from .client2 import Talk2

        talk = Talk2(request)
    else:
        talk = Talk1(request)
    start = time.perf_counter_ns()
    with socket.create_connection((HOST, port), timeout=timeout) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        own = sock.getsockname()[1]
        talk.open(sock, time.monotonic() + timeout, idle)
        response: Response | None = None
        outcome: Outcome = "complete"
        warning = ""
        try:
            for number, piece in enumerate(talk.pieces()):
                if number:
                    pace()
                talk.send(piece)
            response = talk.response()
        except TimeoutError:
            outcome = "paused"
            # Envoy does not read from a paused stream, so that only a reset tells it that the client is gone.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        except ConnectionError:
            outcome = "reset"
        except (h11.RemoteProtocolError, RequestError) as error:
            outcome, warning = "reset", f"the answer is no HTTP response: {error}"
        return Answer(response, outcome, own, time.perf_counter_ns() - start, warning)


class Talk:
    """One connection: it goes on reading while it sends, because an answer may come early."""

    def __init__(self) -> None:
        self.done = self.deaf = False
        self.poll = select.poll()

    def open(self, sock: socket.socket, deadline: float, idle: Callable[[], bool] | None) -> None:
        """Use a fresh connection."""
        self.sock, self.deadline, self.idle = sock, deadline, idle
        sock.setblocking(False)

    @abstractmethod
    def pieces(self) -> Iterator[bytes]:
        """What to send, cut where data frames end."""

    @abstractmethod
    def received(self, data: bytes) -> None:
        """Take what came, nothing at its end. Raises ConnectionResetError where that is too early."""

    @abstractmethod
    def result(self) -> Response:
        """The response, once it is whole."""

    def send(self, data: bytes) -> None:
        """Send a piece."""
        view = memoryview(data)
        while view and not self.done and not self.deaf:
            if self._wait(select.POLLIN | select.POLLOUT) & (select.POLLIN | select.POLLHUP | select.POLLERR):
                self._receive()
                continue
            with contextlib.suppress(BlockingIOError):
                try:
                    view = view[self.sock.send(view) :]
                except ConnectionError:
                    self.deaf = True  # it has stopped listening, but its answer may be on the way

    def response(self) -> Response:
        """Read until the response is whole."""
        while not self.done:
            self._wait(select.POLLIN)
            self._receive()
        return self.result()

    def _wait(self, events: int) -> int:
        self.poll.register(self.sock, events)
        while True:
            left = self.deadline - time.monotonic()
            quiet = self.idle is not None and events == select.POLLIN
            ready = self.poll.poll(max(0.0, min(left, LOOK_SECONDS) if quiet else left) * 1000)
            if ready:
                return ready[0][1]
            if left <= 0 or (self.idle is not None and self.idle() and not self.poll.poll(0)):
                raise TimeoutError

    def _receive(self) -> None:
        try:
            data = self.sock.recv(1 << 18)
        except BlockingIOError:
            return
        self.received(data)


class Talk1(Talk):
    """A connection that speaks HTTP/1.1. Raises RequestError where that cannot carry the request."""

    def __init__(self, request: Request) -> None:
        import h11

        super().__init__()
        self.connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD)
        self.incoming: Incoming | None = None
        self._pieces = list(segments(self.connection, _head(request), request))

    def pieces(self) -> Iterator[bytes]:
        """What to send."""
        return iter(self._pieces)

    def received(self, data: bytes) -> None:
        """Take what came."""
        import h11

        if not data and self.incoming is None:
            raise ConnectionResetError
        try:
            self.connection.receive_data(data)
            self._events()
        except h11.RemoteProtocolError:
            if not data:
                raise ConnectionResetError from None
            raise

    def result(self) -> Response:
        """The response."""
        assert self.incoming is not None
        return self.incoming.response()

    def _events(self) -> None:
        import h11

        while not self.done:
            event = self.connection.next_event()
            if isinstance(event, h11.Response):
                self.incoming = Incoming(event)
            elif isinstance(event, h11.Data) and self.incoming is not None:
                self.incoming.data(event)
            elif isinstance(event, h11.EndOfMessage) and self.incoming is not None:
                self.incoming.end(event)
                self.done = True
            elif isinstance(event, h11.ConnectionClosed):
                raise ConnectionResetError
            elif event is h11.NEED_DATA or event is h11.PAUSED:
                return


def _head(request: Request) -> h11.Request:
    import h11

    if request.trailers and "content-length" in request.headers:
        raise RequestError(
            "HTTP/1.1 carries trailers after a chunked body only",
            where=repr(request),
            do="leave content-length out of the headers",
        )
    headers = [(b"host", request.authority.encode("utf-8", "surrogateescape"))]
    headers += lines(request.headers.encode())
    if request.scheme != "http" and "x-forwarded-proto" not in request.headers:
        headers.append((b"x-forwarded-proto", request.scheme.encode()))  # what Envoy derives :scheme from
    headers += framing(request)
    try:
        return h11.Request(
            method=request.method.encode(),
            target=request.path.encode("utf-8", "surrogateescape"),
            headers=headers,
        )
    except (h11.LocalProtocolError, UnicodeEncodeError) as error:
        raise unsendable(request, error) from None
