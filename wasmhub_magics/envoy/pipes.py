"""The pipes of an Envoy process: its log on standard error, its access log on standard output."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import selectors
import subprocess
import threading
import time
from collections import deque
from typing import IO, Any

from .log import EnvoyLog

__all__ = ["Pipes"]

JOIN_SECONDS = 1.0


class Pipes:
    """What Envoy writes: its log on standard error, its access log on standard output."""

    def __init__(self) -> None:
        self.log = EnvoyLog()
        self._lock = threading.Lock()
        self._lines: deque[bytes] = deque(maxlen=1000)
        self._rest = b""
        self._open: dict[int, IO[bytes]] = {}
        self._news = threading.Condition()
        self._reader: threading.Thread | None = None

    def open(self, child: subprocess.Popen[bytes]) -> None:
        """Read what a process writes, in the background."""
        for pipe in (child.stdout, child.stderr):
            assert pipe is not None
            os.set_blocking(pipe.fileno(), False)
            with contextlib.suppress(OSError, AttributeError):  # a favour that not every kernel grants
                fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, 1 << 20)
            self._open[pipe.fileno()] = pipe
        assert child.stdout is not None
        self._access = child.stdout.fileno()
        self._reader = threading.Thread(target=self._read, name="wasmhub-envoy-log", daemon=True)
        self._reader.start()

    def close(self) -> None:
        """Wait for the last words of a process that has ended."""
        if self._reader is not None:
            self._reader.join(JOIN_SECONDS)

    def drain(self) -> None:
        """Read all that is there."""
        with self._lock:
            for number in list(self._open):
                self._take(number)

    def access_line(self, port: int, deadline: float) -> dict[str, Any]:
        """The line of the connection from that port, which is then forgotten; empty where none comes."""
        with self._news:
            while True:
                for line in self._lines:
                    told: dict[str, Any] = json.loads(line)
                    if told.get("port") in (port, str(port)):
                        self._lines.remove(line)
                        return told
                left = deadline - time.monotonic()
                if left <= 0:
                    return {}
                self._news.wait(left)

    def recent(self, last: int) -> list[dict[str, Any]]:
        """The last lines of the access log."""
        with self._news:
            lines = list(self._lines)[-last:] if last > 0 else []
        return [json.loads(line) for line in lines]

    def _read(self) -> None:
        with selectors.DefaultSelector() as selector:
            for number in self._open:
                selector.register(number, selectors.EVENT_READ)
            while selector.get_map():
                for key, _ in selector.select():
                    with self._lock:
                        ended = self._take(key.fd)
                    if ended:
                        selector.unregister(key.fd)
                        with self._lock:
                            self._open.pop(key.fd).close()

    def _take(self, number: int) -> bool:
        """Read what is there; true at the end of the pipe."""
        while True:
            try:
                data = os.read(number, 1 << 18)
            except BlockingIOError:
                return False
            if not data:
                return True
            if number == self._access:
                self._feed(data)
            else:
                self.log.feed(data)

    def _feed(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        with self._news:
            self._lines.extend(line for line in lines if line.startswith(b"{"))
            self._news.notify_all()
