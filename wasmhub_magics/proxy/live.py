"""A cluster that is a real server: call-outs go over the network."""

from __future__ import annotations

import http.client
from dataclasses import dataclass
from typing import ClassVar, Literal
from urllib.parse import urlsplit

from ..errors import RequestError
from ..http import Headers, Request, Response

__all__ = ["Live"]


@dataclass(frozen=True, slots=True)
class Live:
    """The server at ``http://HOST:PORT`` (or https), which really gets the calls of filters.

    A path in the address is ignored: the filter says which one it wants. Raises RequestError where the
    address cannot be read.
    """

    url: str
    PATIENCE: ClassVar = 30.0
    """Seconds to wait for an answer to a call that has no timeout of its own."""

    def __post_init__(self) -> None:
        try:
            parts = urlsplit(self.url)
            ok = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
        except ValueError:
            ok = False
        if not ok:
            raise RequestError(f"{self.url!r} is no address of a server", do="write http://HOST:PORT")

    def ask(self, request: Request, timeout: float) -> Response | Literal["refused", "closed", "silent"]:
        """Its answer, or how it failed."""
        parts = urlsplit(self.url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        connection = kind(parts.hostname or "", parts.port, timeout=timeout)
        try:
            try:
                connection.connect()
            except TimeoutError:
                return "silent"
            except OSError:
                return "refused"
            connection.putrequest(request.method, request.path, skip_host=True, skip_accept_encoding=True)
            connection.putheader("host", request.authority)
            for name, value in request.headers.encode():
                if name not in (b"host", b"transfer-encoding", b"content-length", b"connection"):
                    connection.putheader(name.decode("latin-1"), value)
            if request.body:
                connection.putheader("content-length", str(len(request.body)))
            connection.endheaders(request.body or None)
            answer = connection.getresponse()
            body = answer.read()
        except TimeoutError:
            return "silent"
        except (OSError, http.client.HTTPException):
            return "closed"
        finally:
            connection.close()
        pairs = [
            (name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in answer.getheaders()
        ]
        kept = [pair for pair in pairs if pair[0] not in (b"transfer-encoding", b"connection", b"keep-alive")]
        return Response(answer.status, Headers.decode(kept), body)
