"""A request written for where it is wanted: a shell, a Python script, an editor's .http file, pytest."""

from __future__ import annotations

import shlex
from collections.abc import Callable

from ..errors import RequestError
from ..http import Request

__all__ = ["FORMS", "python_request", "write"]

FRAMED = {"content-length", "host"}


def write(request: Request, form: str = "curl", *, filter_name: str = "my_filter") -> str:
    """The request as text in one of ``FORMS``: curl, python, http, pytest.

    ``read_requests`` reads curl and http back. Raises RequestError for another form.
    """
    if form not in FORMS:
        raise RequestError(f"{form!r} is no form of a request", do=f"use one of: {', '.join(FORMS)}")
    return FORMS[form](request, filter_name)


def _curl(request: Request, _name: str) -> str:
    words = ["curl"]
    if request.method == "HEAD":
        words.append("--head")
    elif request.method != ("POST" if request.body else "GET"):
        words += ["-X", request.method]
    words += [word for name, value in request.headers.pairs for word in ("-H", _header(name, value))]
    if request.body:
        if "content-type" not in request.headers:
            words += ["-H", "content-type:"]  # else curl would put one of its own
        words += ["--data-binary" if request.body[:1] != b"@" else "--data-raw", _text(request)]
    words += [word for name, value in request.trailers.pairs for word in ("--trailer", f"{name}: {value}")]
    if request.chunks:
        words += ["--chunks", ",".join(map(str, request.chunks))]
    words.append(_url(request))
    return " ".join(shlex.quote(word) for word in words)


def _header(name: str, value: str) -> str:
    return f"{name}: {value}" if value else f"{name};"


def _url(request: Request) -> str:
    return f"{request.scheme}://{request.authority}{request.path}"


def _text(request: Request) -> str:
    try:
        return request.body.decode()
    except UnicodeDecodeError:
        raise RequestError(
            "the body is not text, which this form cannot carry", do="write it as python"
        ) from None


def python_request(request: Request) -> str:
    """The request as a call of ``Request``, with no more arguments than it needs."""
    parts = [repr(request.method), repr(request.path)]
    if request.headers.pairs:
        parts.append(f"headers={list(request.headers.pairs)!r}")
    if request.body:
        parts.append(f"body={_literal(request.body)}")
    if request.trailers.pairs:
        parts.append(f"trailers={list(request.trailers.pairs)!r}")
    if request.chunks:
        parts.append(f"chunks={list(request.chunks)!r}")
    if request.authority != "localhost":
        parts.append(f"authority={request.authority!r}")
    if request.scheme != "http":
        parts.append(f"scheme={request.scheme!r}")
    return f"Request({', '.join(parts)})"


def _literal(body: bytes) -> str:
    try:
        return repr(body.decode())
    except UnicodeDecodeError:
        return repr(body)


def _python(request: Request, name: str) -> str:
    return (
        "from wasmhub_magics import Request, load\n\n"
        f"exchange = load({f'{name}.wasm'!r}).send({python_request(request)})\n"
        "print(exchange)\n"
    )


def _http(request: Request, name: str) -> str:
    lines = [f"### {name}", f"{request.method} {_url(request)} HTTP/1.1"]
    lines += [f"{header}: {value}" for header, value in request.headers.pairs if header not in FRAMED]
    return "\n".join(lines) + "\n\n" + (_text(request) if request.body else "")


def _pytest(request: Request, name: str) -> str:
    return (
        "from wasmhub_magics import Request, load\n\n\n"
        f"def test_{_identifier(name)}_answers() -> None:\n"
        f"    made = load({f'{name}.wasm'!r})\n"
        f"    exchange = made.send({python_request(request)})\n"
        "    assert exchange.response is not None\n"
        "    assert exchange.response.status == 200\n"
    )


def _identifier(name: str) -> str:
    return "".join(c if c.isalnum() else "_" for c in name.lower()).strip("_") or "filter"


FORMS: dict[str, Callable[[Request, str], str]] = {
    "curl": _curl,
    "python": _python,
    "http": _http,
    "pytest": _pytest,
}
"""The forms a request can be written in."""
