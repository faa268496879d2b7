"""A port inside a pod, by the API server's port-forward: the loopback of its proxy, too.

The API server passes a WebSocket on to the kubelet (subprotocol ``v4.channel.k8s.io``): the first byte of a
message is its channel, 0 for data and 1 for an error; the first message on each names the port.

The client's own session reads in a thread of its own while it writes, which Python before 3.13 cannot do on
one TLS connection without a race; here one thread writes, then reads.
"""

from __future__ import annotations

import base64
import http.client
import io
import secrets
from typing import Any

__all__ = ["PortClosed", "answer", "upgrade"]

PROTOCOL = "v4.channel.k8s.io"
DATA, ERROR = 0, 1
SECONDS = 10.0
BYTES = 65536


class PortClosed(Exception):
    """The other end gives no answer, with the reason that it told."""


def upgrade() -> dict[str, str]:
    """The headers that ask for such a WebSocket."""
    return {
        "connection": "Upgrade",
        "upgrade": "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": base64.b64encode(secrets.token_bytes(16)).decode(),
        "sec-websocket-protocol": PROTOCOL,
    }


def answer(stream: Any, method: str, path: str) -> tuple[int, bytes]:
    """Status and body of an HTTP request through the connection that was upgraded.

    ``stream`` has ``read(max_bytes, timeout)`` and ``write(data, timeout)``. Raises PortClosed where the pod
    does not answer.
    """
    import httpcore2

    head = f"{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
    port = _Port(stream)
    try:
        port.send(head.encode("ascii"))
        response = http.client.HTTPResponse(port, method=method)  # type: ignore[arg-type]
        response.begin()
        return response.status, response.read()
    except (http.client.HTTPException, httpcore2.NetworkError, httpcore2.TimeoutException) as error:
        raise PortClosed(f"{type(error).__name__} {error}".strip()) from None


class _Port(io.RawIOBase):
    """What comes through a forwarded port, as a file."""

    def __init__(self, stream: Any) -> None:
        from wsproto import ConnectionType
        from wsproto.connection import Connection

        self._stream, self._socket = stream, Connection(ConnectionType.CLIENT)
        self._rest = self._partial = b""
        self._named: set[int] = set()

    def send(self, data: bytes) -> None:
        from wsproto.events import BytesMessage

        self._stream.write(self._socket.send(BytesMessage(bytes([DATA]) + data)), timeout=SECONDS)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            self._socket.receive_data(self._stream.read(BYTES, timeout=SECONDS) or None)
            for event in self._socket.events():
                self._take(event)
        taken = self._rest[: len(buffer)]
        buffer[: len(taken)] = taken
        self._rest = self._rest[len(taken) :]
        return len(taken)

    def _take(self, event: Any) -> None:
        from wsproto.events import BytesMessage, CloseConnection

        if isinstance(event, CloseConnection) and not self._rest:
            raise PortClosed(event.reason or "it closed the connection")
        if not isinstance(event, BytesMessage):
            return
        self._partial += event.data
        if not event.message_finished:
            return
        channel, said, self._partial = self._partial[0], self._partial[1:], b""
        if channel not in self._named:
            self._named.add(channel)
        elif channel == ERROR:
            raise PortClosed(said.decode("utf-8", "replace").strip())
        else:
            self._rest += said

    def makefile(self, _mode: str) -> io.BufferedReader:
        """Itself, as ``http.client`` asks a socket for it."""
        return io.BufferedReader(self)
