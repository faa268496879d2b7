"""Exchanges as plain data: what the script shows, whether the kernel made them or the page itself."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, TypeVar

from ..errors import RequestError
from ..http import Headers, Request, Response
from ..proxy import Answer, CallOut, Delay, Exchange, Failure, GrpcReply, LogLine, Timing, Trace
from ..proxy.view import printable

__all__ = ["exchange_data", "exchange_from_data", "request_data", "request_from_data"]

EVENTS_SENT = 1 << 20
"""Bytes of a trace that go to the page; a longer one is cut."""


def exchange_data(exchange: Exchange) -> dict[str, Any]:
    """An exchange as JSON has it; bodies are base64, bytes that are no text are written out."""
    raw = exchange.trace.raw
    kept = raw if len(raw) <= EVENTS_SENT else b""
    return {
        "engine": exchange.engine,
        "request": request_data(exchange.request),
        "outcome": exchange.outcome,
        "details": exchange.details,
        "ns": exchange.timing.total_ns,
        "fuel": exchange.timing.fuel,
        "received": request_data(exchange.received),
        "upstream_request": _maybe(exchange.upstream_request, request_data),
        "upstream_response": _maybe(exchange.upstream_response, _response),
        "response": _maybe(exchange.response, _response),
        "log": [
            {"level": line.level, "message": printable(line.message), "plugin": line.plugin}
            for line in exchange.log
        ],
        "warnings": [printable(warning) for warning in exchange.warnings],
        "calls": [_call(call) for call in exchange.calls],
        "trace": {
            "events": base64.b64encode(kept).decode(),
            "dropped": exchange.trace.dropped + (raw != kept),
            "plugins": list(exchange.trace.plugins),
            "callbacks": list(exchange.trace.names[0]),
            "functions": list(exchange.trace.names[1]),
        },
    }


def request_data(request: Request) -> dict[str, Any]:
    """A request as JSON has it."""
    return {
        "method": request.method,
        "path": printable(request.path),
        "authority": printable(request.authority),
        "scheme": request.scheme,
        "chunks": list(request.chunks),
        **_message(request),
    }


def request_from_data(data: Mapping[str, Any]) -> Request:
    """The request that such data stand for. Raises RequestError where it is none."""
    try:
        headers = _pairs(data.get("headers", []), "header")
        return Request(
            str(data["method"]),
            _path(str(data["path"])),
            headers,
            base64.b64decode(data.get("body") or ""),
            trailers=_pairs(data.get("trailers", []), "trailer"),
            chunks=[int(size) for size in data.get("chunks", [])],
            authority=str(data.get("authority") or ""),
            scheme=str(data.get("scheme") or "http"),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise RequestError(f"this is no request: {error!r}") from None


def _path(path: str) -> str:
    path = path.strip() or "/"
    return path if path.startswith(("/", "*")) or "://" in path else f"/{path}"


def _pairs(told: Any, noun: str) -> list[tuple[str, str]]:
    pairs = [(str(name).strip(), str(value).strip()) for name, value in told]
    for name, value in pairs:
        if value and not name:
            raise RequestError(
                f"a {noun} has the value {value!r} and no name", do="give it a name, or clear it"
            )
    return [pair for pair in pairs if pair[0]]


def _maybe(value: Any, make: Any) -> Any:
    return None if value is None else make(value)


def _message(message: Request | Response) -> dict[str, Any]:
    return {
        "headers": _texts(message.headers),
        "body": base64.b64encode(message.body).decode(),
        "trailers": _texts(message.trailers),
    }


def _response(answer: Response | GrpcReply) -> dict[str, Any]:
    response = answer.response() if isinstance(answer, GrpcReply) else answer
    return {"status": response.status, **_message(response)}


def _texts(headers: Headers) -> list[list[str]]:
    return [[printable(name), printable(value)] for name, value in headers.pairs]


def _call(call: CallOut) -> dict[str, Any]:
    answer = call.answer
    if isinstance(answer, Failure):
        told: dict[str, Any] = {"fail": answer.kind}
    elif isinstance(answer, Delay):
        told = {"delay": answer.seconds, **_response(answer.response)}
    else:
        told = {} if answer is None else _response(answer)
    return {
        "cluster": call.cluster,
        "request": request_data(call.request),
        "answer": told,
        "timeout": call.timeout,
    }


def exchange_from_data(data: Mapping[str, Any]) -> Exchange:
    """The exchange that such data stand for: what a page's own proxy made. Raises RequestError."""
    try:
        trace = data["trace"]
        return Exchange(
            request=_request(data["request"]),
            response=_maybe(data["response"], _answer),
            received=_request(data["received"]),
            upstream_request=_maybe(data["upstream_request"], _request),
            upstream_response=_maybe(data["upstream_response"], _answer),
            log=tuple(LogLine(line["level"], line["message"], line["plugin"]) for line in data["log"]),
            details=str(data["details"]),
            outcome=data["outcome"],
            trace=Trace(
                base64.b64decode(trace["events"]),
                tuple(trace["plugins"]),
                (tuple(trace["callbacks"]), tuple(trace["functions"])),
                int(trace["dropped"]),
            ),
            timing=Timing(int(data["ns"]), data.get("fuel")),
            warnings=tuple(map(str, data["warnings"])),
            calls=tuple(
                CallOut(
                    call["cluster"], _request(call["request"]), _answered(call["answer"]), call["timeout"]
                )
                for call in data["calls"]
            ),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise RequestError(f"this is no exchange: {error!r}") from None


def _request(data: Mapping[str, Any]) -> Request:
    """As it is: what a filter made of a request need not be one that a user may send."""
    request = Request(body=base64.b64decode(data["body"] or ""), chunks=data.get("chunks") or ())
    for name in ("method", "path", "authority", "scheme"):
        object.__setattr__(request, name, str(data[name]))
    return _with_headers(request, data)


def _answer(data: Mapping[str, Any]) -> Response:
    response = Response(body=base64.b64decode(data["body"] or ""))
    object.__setattr__(response, "status", int(data["status"]))
    return _with_headers(response, data)


Message = TypeVar("Message", Request, Response)


def _with_headers(message: Message, data: Mapping[str, Any]) -> Message:
    for name in ("headers", "trailers"):
        pairs = [(str(k).encode(), str(v).encode()) for k, v in data.get(name) or ()]
        object.__setattr__(message, name, Headers.decode(pairs))
    return message


def _answered(data: Mapping[str, Any]) -> Answer:
    if "fail" in data:
        return Failure(data["fail"])
    response = _answer({"body": "", **data})
    return Delay(float(data["delay"]), response) if data.get("delay") else response
