"""Parity: the same requests through the embedded proxy and the real Envoy, and all that shows compared."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeAlias, TypeVar

from ..errors import EnvoyRejected, ModuleError, ProxyError, RequestError
from ..http import Headers, Request, Response
from ..plugin import HasPlugin, as_plugin
from ..proxy.cluster import CallOut, Cluster, Failure
from ..proxy.exchange import Exchange, LogLine
from ..proxy.upstream import Upstream, echo
from .binary import find_envoy
from .log import TRAP
from .proxy import EnvoyProxy
from .report import Difference, ParityReport

__all__ = ["verify"]

T = TypeVar("T")
Hides: TypeAlias = tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]]

ADDED = ("date", "server")
TIMED = ("x-envoy-upstream-service-time",)
LEFT_OUT = (
    "headers date and server: the connection manager writes them after all filters",
    "the value of x-envoy-upstream-service-time, and after its name in the log: a time",
    "the value of x-request-id, wherever it shows: random",
    "the order of headers of different names; several of one name are compared in order",
    "how bodies are cut into chunks on the wire, and content-length: 0 of an empty body: HTTP/1.1 does that",
    "the backtraces of traps: the two engines count code bytes from different places",
    "response code details where the client got no response: there they tell how the client hung up",
    "headers and body of two responses whose status differs: the status says it",
    "times, host calls and fuel: Envoy does not tell them",
    "log lines of the levels trace and debug: Envoy is asked for info and what is graver",
)
QUIET = ("trace", "debug")
SHOWN_TIME = re.compile(r"(x-envoy-upstream-service-time\W{1,6})\d+")
REQUESTS = (
    Request("GET", "/items?id=1", [("user-agent", "wasmhub"), ("accept", "*/*"), ("x-user", "ada")]),
    Request("POST", "/items", [("content-type", "text/plain")], "one frame, another frame", chunks=[10]),
    Request("POST", "/items", [("te", "trailers")], "a body with trailers", trailers=[("x-checksum", "7")]),
)


def verify(
    plugins: Iterable[HasPlugin],
    requests: Iterable[Request] | None = None,
    upstream: Upstream = echo,
    *,
    timeout: float = 2.0,
    clusters: Mapping[str, Cluster] | None = None,
) -> ParityReport:
    """Send requests through the embedded proxy and the real Envoy, one after another, and compare.

    Compared are outcome, status, headers, body and trailers of the response, what the upstream saw, log lines
    and response code details, and the lines logged at the start. Without requests it takes three: headers
    only, a body in two frames, a body with trailers. A function as upstream is asked by both. Envoy has
    ``timeout`` seconds for a request before it counts as paused. ``clusters`` answer the call-outs of filters
    in both. Raises EnvoyMissing where there is none.
    """
    from ..proxy import Proxy

    chain = tuple(as_plugin(plugin) for plugin in plugins)
    asked = REQUESTS if requests is None else tuple(requests)
    if not asked:
        raise RequestError("there is no request to compare", do="pass at least one, or none at all")
    version = find_envoy().version
    names = tuple(plugin.name for plugin in chain)
    real, real_refusal = _started(lambda: EnvoyProxy(chain, upstream, timeout=timeout, clusters=clusters))
    try:
        embedded, refusal = _started(lambda: Proxy(chain, upstream, clusters=clusters))
        try:
            if real is None or embedded is None:
                return _refused(names, asked, version, refusal, real_refusal)
            differences = list(_logs(None, embedded.log, real.log))
            pairs = []
            for number, request in enumerate(asked):
                pair = embedded.send(request), real.send(request)
                pairs.append(pair)
                differences += _compare(number, *pair)
            return ParityReport(names, asked, tuple(pairs), tuple(differences), LEFT_OUT, version)
        finally:
            if embedded is not None:
                embedded.close()
    finally:
        if real is not None:
            real.close()


def _started(make: Callable[[], T]) -> tuple[T | None, str]:
    try:
        return make(), ""
    except (EnvoyRejected, ModuleError, ProxyError) as error:
        return None, error.what.splitlines()[0]


def _refused(
    names: tuple[str, ...], asked: tuple[Request, ...], version: str, embedded: str, real: str
) -> ParityReport:
    if embedded and real:
        return ParityReport(names, asked, (), (), LEFT_OUT, version, refused=real)
    difference = Difference(None, "start", embedded or "started", real or "started")
    return ParityReport(names, asked, (), (difference,), LEFT_OUT, version)


def _compare(number: int, embedded: Exchange, real: Exchange) -> Iterator[Difference]:
    """All differences between two exchanges of one request."""
    hide, hide_real = _hider(embedded), _hider(real)

    def differ(field: str, mine: object, other: object) -> Iterator[Difference]:
        if mine != other:
            yield Difference(number, field, _text(mine), _text(other))

    yield from differ("outcome", embedded.outcome, real.outcome)
    mine, other = embedded.response, real.response
    if mine is None or other is None:
        yield from differ("response", _kind(mine), _kind(other))
    else:
        yield from differ("status", mine.status, other.status)
        if mine.status == other.status:
            yield from _headers(number, "response header", mine, other, (hide, hide_real))
            yield from differ("response body", hide(mine.body), hide_real(other.body))
        yield from differ("details", embedded.details, real.details)
    sent, sent_real = embedded.upstream_request, real.upstream_request
    if sent is None or sent_real is None:
        yield from differ("upstream request", _kind(sent), _kind(sent_real))
    else:
        for part in ("method", "path", "authority"):
            yield from differ(f"upstream {part}", getattr(sent, part), getattr(sent_real, part))
        yield from _headers(number, "upstream header", sent, sent_real, (hide, hide_real))
        yield from differ("upstream body", hide(sent.body), hide_real(sent_real.body))
    yield from _calls(number, embedded.calls, real.calls, (hide, hide_real))
    yield from _logs(number, embedded.log, real.log, hide, hide_real)


def _calls(
    number: int, embedded: Iterable[CallOut], real: Iterable[CallOut], hides: Hides
) -> Iterator[Difference]:
    """Differences between what the clusters got; those that cannot tell are left out."""
    mine = [call for call in embedded if call.cluster != "upstream" and call.answer != Failure("refused")]
    other = list(real)
    for place in range(max(len(mine), len(other))):
        one = mine[place] if place < len(mine) else None
        two = other[place] if place < len(other) else None
        field = f"call {place + 1}"
        if one is None or two is None:
            yield Difference(number, field, _called(one), _called(two))
            continue
        for part, left, right in (
            ("cluster", one.cluster, two.cluster),
            ("method", one.request.method, two.request.method),
            ("path", one.request.path, two.request.path),
            ("authority", one.request.authority, two.request.authority),
            ("body", hides[0](one.request.body), hides[1](two.request.body)),
        ):
            if left != right:
                yield Difference(number, f"{field} {part}", _text(left), _text(right))
        yield from _headers(number, f"{field} header", one.request, two.request, hides)


def _called(call: CallOut | None) -> str:
    return "none" if call is None else f"{call.cluster}: {call.request!r}"


def _same(data: bytes) -> bytes:
    return data


def _hider(exchange: Exchange) -> Callable[[bytes], bytes]:
    """A function that hides the random request id of an exchange wherever it shows."""
    number = exchange.received.headers.get("x-request-id", "")
    if not number or "x-request-id" in exchange.request.headers:
        return _same
    return lambda data: data.replace(number.encode(), b"<x-request-id>")


def _headers(
    number: int,
    field: str,
    embedded: Request | Response,
    real: Request | Response,
    hides: Hides,
) -> Iterator[Difference]:
    mine, other = _grouped(embedded, hides[0]), _grouped(real, hides[1])
    for name in sorted(mine.keys() | other.keys()):
        if mine.get(name) != other.get(name):
            yield Difference(number, f"{field} {name}", _values(mine.get(name)), _values(other.get(name)))
    ends = _lines(embedded.trailers, hides[0]), _lines(real.trailers, hides[1])
    if ends[0] != ends[1]:
        yield Difference(number, f"{field.partition(' ')[0]} trailers", _text(ends[0]), _text(ends[1]))
    if [dict(each) for each in embedded.metadata] != [dict(each) for each in real.metadata]:
        name = f"{field.partition(' ')[0]} metadata"
        yield Difference(number, name, repr(embedded.metadata), repr(real.metadata))


def _grouped(message: Request | Response, hide: Callable[[bytes], bytes]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for name, value in _lines(message.headers, hide):
        if isinstance(message, Response) and name in ADDED:
            continue
        if name == "content-length" and value == "0" and not message.body:
            continue
        groups.setdefault(name, []).append("<time>" if name in TIMED else value)
    return groups


def _lines(headers: Headers, hide: Callable[[bytes], bytes]) -> list[tuple[str, str]]:
    return [
        (name.decode("utf-8", "surrogateescape"), hide(value).decode("utf-8", "surrogateescape"))
        for name, value in headers.encode()
    ]


def _logs(
    number: int | None,
    embedded: Iterable[LogLine],
    real: Iterable[LogLine],
    hide: Callable[[bytes], bytes] = _same,
    hide_real: Callable[[bytes], bytes] = _same,
) -> Iterator[Difference]:
    mine, other = _log(embedded, hide), _log(real, hide_real)
    for line in range(max(len(mine), len(other))):
        one = mine[line] if line < len(mine) else "no line"
        two = other[line] if line < len(other) else "no line"
        if one != two:
            yield Difference(number, f"log line {line + 1}", one, two)


def _log(lines: Iterable[LogLine], hide: Callable[[bytes], bytes]) -> list[str]:
    texts = []
    for line in lines:
        if line.level in QUIET:
            continue
        text = hide(line.message.encode("utf-8", "replace")).decode("utf-8")
        if text.startswith(TRAP):
            text = text.partition("\n")[0]
        text = SHOWN_TIME.sub(r"\1<time>", text)
        texts.append(f"[{line.level}] {text}")
    return texts


def _kind(message: Request | Response | None) -> str:
    return "none" if message is None else repr(message)


def _values(values: list[str] | None) -> str:
    return "absent" if values is None else " | ".join(values)


def _text(value: object) -> str:
    return value if isinstance(value, str) else repr(value)
