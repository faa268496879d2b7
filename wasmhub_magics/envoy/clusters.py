"""The clusters that filters call, as real servers on loopback."""

from __future__ import annotations

import socket
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..http import Response
from ..proxy.cluster import CallOut, Cluster, Delay, Failure, as_clusters, cluster_answer
from ..proxy.grpc import Grpc, GrpcReply
from ..proxy.grpc_session import GrpcSession
from .config import HOST
from .grpc import GrpcServer
from .upstream import UpstreamServer, once_more, read_request, segments_of

if TYPE_CHECKING:
    import h11

__all__ = ["Clusters"]


class Clusters:
    """Serves every cluster on a port of its own and keeps what it was asked and gave."""

    def __init__(self, clusters: Mapping[str, Cluster]) -> None:
        self._lock = threading.Lock()
        self._calls: list[CallOut | GrpcSession] = []
        self._errors: list[BaseException] = []
        self._servers: dict[str, _Server | _Refusing | GrpcServer] = {}
        self.http2: set[str] = set()
        """Those that speak HTTP/2."""
        try:
            for name, cluster in as_clusters(clusters).items():
                fixed = cluster.answer if isinstance(cluster, Grpc) else cluster
                if isinstance(cluster, Grpc):
                    self.http2.add(name)
                if isinstance(fixed, Failure) and fixed.kind == "refused":
                    self._servers[name] = _Refusing()
                elif isinstance(cluster, Grpc):
                    self._servers[name] = GrpcServer(name, cluster, self.keep, self.failed)
                else:
                    self._servers[name] = _Server(name, cluster, self)
        except BaseException:
            self.close()
            raise

    @property
    def ports(self) -> dict[str, int]:
        """Where each serves."""
        return {name: server.port for name, server in self._servers.items()}

    @property
    def answering(self) -> bool:
        """Whether the calling thread is inside a function that answers for a cluster."""
        return any(
            not isinstance(server, _Refusing) and server.answering for server in self._servers.values()
        )

    def take(self) -> tuple[CallOut, ...]:
        """The calls since the last look. Raises what a function raised that answers for a cluster."""
        with self._lock:
            calls = tuple(call.record() if isinstance(call, GrpcSession) else call for call in self._calls)
            errors = tuple(self._errors)
            self._calls.clear()
            self._errors.clear()
        if errors:
            raise errors[0]
        return calls

    def close(self) -> None:
        """Stop all; a second call does nothing."""
        for server in self._servers.values():
            server.close()

    def keep(self, call: CallOut | GrpcSession) -> None:
        """Note a call, or a gRPC call as it begins."""
        with self._lock:
            self._calls.append(call)

    def failed(self, error: BaseException) -> None:
        """Note that a function raised."""
        with self._lock:
            self._errors.append(error)


class _Refusing:
    """A port that belongs to us, and where nobody listens."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.bind((HOST, 0))
        self.port: int = self._socket.getsockname()[1]

    def close(self) -> None:
        """Give the port back."""
        self._socket.close()


class _Server(UpstreamServer):
    """Answers the calls to one cluster."""

    def __init__(self, name: str, cluster: Cluster, owner: Clusters) -> None:
        self.name, self.cluster, self.owner = name, cluster, owner
        self._ended = threading.Event()
        super().__init__(Response(500))  # never asked: the cluster answers

    def close(self) -> None:
        """Stop serving; a second call does nothing."""
        self._ended.set()
        super().close()

    def _exchange(self, sock: socket.socket, connection: h11.Connection) -> bool:
        request = read_request(sock, connection)
        if request is None:
            return False
        me = threading.get_ident()
        self._threads.add(me)
        try:
            answer = cluster_answer(self.name, self.cluster, request)
        except BaseException as error:  # it belongs to the caller of send, in another thread
            self.owner.failed(error)
            return False
        finally:
            self._threads.discard(me)
        self.owner.keep(CallOut(self.name, request, answer))
        if isinstance(answer, Failure):
            if answer.kind == "silent":
                self._ended.wait()
            elif answer.kind == "broken" and request.method != "HEAD":
                sock.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf")
            return False
        if isinstance(answer, Delay):
            if self._ended.wait(answer.seconds):
                return False
            late = answer.response
            answer = late.response() if isinstance(late, GrpcReply) else late
        for piece in segments_of(connection, answer, request):
            sock.sendall(piece)
        return once_more(connection)
