"""How an exchange looks: as text in a terminal, as HTML in a notebook."""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator
from http import HTTPStatus
from typing import Literal, TypeAlias

from ..http import Request, Response
from .exchange import Exchange
from .timeline import duration, printable, style, timeline

__all__ = ["compared", "exchange_html", "exchange_text", "printable"]

Mark: TypeAlias = Literal["+", "-", " ", "·"]
Pair: TypeAlias = tuple[str, str]
Line: TypeAlias = tuple[Mark, str, str]

PROXY_HEADERS = {
    "date",
    "server",
    "transfer-encoding",
    "x-envoy-expected-rq-timeout-ms",
    "x-envoy-upstream-service-time",
}
"""Headers that the proxy itself sets (router and connection manager), where no filter has touched them."""
BODY_SHOWN = 4000
"""Characters of a body that are shown; what is left out is counted."""


def exchange_text(exchange: Exchange) -> str:
    """The exchange in words: status, changed headers, body, log, warnings; one fact a line."""
    return printable("\n".join(_text(exchange)))


def _text(exchange: Exchange) -> Iterator[str]:
    yield f"{_asked(exchange)} -> {_answered(exchange)}  ({_cost(exchange)})"
    for warning in exchange.warnings:
        yield f"warning: {warning}"
    for call in exchange.calls:
        answer = call.answer
        answered = answer.status if isinstance(answer, Response) else answer
        yield f"call of {call.cluster}: {call.request.method} {call.request.path} -> {answered}"
    if exchange.upstream_request is None:
        yield _unasked(exchange)
    for title, lines in (("request", _request_lines(exchange)), ("response", _response_lines(exchange))):
        changes = [line for line in lines if line[0] in "+-"]
        if changes:
            yield f"{title} headers changed:"
            yield from (f"  {mark} {name}: {value}" for mark, name, value in changes)
    response = exchange.response
    if response is not None:
        if exchange.upstream_response is None:
            yield "response headers:"
            lines = _response_lines(exchange)
            yield from (
                f"    {name}: {value}" for mark, name, value in lines if mark == " " and name[0] != ":"
            )
        if response.body:
            yield f"body ({_body_size(exchange)}):"
            yield from (f"    {line}" for line in _shown(response.body).splitlines())
        yield from (f"trailer {name}: {value}" for name, value in response.trailers.pairs)
    if exchange.log:
        yield "log:"
        yield from (f"    {line}".replace("\n", "\n    ") for line in exchange.log)


def _unasked(exchange: Exchange) -> str:
    """Why the upstream was not asked."""
    if exchange.details.startswith("wasm_fail"):
        return "The upstream was not asked: the filter failed, and its failure policy ended the request."
    if exchange.response is None:
        return "The upstream was not asked: the request never came that far."
    return "The upstream was not asked: the filter answered by itself."


def _asked(exchange: Exchange) -> str:
    return f"{exchange.request.method} {exchange.request.path}"


def _answered(exchange: Exchange) -> str:
    if exchange.response is None:
        return (
            "no response: a filter left the stream paused" if exchange.outcome == "paused" else "stream reset"
        )
    status = exchange.response.status
    phrase = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else ""
    return f"{status} {phrase}".rstrip()


def _cost(exchange: Exchange) -> str:
    parts = []
    if exchange.timing.total_ns:
        parts.append(duration(exchange.timing.total_ns))
    if exchange.timing.fuel is not None:
        parts.append(f"{exchange.timing.fuel:,} instructions")
    parts.append("embedded proxy" if exchange.engine == "embedded" else "real Envoy")
    if exchange.details and exchange.details != "via_upstream":
        parts.append(exchange.details)
    return ", ".join(parts)


def _body_size(exchange: Exchange) -> str:
    after = exchange.response.body if exchange.response else b""
    before = exchange.upstream_response.body if exchange.upstream_response else None
    if before is not None and before != after:
        return f"{len(after):,} bytes, changed from the {len(before):,} of the upstream"
    return f"{len(after):,} bytes"


def _shown(body: bytes) -> str:
    """The body as text, or as a hex dump where it is none; the rest of a long one is counted."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        text = "\x00"
    if any(c < " " and c not in "\t\r\n" for c in text[:BODY_SHOWN]):
        part = body[: BODY_SHOWN // 4]
        dump = "\n".join(part[at : at + 16].hex(" ") for at in range(0, len(part), 16))
        return dump + _rest(len(body) - len(part), "bytes")
    return text[:BODY_SHOWN] + _rest(len(text) - BODY_SHOWN, "characters")


def _rest(count: int, unit: str) -> str:
    return f"\n… {count:,} {unit} more" if count > 0 else ""


def _request_pairs(request: Request) -> list[Pair]:
    pseudo = [(":method", request.method), (":path", request.path), (":authority", request.authority)]
    return [*pseudo, *request.headers.pairs]


def _response_pairs(response: Response) -> list[Pair]:
    return [(":status", str(response.status)), *response.headers.pairs]


def _request_lines(exchange: Exchange) -> list[Line]:
    """The request's headers from the first filter to the upstream; empty where it was not asked."""
    seen = exchange.upstream_request
    if seen is None:
        return []
    return _credited(exchange, compared(_request_pairs(exchange.received), _request_pairs(seen)))


def _response_lines(exchange: Exchange) -> list[Line]:
    """The response's headers from the upstream to the client; unmarked where no upstream was asked."""
    response, before = exchange.response, exchange.upstream_response
    if response is None:
        return []
    pairs = _response_pairs(response)
    return _credited(exchange, compared(pairs if before is None else _response_pairs(before), pairs))


def _credited(exchange: Exchange, lines: list[Line]) -> list[Line]:
    """The lines with ``·`` at what the proxy has set by itself; what it replaced is left out."""
    touched = {text.lower() for call in exchange.trace.host_calls for text in call.taken}
    own = {name for name in PROXY_HEADERS if name.encode() not in touched}
    kept = [line for line in lines if line[0] != "-" or line[1] not in own]
    new = "+" if exchange.upstream_response is not None else "+ "
    return [("·" if mark in new and name in own else mark, name, value) for mark, name, value in kept]


def compared(before: Iterable[Pair], after: Iterable[Pair]) -> list[Line]:
    """Headers after a change, marked against those before; what went away stands before what replaced it."""
    left, rows = list(before), list[Line]()
    for pair in after:
        if pair in left:
            left.remove(pair)
            rows.append((" ", *pair))
        else:
            rows.append(("+", *pair))
    for pair in left:
        places = [at for at, (mark, name, _) in enumerate(rows) if mark == "+" and name == pair[0]]
        rows.insert(places[0] if places else len(rows), ("-", *pair))
    return rows


def exchange_html(exchange: Exchange) -> str:
    """The exchange as one HTML element that brings its own style and no script."""
    parts = [
        style(),
        _head(exchange),
        *(f"<div class='wh-warn'>⚠ {html.escape(warning)}</div>" for warning in exchange.warnings),
        f"<div class='wh-cols'>{_request_box(exchange)}{_response_box(exchange)}</div>",
        _body_box(exchange),
        _log_box(exchange),
        timeline(exchange.trace),
    ]
    return printable(f"<div class='wh-exchange'>{''.join(parts)}</div>")


def _head(exchange: Exchange) -> str:
    response = exchange.response
    kind = "wh-odd" if response is None else {2: "wh-ok", 3: "wh-moved"}.get(response.status // 100, "wh-bad")
    return (
        f"<div class='wh-head'><span class='wh-status {kind}'>{html.escape(_answered(exchange))}</span>"
        f"<span class='wh-code'>{html.escape(_asked(exchange))}</span>"
        f"<span class='wh-dim'>{html.escape(_cost(exchange))}</span></div>"
    )


def _request_box(exchange: Exchange) -> str:
    seen = exchange.upstream_request
    if seen is None:
        kind = "wh-fail" if exchange.details.startswith("wasm_fail") else "wh-dim"
        return _box("What the upstream saw", f"<div class='{kind}'>{_unasked(exchange)}</div>")
    lines = _request_lines(exchange)
    rows = _rows(lines)
    rows += _rows([(" ", f"trailer {name}", value) for name, value in seen.trailers.pairs])
    if seen.body:
        note = ", changed" if seen.body != exchange.received.body else ""
        rows += (
            f"<details><summary>Body <span class='wh-dim'>{len(seen.body):,} bytes{note}</span></summary>"
            f"<pre>{html.escape(_shown(seen.body))}</pre></details>"
        )
    return _box("What the upstream saw", rows, _count(lines))


def _response_box(exchange: Exchange) -> str:
    response = exchange.response
    if response is None:
        return _box("What the client got", "<div class='wh-dim'>Nothing.</div>")
    lines = _response_lines(exchange)
    rows = _rows(lines)
    rows += _rows([(" ", f"trailer {name}", value) for name, value in response.trailers.pairs])
    return _box("What the client got", rows, "" if exchange.upstream_response is None else _count(lines))


def _count(lines: list[Line]) -> str:
    marks = [mark for mark, *_ in lines]
    counts = [f"{sign}{marks.count(mark)}" for sign, mark in (("+", "+"), ("−", "-")) if mark in marks]
    return f"headers {' '.join(counts)}" if counts else "headers unchanged"


def _rows(lines: list[Line]) -> str:
    kinds = {"+": "wh-add", "-": "wh-cut", " ": "wh-same", "·": "wh-same"}
    told = {"·": " title='set by the proxy itself'"}
    return "".join(
        f"<div class='wh-row wh-code {kinds[mark]}' data-mark='{mark}'{told.get(mark, '')}>"
        f"<b>{html.escape(name)}</b>: {html.escape(value)}</div>"
        for mark, name, value in lines
    )


def _body_box(exchange: Exchange) -> str:
    if exchange.response is None or not exchange.response.body:
        return ""
    shown = f"<pre>{html.escape(_shown(exchange.response.body))}</pre>"
    return f"<div class='wh-box'>{_title('Body', _body_size(exchange))}{shown}</div>"


def _log_box(exchange: Exchange) -> str:
    if not exchange.log:
        return ""
    lines = "\n".join(
        f"<span class='wh-{line.level}'>{html.escape(str(line))}</span>" for line in exchange.log
    )
    count = f"{len(exchange.log)} line{'s' if len(exchange.log) > 1 else ''}"
    return f"<div class='wh-box'>{_title('Log', count)}<pre>{lines}</pre></div>"


def _box(title: str, content: str, note: str = "") -> str:
    return f"<div class='wh-box'>{_title(title, note)}{content}</div>"


def _title(title: str, note: str = "") -> str:
    beside = f" <span class='wh-dim'>{html.escape(note)}</span>" if note else ""
    return f"<div class='wh-title'>{html.escape(title)}{beside}</div>"
