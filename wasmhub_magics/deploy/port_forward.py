"""A port inside a pod, by the API server's port-forward: the loopback of its proxy, too.

The API server passes a WebSocket on to the kubelet (subprotocol ``v4.channel.k8s.io``): the first byte of a
message is its channel, 0 for data and 1 for an error; the first message on each names the port.
"""

from __future__ import annotations

import contextlib
import http.client
import io
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

__all__ = ["PROTOCOL", "PortClosed", "answer"]

PROTOCOL = "v4.channel.k8s.io"
DATA, ERROR = 0, 1
SECONDS = 10.0


class PortClosed(Exception):
    """The other end gives no answer, with the reason that it told."""


class _Stream(io.RawIOBase):
    """What comes through a forwarded port, as a file."""

    def __init__(self, session: Any) -> None:
        self._session, self._rest = session, b""
        self._named: set[int] = set()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            message = self._session.receive_bytes(timeout=SECONDS)
            channel, rest = message[0], message[1:]
            if channel not in self._named:
                self._named.add(channel)
            elif channel == ERROR:
                raise PortClosed(rest.decode("utf-8", "replace").strip())
            else:
                self._rest = rest
        taken = self._rest[: len(buffer)]
        buffer[: len(taken)] = taken
        self._rest = self._rest[len(taken) :]
        return len(taken)

    def makefile(self, _mode: str) -> io.BufferedReader:
        """Itself, as ``http.client`` asks a socket for it."""
        return io.BufferedReader(self)


def answer(connect: Callable[[], AbstractContextManager[Any]], method: str, path: str) -> tuple[int, bytes]:
    """Status and body of an HTTP request through the session that ``connect`` opens.

    Raises PortClosed where the pod does not answer; what the session itself raises passes.
    """
    from wsproto.utilities import LocalProtocolError

    head = f"{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
    with connect() as session:
        with contextlib.suppress(LocalProtocolError):  # it was closed at once: what came says why
            session.send_bytes(bytes([DATA]) + head.encode("ascii"))
        response = http.client.HTTPResponse(_Stream(session), method=method)  # type: ignore[arg-type]
        try:
            response.begin()
            return response.status, response.read()
        except http.client.HTTPException as error:
            raise PortClosed(f"{type(error).__name__} {error}") from None
