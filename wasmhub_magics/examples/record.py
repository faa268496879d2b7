"""Exchanges that have happened, written down as a table of what is expected."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from ..http import Headers, Request, Response

__all__ = ["record"]


class _Call(Protocol):
    @property
    def cluster(self) -> str: ...
    @property
    def request(self) -> Request: ...
    @property
    def answer(self) -> object: ...


class _Exchange(Protocol):
    @property
    def request(self) -> Request: ...
    @property
    def received(self) -> Request: ...
    @property
    def response(self) -> Response | None: ...
    @property
    def upstream_request(self) -> Request | None: ...
    @property
    def upstream_response(self) -> Response | None: ...
    @property
    def calls(self) -> Sequence[_Call]: ...


def record(exchanges: Iterable[_Exchange], config: Any = None) -> Mapping[str, Any]:
    """The table, as JSON has it, that expects what these exchanges show.

    Of headers it expects those that the filter changed. Exchanges without a response, and bodies that are not
    text, are left out.
    """
    clusters: dict[str, list[dict[str, Any]]] = {}
    told = []
    for each in exchanges:
        if each.response is None:
            continue
        told.append(_told(each, each.response))
        for call in each.calls:
            if isinstance(call.answer, Response):
                rule = {"path": call.request.path, "response": _message(call.answer)}
                clusters.setdefault(call.cluster, []).append(rule)
    table: dict[str, Any] = {"config": config, "exchanges": told}
    if clusters:
        table["clusters"] = clusters
    return table


def _told(each: _Exchange, response: Response) -> dict[str, Any]:
    request = each.request
    headers = dict(request.headers)
    if request.authority != "localhost":
        headers["host"] = request.authority
    found: dict[str, Any] = {"request": [request.method, request.path, headers, request.text]}
    before = each.upstream_response
    if before is not None:
        found["upstream"] = _message(before)
    changed = _changed(Headers() if before is None else before.headers, response.headers)
    found["response"] = {"status": response.status, "headers": changed} | _text(response)
    if each.upstream_request is None:
        found["forwarded"] = None
    else:
        sent = each.upstream_request
        found["forwarded"] = {"path": sent.path, "headers": _changed(each.received.headers, sent.headers)}
        found["forwarded"] |= _text(sent)
    return found


def _message(response: Response) -> list[Any]:
    return [response.status, dict(response.headers), response.text]


def _text(message: Request | Response) -> dict[str, str]:
    return {"body": message.text} if message.text.encode() == message.body else {}


VOLATILE = {"date", "server", "x-envoy-upstream-service-time", "content-length", "transfer-encoding"}
"""What proxies add by themselves."""


def _changed(before: Headers, after: Headers) -> dict[str, str | None]:
    """The headers that differ: their value afterwards, or None where they are gone."""
    names = [name for name in dict.fromkeys([*before, *after]) if name not in VOLATILE]
    differ = [name for name in names if before.getall(name) != after.getall(name)]
    return {name: after.get(name) for name in differ if len(after.getall(name)) < 2}
