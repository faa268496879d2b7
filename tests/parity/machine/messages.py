"""Random requests and responses."""

from __future__ import annotations

from .draw import Draw
from .model import Message
from .words import BODIES, NAMES, VALUES

__all__ = ["Messages"]


class Messages(Draw):
    """Makes messages."""

    def headers(self, most: int, extra: tuple[str, ...] = ()) -> tuple[tuple[str, str], ...]:
        pairs = []
        for _ in range(self.random.randint(0, most)):
            name = self.pick(*NAMES, *extra).lower()
            if name not in ("date", "server"):
                pairs.append((name, self.value() or "x"))
        if pairs and self.chance(0.3):
            pairs.append((self.pick(*pairs)[0], self.value() or "y"))
        first = next((pair for pair in pairs if pair[0] == "x-request-id"), None)
        pairs = [pair for pair in pairs if pair[0] != "x-request-id" or pair is first]
        return tuple(pairs)

    def value(self) -> str:
        return self.pick(*VALUES)

    def body(self) -> tuple[str, tuple[int, ...]]:
        body = self.pick(*BODIES)
        size = int(body[1:]) if body.startswith("!") else len(body)
        chunks = []
        if size > 1 and self.chance(0.5):
            times = self.random.randint(1, 3)
            chunks = [self.random.randint(1, max(1, size // 2)) for _ in range(times)]
        return body, tuple(chunks)

    def trailers(self) -> tuple[tuple[str, str], ...]:
        if not self.chance(0.25):
            return ()
        names = ("x-t", "x-t", "grpc-status", "grpc-message", "x-u")
        return tuple((self.pick(*names), self.value()) for _ in range(self.random.randint(1, 3)))

    def metadata(self) -> tuple[tuple[tuple[str, str], ...], ...]:
        """METADATA frames; a name that comes twice in one counts once."""
        names = ("rtt", "rtt", "x-m", "n")
        return tuple(
            tuple(
                (self.pick(*names), self.pick("1", "", "v" * 200)) for _ in range(self.random.randint(1, 3))
            )
            for _ in range(self.pick(1, 1, 2, 3))
        )

    def request(self) -> Message:
        method = self.pick(
            "GET",
            "GET",
            "POST",
            "POST",
            "PUT",
            "DELETE",
            "HEAD",
            "OPTIONS",
            "PATCH",
            "BREW" if self.chance(0.2) else "TRACE",
        )
        paths = ("/", "/a", "/a/b?c=d", "/?", "/a?b?c", "/%20x", "//a//b", "/" + "p" * 200)
        start = (
            method,
            self.pick(*paths),
            self.pick("localhost", "example.com:8080", "a"),
            self.pick("http", "http", "https"),
        )
        headers = self.headers(6)
        if self.chance(0.1):
            headers += (
                (
                    "content-type",
                    self.pick("application/grpc", "application/grpc+proto", "application/grpcx"),
                ),
            )
        body, chunks, trailers = "", (), ()
        if method not in ("HEAD", "GET") or self.chance(0.1):
            body, chunks = self.body()
            trailers = self.trailers()
        if not trailers and body and self.chance(0.2):
            headers += (("content-length", str(len(body) if body[0] != "!" else int(body[1:]))),)
        return Message(start, headers, body, chunks, trailers)

    def response(self) -> Message:
        status = self.pick("200", "200", "200", "201", "204", "302", "304", "404", "500", "503", "599")
        headers = self.headers(5)
        body, chunks = self.body()
        trailers = self.trailers()
        if not trailers and body and self.chance(0.2) and status not in ("204", "304"):
            headers += (("content-length", str(len(body) if body[0] != "!" else int(body[1:]))),)
        return Message((status,), headers, body, chunks, trailers)
