"""What every proxy can do, the embedded one and the real Envoy alike."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol, Self

from ..http import Request
from ..plugin import Plugin
from .exchange import Exchange, LogLine
from .upstream import Upstream

__all__ = ["AnyProxy"]


class AnyProxy(Protocol):
    """A running proxy with a filter chain and one upstream.

    It is made from filters (or plugins) and an upstream, starts when it is made, and must be closed: use it
    in a ``with`` block.
    """

    plugins: tuple[Plugin, ...]

    @property
    def log(self) -> tuple[LogLine, ...]:
        """Every line logged since the start, start-up included."""
        ...

    def send(self, request: Request, *, upstream: Upstream | None = None) -> Exchange:
        """Send one request through the chain; ``upstream`` answers this one instead of the proxy's own."""
        ...

    def close(self) -> None:
        """Stop the proxy and free what it holds; a second call does nothing."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...
