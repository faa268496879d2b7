"""One HTTP exchange of a served store: reading what is sent, and answering as registries do."""

from __future__ import annotations

import http.server
import json
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from .reference import is_loopback

__all__ = ["Answer", "Exchange"]

PIECE = 1 << 18
LINGER_SECONDS = 2.0
_LINE = 1 << 12


class Answer(Exception):
    """A refusal: its status, the code of the distribution specification, and a sentence."""

    def __init__(self, status: int, code: str, message: str, **headers: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.headers = status, code, message, headers


class Exchange(http.server.BaseHTTPRequestHandler):
    """The part of a handler that knows nothing of images."""

    protocol_version = "HTTP/1.1"
    server_version = "wasmhub"
    sys_version = ""
    timeout = 60
    wbufsize = -1

    def log_message(self, *words: Any) -> None:
        """Nothing: who serves says what he wants to say."""

    def guard(self) -> None:
        """Refuse a page of the web that reaches this server under a name of its own."""
        host = self.headers.get("Host", "")
        if host and not is_loopback(host):
            raise Answer(403, "DENIED", f"this registry serves this machine only, not {host}")

    def pieces(self) -> Iterator[bytes]:
        """The body as it arrives. Raises ConnectionError where it breaks off."""
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            yield from self._chunks()
        else:
            yield from self._exactly(self.length())

    def length(self) -> int:
        """The length that the body claims."""
        text = self.headers.get("Content-Length") or "0"
        if not text.isdecimal():
            self.close_connection = True
            raise Answer(400, "UNSUPPORTED", "the length of the body is no number")
        return int(text)

    def body(self, limit: int) -> bytes:
        """The whole body."""
        data = bytearray()
        for piece in self.pieces():
            data += piece
            if len(data) > limit:
                self.close_connection = True
                raise Answer(413, "SIZE_INVALID", f"the body has more than {limit:,} bytes")
        return bytes(data)

    def send(
        self, status: int, body: bytes = b"", kind: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        """Answer with bytes."""
        self.send_response(status)
        if kind:
            self.send_header("Content-Type", kind)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def send_json(self, value: object, kind: str = "application/json", **headers: str) -> None:
        """Answer with a JSON value."""
        self.send(200, json.dumps(value).encode(), kind, headers)

    def send_file(self, path: Path, kind: str, headers: Mapping[str, str]) -> None:
        """Answer with a file, or with the part of it that a Range header names."""
        with path.open("rb") as file:
            size = path.stat().st_size
            first, last = _range(self.headers.get("Range", ""), size)
            partial = (first, last) != (0, size - 1)
            self.send_response(206 if partial else 200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(last - first + 1))
            self.send_header("Accept-Ranges", "bytes")
            if partial:
                self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.flush()
            if self.command != "HEAD" and last >= first:
                self.connection.sendfile(file, first, last - first + 1)

    def refuse(self, answer: Answer) -> None:
        """Answer with an error."""
        if self.command not in ("GET", "HEAD", "DELETE"):
            self.close_connection = True  # the body was perhaps not read
        value = {"errors": [{"code": answer.code, "message": answer.message}]}
        headers = {name.replace("_", "-"): text for name, text in answer.headers.items()}
        headers |= {"Connection": "close"} if self.close_connection else {}
        self.send(answer.status, json.dumps(value).encode(), "application/json", headers)
        if self.close_connection:
            self._linger()

    def _linger(self) -> None:
        """Let the client send what it is sending: one that is cut off never reads why."""
        with suppress(OSError):
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_WR)
            self.connection.settimeout(LINGER_SECONDS)
            until = time.monotonic() + self.timeout
            while self.connection.recv(PIECE) and time.monotonic() < until:
                pass

    def _chunks(self) -> Iterator[bytes]:
        while True:
            line = self.rfile.readline(_LINE)
            try:
                size = int(line.split(b";")[0], 16)
            except ValueError:
                raise ConnectionError("the body broke off") from None
            if not size:
                while self.rfile.readline(_LINE) not in (b"\r\n", b"\n", b""):
                    pass
                return
            yield from self._exactly(size)
            self.rfile.readline(_LINE)

    def _exactly(self, count: int) -> Iterator[bytes]:
        while count:
            piece = self.rfile.read(min(PIECE, count))
            if not piece:
                raise ConnectionError("the body broke off")
            count -= len(piece)
            yield piece


def _range(text: str, size: int) -> tuple[int, int]:
    """The first and the last byte that are wanted."""
    unit, _, rest = text.partition("=")
    start, dash, end = rest.partition("-")
    if unit.strip() != "bytes" or not dash or "," in rest or not (start + end).isdecimal():
        return 0, size - 1
    first = int(start) if start else max(size - int(end), 0)
    last = min(int(end), size - 1) if start and end else size - 1
    if first > last:
        raise Answer(416, "RANGE_INVALID", "that part is not there", Content_Range=f"bytes */{size}")
    return first, last
