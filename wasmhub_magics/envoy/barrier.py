"""A barrier: know that Envoy's one worker has done all it had to do, without waiting a fixed time."""

from __future__ import annotations

import socket
import threading

from .config import HOST

__all__ = ["Barrier"]

QUESTION = b"GET / HTTP/1.1\r\nhost: barrier\r\n\r\n"


class Barrier:
    """Asks a listener without filters on the same worker.

    What reached the worker before the question is done when the answer comes, because one thread does both in
    the order of arrival.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None

    def wait(self, timeout: float) -> bool:
        """Wait for the worker; false where it does not answer in time, as in an endless loop."""
        with self._lock:
            for _ in range(2):  # a connection kept from before may have been closed by Envoy
                fresh = self._socket is None
                try:
                    if self._ask(timeout):
                        return True
                except TimeoutError:
                    self.close()
                    return False
                except OSError:
                    pass
                self.close()
                if fresh:
                    return False
            return False

    def close(self) -> None:
        """Close the connection it keeps."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _ask(self, timeout: float) -> bool:
        if self._socket is None:
            self._socket = socket.create_connection((HOST, self._port), timeout=timeout)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.settimeout(timeout)
        self._socket.sendall(QUESTION)
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):
            data = self._socket.recv(4096)
            if not data:
                return False
            answer += data
        return True
