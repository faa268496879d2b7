"""What upstreams and clusters answer, written as plain data."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, TypeAlias

from ..errors import RequestError
from ..http import Request, Response
from ..proxy import Cluster, Delay, Failure, Live, Upstream, echo
from ..proxy.cluster import KINDS

__all__ = ["Spec", "check_spec", "cluster_from", "upstream_from"]

Spec: TypeAlias = "str | int | Mapping[str, Any]"
"""``echo``, a status, ``{status, headers, body, delay}``; for clusters also a kind of failure, or the
address of a real server."""

_KEYS = {"status", "headers", "body", "delay", "fail"}


def check_spec(spec: Spec, where: str, *, cluster: bool) -> None:
    """Raise RequestError, saying where, when a spec describes no answer."""
    try:
        _ = cluster_from(spec) if cluster else upstream_from(spec)
    except RequestError as error:
        raise RequestError(error.what, where=where, do=error.do) from None


def upstream_from(spec: Spec) -> Upstream:
    """The upstream that a spec describes; a delay is waited for. Raises RequestError."""
    if spec == "echo":
        return echo
    response, delay = _response(spec)
    if not delay:
        return response

    def late(_request: Request) -> Response:
        time.sleep(delay)
        return response

    return late


def cluster_from(spec: Spec) -> Cluster:
    """The cluster that a spec describes: an answer, a late one, or a failure. Raises RequestError."""
    kind = spec.get("fail") if isinstance(spec, Mapping) else spec
    if isinstance(kind, str) and kind in KINDS:
        return Failure(kind)
    if spec == "echo":
        return echo
    if isinstance(spec, str) and "://" in spec:
        return Live(spec)
    response, delay = _response(spec)
    return Delay(delay, response) if delay else response


def _response(spec: Spec) -> tuple[Response, float]:
    if isinstance(spec, int) or (isinstance(spec, str) and spec.strip().isdigit()):
        return Response(int(spec)), 0.0
    if not isinstance(spec, Mapping) or spec.keys() - _KEYS or "fail" in spec:
        raise RequestError(
            f"{spec!r} is no answer",
            do="write echo, a status, {status: 503, headers: {a: b}, body: text, delay: 0.5}, "
            f"or for a cluster {', '.join(KINDS)}",
        )
    headers = spec.get("headers") or ()
    try:
        delay = float(spec.get("delay") or 0)
        status = int(spec.get("status") or 200)
    except (TypeError, ValueError) as error:
        raise RequestError(f"an answer has a number that is none: {error}") from None
    if not 0 <= delay < 3600:
        raise RequestError(f"an answer cannot come after {delay} seconds", do="use 0 to 3600")
    pairs = headers.items() if isinstance(headers, Mapping) else [tuple(pair) for pair in headers]
    body = spec.get("body") or ""
    text = body if isinstance(body, bytes) else str(body)
    return Response(status, [(str(name), str(value)) for name, value in pairs], text), delay
