"""Who answers the requests that a local Envoy has let through."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias
from urllib.parse import urlsplit

from ..envoy.upstream import UpstreamServer
from ..errors import DeployError
from ..http import Request, Response
from ..proxy.upstream import echo

__all__ = ["Answers", "upstream_of"]

Answers: TypeAlias = "str | Response | Callable[[Request], Response]"


def upstream_of(upstream: Answers | None) -> tuple[tuple[str, int] | Response | None, UpstreamServer | None]:
    """What Envoy is told about its upstream, and the server that has to run for it."""
    if upstream is None or upstream is echo:
        return None, None
    if isinstance(upstream, str):
        return _address(upstream), None
    if isinstance(upstream, Response) and not upstream.trailers:
        return upstream, None
    server = UpstreamServer(upstream)
    return ("127.0.0.1", server.port), server


def _address(url: str) -> tuple[str, int]:
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        host, port = parts.hostname, parts.port or 80
    except ValueError:
        host, port, parts = None, 0, urlsplit("")
    if parts.scheme != "http" or not host or parts.path not in ("", "/") or parts.query or parts.username:
        raise DeployError(
            f"{url!r} cannot be an upstream", do="give a plain address such as http://127.0.0.1:9000"
        )
    return host, port
