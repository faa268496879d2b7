"""An exchange: what one request did on its way through a proxy."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from ..http import Headers, Request, Response
from .cluster import CallOut
from .trace import Trace

__all__ = ["Exchange", "LogLine", "Outcome", "Timing"]

LogLevel = Literal["trace", "debug", "info", "warn", "error", "critical"]
Outcome = Literal["complete", "paused", "reset"]


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line that a filter logged: by ``proxy_log``, or by standard output (info) and error (error)."""

    level: LogLevel
    message: str
    plugin: str = ""

    def __str__(self) -> str:
        return f"[{self.level}] {self.message}"


@dataclass(frozen=True, slots=True)
class Timing:
    """What an exchange cost.

    ``total_ns`` is wall time from the first to the last callback, pauses for a Python upstream left out;
    ``fuel`` counts Wasm instructions of host and filter together, None where the proxy does not count.
    """

    total_ns: int
    fuel: int | None = None


@dataclass(frozen=True, slots=True)
class Exchange:
    """What one request did: what the client got, what the upstream saw, and what the filters did to it.

    ``received`` is the request as the first filter got it (the connection manager has added
    ``x-forwarded-proto`` and ``x-request-id``). ``upstream_request`` and ``upstream_response`` are None where
    a filter answered by itself. ``response`` is None where the client got none: a filter left the stream
    ``paused``, or the stream was ``reset``. ``details`` are the response code details of Envoy. ``calls`` are
    the call-outs of the filters, in the order in which the clusters got them.
    """

    request: Request
    response: Response | None
    received: Request
    upstream_request: Request | None
    upstream_response: Response | None
    log: tuple[LogLine, ...] = ()
    details: str = ""
    outcome: Outcome = "complete"
    trace: Trace = field(default_factory=Trace)
    timing: Timing = field(default_factory=lambda: Timing(0))
    warnings: tuple[str, ...] = ()
    calls: tuple[CallOut, ...] = ()
    engine: Literal["embedded", "envoy"] = "embedded"

    @property
    def request_changes(self) -> tuple[tuple[str, str, str], ...]:
        """Request headers that the filters changed: (``+`` or ``-``, name, value); empty without upstream."""
        if self.upstream_request is None:
            return ()
        return _changes(_lines(self.received), _lines(self.upstream_request))

    @property
    def response_changes(self) -> tuple[tuple[str, str, str], ...]:
        """Response headers that differ between upstream and client: (``+`` or ``-``, name, value)."""
        if self.response is None:
            return ()
        before = self.upstream_response
        old = Headers() if before is None else before.headers.add(":status", str(before.status))
        return _changes(old, self.response.headers.add(":status", str(self.response.status)))

    def __repr__(self) -> str:
        from .view import exchange_text

        return exchange_text(self)

    def _repr_html_(self) -> str:
        from .view import exchange_html

        return exchange_html(self)


def _lines(request: Request) -> Headers:
    return Headers.decode(
        [
            (b":method", request.method.encode()),
            (b":path", request.path.encode("utf-8", "surrogateescape")),
            (b":authority", request.authority.encode("utf-8", "surrogateescape")),
            *request.headers.encode(),
        ]
    )


def _changes(before: Headers, after: Headers) -> tuple[tuple[str, str, str], ...]:
    left, added = list(before.pairs), []
    for pair in after.pairs:
        if pair in left:
            left.remove(pair)
        else:
            added.append(pair)
    return (*(("-", *pair) for pair in left), *(("+", *pair) for pair in added))
