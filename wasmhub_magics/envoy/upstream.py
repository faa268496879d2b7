"""The upstream behind Envoy: a real HTTP/1.1 server on loopback that lets an ``Upstream`` answer."""

from __future__ import annotations

import contextlib
import socket
import threading
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import RequestError
from ..http import Headers, Request, Response
from ..proxy.upstream import Upstream
from .config import HOST
from .wire import MAX_HEAD, Incoming, framing, lines, segments, unsendable

if TYPE_CHECKING:
    import h11

__all__ = ["UpstreamServer", "Visit", "once_more", "read_request", "segments_of", "shown"]

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

    def _connection(self, sock: socket.socket) -> Any:  # noqa: ARG002
        import h11

        return h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD)

    def _visited(self, request: Request) -> Visit:
        visit = self._visit or Visit(self.upstream)
        visit.request = request
        return visit

    def _serve(self, sock: socket.socket) -> None:
        import h11
        from h2.exceptions import ProtocolError

        with self._lock:
            self._open.add(sock)
        try:
            with sock:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection = self._connection(sock)
                while self._exchange(sock, connection):
                    pass
        except (OSError, ProtocolError, h11.RemoteProtocolError):
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

    def _write(self, sock: socket.socket, pieces: Iterator[bytes]) -> None:
        for number, piece in enumerate(pieces):
            if number:
                self.pace()
            sock.sendall(piece)

    def _exchange(self, sock: socket.socket, connection: h11.Connection) -> bool:
        """Answer one request; false where the connection cannot take another."""
        request = read_request(sock, connection)
        if request is None:
            return False
        visit = self._visited(request)
        try:
            visit.response = response = self._answer(visit.upstream, request)
            self._write(sock, segments_of(connection, response, request))
        except OSError:
            raise
        except BaseException as error:  # it belongs to the caller of send, in another thread
            visit.error = error
            return False
        return once_more(connection)


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


def once_more(connection: h11.Connection) -> bool:
    """Make a connection ready for its next request; false where it cannot take one."""
    import h11

    if connection.our_state is not h11.DONE or connection.their_state is not h11.DONE:
        return False
    connection.start_next_cycle()
    return True


def segments_of(connection: h11.Connection, response: Response, request: Request) -> Iterator[bytes]:
    """The bytes of a response, cut where its frames end."""
    return segments(connection, _head(response, request), shown(response, request))


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

    if response.metadata:
        raise RequestError("HTTP/1.1 carries no metadata", do='make the proxy with upstream_version="2"')

    headers = lines(response.headers.encode())
    if not _bodiless(response, request):
        headers += framing(response)
    try:
        return h11.Response(status_code=response.status, headers=headers)
    except (h11.LocalProtocolError, UnicodeEncodeError) as error:
        raise unsendable(response, error) from None


def shown(response: Response, request: Request) -> Response:
    """The response without what may not be sent: no body follows HEAD, 204 and 304."""
    return (
        response.replace(body=b"", trailers=Headers(), metadata=())
        if _bodiless(response, request)
        else response
    )


def _bodiless(response: Response, request: Request) -> bool:
    return request.method == "HEAD" or response.status in BODILESS
