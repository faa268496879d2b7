"""The upstream: who answers the requests that pass the filters."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from ..http import Request, Response

__all__ = ["Upstream", "echo"]

Upstream: TypeAlias = "Response | Callable[[Request], Response]"


def echo(request: Request) -> Response:
    """The default upstream: 200 with the request's own body and content type, or a greeting without one."""
    if not request.body:
        return Response(200, [("content-type", "text/plain")], b"hello from the upstream\n")
    kind = request.headers.get("content-type", "application/octet-stream")
    return Response(200, [("content-type", kind)], request.body, trailers=request.trailers)
