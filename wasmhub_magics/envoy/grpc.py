"""A gRPC cluster behind Envoy: a real HTTP/2 server on loopback."""

from __future__ import annotations

import contextlib
import socket
import threading
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..http import Headers, Response
from ..proxy.cluster import CallOut, Cluster, Failure
from ..proxy.grpc_session import GrpcSession, Part
from .config import HOST
from .upstream2 import request_of

if TYPE_CHECKING:
    from h2.connection import H2Connection

__all__ = ["GrpcServer"]


class GrpcServer:
    """Serves a gRPC cluster; ``keep`` gets each call as it begins, ``failed`` what its function raises."""

    def __init__(
        self,
        name: str,
        cluster: Cluster,
        keep: Callable[[CallOut | GrpcSession], None],
        failed: Callable[[BaseException], None],
    ) -> None:
        self.name, self.cluster, self.keep, self.failed = name, cluster, keep, failed
        self.threads: set[int] = set()
        self.ended = threading.Event()
        self._socket = socket.create_server((HOST, 0), backlog=256)
        self.port: int = self._socket.getsockname()[1]
        self.open: set[socket.socket] = set()
        self._close = weakref.finalize(self, _close, self._socket, self.open, self.ended)
        threading.Thread(
            target=_accept, args=(self._socket, weakref.ref(self)), name="wasmhub-grpc", daemon=True
        ).start()

    @property
    def answering(self) -> bool:
        """Whether the calling thread is inside the cluster's function."""
        return threading.get_ident() in self.threads

    def close(self) -> None:
        """Stop serving; a second call does nothing."""
        self._close()


class _Connection:
    """One connection of Envoy; a thread reads it, and answers that come later are written by timers."""

    def __init__(self, sock: socket.socket, server: GrpcServer) -> None:
        from h2.config import H2Configuration
        from h2.connection import H2Connection

        self.sock, self.server = sock, server
        self.lock = threading.RLock()
        # What a filter makes of a request need not be what HTTP/2 allows; the cluster shall see it.
        settings = H2Configuration(client_side=False, header_encoding=None, validate_inbound_headers=False)
        self.h2: H2Connection = H2Connection(settings)
        self.sessions: dict[int, GrpcSession] = {}
        self.partial: dict[int, bytes] = {}
        self.waiting: dict[int, list[tuple[bytes, bool, Headers | None]]] = {}
        self.handling = self.closed = False

    def serve(self) -> None:
        from h2.exceptions import ProtocolError

        with self.sock, contextlib.suppress(OSError, ProtocolError):
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.lock:
                self.h2.initiate_connection()
                self._flush()
            while data := self.sock.recv(1 << 18):
                with self.lock:
                    events = self.h2.receive_data(data)
                self.handling = True
                for event in _together(events):
                    self._handle(event)
                with self.lock:
                    self.handling = False
                    self._settle()
        self.server.open.discard(self.sock)

    def _handle(self, event: Any) -> None:
        from h2 import events

        if isinstance(event, events.RequestReceived):
            request = request_of(event.headers or [])
            session = self.sessions[event.stream_id] = GrpcSession(
                self.server.name, self.server.cluster, request
            )
            self.server.keep(session)
            self._feed(event.stream_id, b"", event.stream_ended is not None)
        elif isinstance(event, events.DataReceived):
            with self.lock:
                if event.flow_controlled_length:
                    self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            self._feed(event.stream_id, event.data or b"", event.stream_ended is not None)
        elif isinstance(event, events.StreamReset):
            if (gone := self.sessions.pop(event.stream_id or 0, None)) is not None:
                gone.over = True
            self.waiting.pop(event.stream_id or 0, None)
        elif isinstance(event, events.WindowUpdated | events.RemoteSettingsChanged):
            with self.lock:
                for number in list(self.waiting):
                    self._write(number)

    def _feed(self, number: int, data: bytes, ended: bool) -> None:
        from ..proxy.grpc import frame, messages_in

        session = self.sessions.get(number)
        if session is None:
            return
        whole = self.partial.pop(number, b"") + data
        messages = messages_in(whole)
        rest = whole[sum(len(frame(m)) for m in messages) :]
        if rest:
            self.partial[number] = rest
        me = threading.get_ident()
        self.server.threads.add(me)
        try:
            parts = session.feed(messages, ended)
        except BaseException as error:  # it belongs to the caller of send, in another thread
            self.server.failed(error)
            parts = [(0.0, Failure("closed"), False, True)]
        finally:
            self.server.threads.discard(me)
        for part in parts:
            seconds = part[0]
            if seconds:
                timer = threading.Timer(seconds, self._late, (number, part))
                timer.daemon = True
                timer.start()
            else:
                self._give(number, part)

    def _late(self, number: int, part: Part) -> None:
        from h2.exceptions import ProtocolError

        if not self.server.ended.is_set():
            with contextlib.suppress(OSError, ProtocolError):
                self._give(number, part)

    def _give(self, number: int, part: Part) -> None:
        from h2.errors import ErrorCodes

        _, what, first, ends = part
        with self.lock:
            if number not in self.sessions:
                return
            if isinstance(what, Failure):
                if what.kind == "silent":
                    return
                if what.kind == "broken":
                    if first:
                        self.h2.send_headers(number, [(b":status", b"200")])
                    self.h2.reset_stream(number, ErrorCodes.INTERNAL_ERROR)
                else:
                    self.closed = True
                if not self.handling:  # else once all that has come is recorded
                    self._settle()
                return
            self._respond(number, what, first, ends)
            self._flush()

    def _respond(self, number: int, response: Response, first: bool, ends: bool) -> None:
        frames = response.frames
        bare = ends and not frames and not response.trailers
        if first:
            head = [(b":status", str(response.status).encode()), *response.headers.encode()]
            self.h2.send_headers(number, head, end_stream=bare)
            if bare:
                return
        queue = self.waiting.setdefault(number, [])
        for place, piece in enumerate(frames):
            last = ends and not response.trailers and place == len(frames) - 1
            queue.append((piece, last, None))
        if ends and response.trailers:
            queue.append((b"", True, response.trailers))
        self._write(number)

    def _write(self, number: int) -> None:
        """Write what the peer's window has room for; the rest waits until it grows."""
        queue = self.waiting.get(number, [])
        while queue:
            data, last, trailers = queue.pop(0)
            if trailers is not None:
                self.h2.send_headers(number, trailers.encode(), end_stream=True)
                continue
            room = min(self.h2.local_flow_control_window(number), self.h2.max_outbound_frame_size)
            piece, rest = data[:room], data[room:]
            if piece or not data:
                self.h2.send_data(number, piece, end_stream=last and not rest)
            if rest:
                queue.insert(0, (rest, last, None))
                if not piece:
                    return

    def _settle(self) -> None:
        self._flush()
        if self.closed:
            self.sock.shutdown(socket.SHUT_RDWR)

    def _flush(self) -> None:
        data = self.h2.data_to_send()
        if data:
            self.sock.sendall(data)


def _together(events: list[Any]) -> list[Any]:
    """Events with each end in the last data that came in the same piece.

    Envoy puts an end into a frame of its own where its connection is open, and else into the frame before.
    """
    from h2.events import DataReceived

    last: dict[int, Any] = {}
    kept = []
    for event in events:
        if isinstance(event, DataReceived):
            before = last.get(event.stream_id or 0)
            if before is not None and not event.data and event.stream_ended is not None:
                before.stream_ended = event.stream_ended
                continue
            last[event.stream_id or 0] = event
        kept.append(event)
    return kept


def _accept(listener: socket.socket, owner: weakref.ref[GrpcServer]) -> None:
    while True:
        try:
            sock, _ = listener.accept()
        except OSError:
            return
        server = owner()
        if server is None:
            sock.close()
            return
        server.open.add(sock)
        threading.Thread(target=_Connection(sock, server).serve, name="wasmhub-grpc", daemon=True).start()
        del server


def _close(listener: socket.socket, connections: set[socket.socket], ended: threading.Event) -> None:
    ended.set()
    for sock in (listener, *connections):
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
    listener.close()
