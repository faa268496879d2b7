"""The upstream behind Envoy: a real HTTP/1.1 server on loopback that lets an ``Upstream`` answer."""

from __future__ import annotations

import contextlib
import socket
import threading
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import RequestError
from ..http import Headers, Request, Response
from ..proxy.upstream import Upstream
from .config import HOST
from .wire import MAX_HEAD, Incoming, framing, lines, segments, unsendable

if TYPE_CHECKING:
    import h11

__all__ = ["UpstreamServer", "Visit", "read_request", "segments_of"]

BODILESS = {204, 304}


@dataclass
class Visit:
    """What the upstream saw and gave during one exchange, and what went wrong inside it."""

    upstream: Upstream
    request: Request | None = None
    response: Response | None = None
    error: BaseException | None = None


class UpstreamServer:
    """Answers each request by a fixed response or a function; ``pace`` is called between two data frames.

    Connections are kept open and served by a thread each.
    """

    def __init__(self, upstream: Upstream, pace: Callable[[], object] = lambda: None) -> None:
        self.upstream = upstream
        self.pace = pace
        self._visit: Visit | None = None
        self._threads: set[int] = set()
        self._socket = socket.create_server((HOST, 0), backlog=256)
        self.port: int = self._socket.getsockname()[1]
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._close = weakref.finalize(self, _close, self._socket, self._open, self._lock)
        threading.Thread(
            target=_accept, args=(self._socket, weakref.ref(self)), name="wasmhub-upstream", daemon=True
        ).start()

    @contextlib.contextmanager
    def visit(self, upstream: Upstream | None = None) -> Iterator[Visit]:
        """Record the one request that comes while the block runs, and let this upstream answer it."""
        visit = self._visit = Visit(self.upstream if upstream is None else upstream)
        try:
            yield visit
        finally:
            self._visit = None

    @property
    def answering(self) -> bool:
        """Whether the calling thread is inside an upstream function."""
        return threading.get_ident() in self._threads

    def close(self) -> None:
        """Stop serving; a second call does nothing."""
        self._close()

    def _serve(self, sock: socket.socket) -> None:
        import h11

        with self._lock:
            self._open.add(sock)
        try:
            with sock:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD)
                while self._exchange(sock, connection):
                    connection.start_next_cycle()
        except (OSError, h11.RemoteProtocolError):
            pass  # Envoy went away in the middle, as it does when a filter or a client resets the stream
        finally:
            with self._lock:
                self._open.discard(sock)

    def _answer(self, upstream: Upstream, request: Request) -> Response:
        me = threading.get_ident()
        self._threads.add(me)
        try:
            return _answer(upstream, request)
        finally:
            self._threads.discard(me)

    def _exchange(self, sock: socket.socket, connection: h11.Connection) -> bool:
        """Answer one request; false where the connection cannot take another."""
        import h11

        request = read_request(sock, connection)
        if request is None:
            return False
        visit = self._visit or Visit(self.upstream)
        visit.request = request
        try:
            visit.response = response = self._answer(visit.upstream, request)
            for number, piece in enumerate(segments_of(connection, response, request)):
                if number:
                    self.pace()
                sock.sendall(piece)
        except OSError:
            raise
        except BaseException as error:  # it belongs to the caller of send, in another thread
            visit.error = error
            return False
        return connection.our_state is h11.DONE and connection.their_state is h11.DONE


def _accept(listener: socket.socket, owner: weakref.ref[UpstreamServer]) -> None:
    while True:
        try:
            sock, _ = listener.accept()
        except OSError:
            return
        server = owner()
        if server is None:
            sock.close()
            return
        threading.Thread(target=server._serve, args=(sock,), name="wasmhub-upstream", daemon=True).start()
        del server


def _close(listener: socket.socket, connections: set[socket.socket], lock: threading.Lock) -> None:
    with lock:
        for sock in (listener, *connections):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
    listener.close()


def segments_of(connection: h11.Connection, response: Response, request: Request) -> Iterator[bytes]:
    """The bytes of a response, cut where its frames end."""
    return segments(connection, _head(response, request), _shown(response, request))


def read_request(sock: socket.socket, connection: h11.Connection) -> Request | None:
    """The next request of a connection; None where it has ended."""
    import h11

    incoming: Incoming | None = None
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(sock.recv(1 << 18))
        elif isinstance(event, h11.Request):
            incoming = Incoming(event)
        elif isinstance(event, h11.Data) and incoming is not None:
            incoming.data(event)
        elif isinstance(event, h11.EndOfMessage) and incoming is not None:
            incoming.end(event)
            return incoming.request()
        else:
            return None


def _answer(upstream: Upstream, request: Request) -> Response:
    response = upstream(request) if callable(upstream) else upstream
    if not isinstance(response, Response):
        raise RequestError(
            f"the upstream gave {type(response).__name__}, not a Response",
            do="return wasmhub_magics.Response(200, body=...)",
        )
    return response


def _head(response: Response, request: Request) -> h11.Response:
    import h11

    headers = lines(response.headers.encode())
    if not _bodiless(response, request):
        headers += framing(response)
    try:
        return h11.Response(status_code=response.status, headers=headers)
    except (h11.LocalProtocolError, UnicodeEncodeError) as error:
        raise unsendable(response, error) from None


def _shown(response: Response, request: Request) -> Response:
    """The response without what may not be sent: no body follows HEAD, 204 and 304."""
    return response.replace(body=b"", trailers=Headers()) if _bodiless(response, request) else response


def _bodiless(response: Response, request: Request) -> bool:
    return request.method == "HEAD" or response.status in BODILESS
