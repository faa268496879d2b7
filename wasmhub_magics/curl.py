"""A curl command line as a request: curl's own flags, so that a line can be pasted."""

from __future__ import annotations

import argparse
import base64
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

from .errors import RequestError
from .http import Request

__all__ = ["add_request_arguments", "parse_curl", "request_from"]

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise RequestError(f"the request cannot be read: {message}", do="write it as for curl")


def parse_curl(line: str | Sequence[str]) -> Request:
    """The request that a curl command line would send; a leading ``curl`` is ignored.

    A method may stand before the path (``GET /items``), and the URL may be a bare path. Raises RequestError.
    """
    try:
        words = shlex.split(line) if isinstance(line, str) else list(line)
    except ValueError as error:
        raise RequestError(
            f"the command line cannot be split: {error}", do="close the quote, or escape it"
        ) from None
    if words[:1] == ["curl"]:
        words = words[1:]
    parser = _Parser(prog="curl", add_help=False, allow_abbrev=False)
    add_request_arguments(parser)
    _pass_over(parser)
    return request_from(parser.parse_args(words))


def add_request_arguments(parser: argparse.ArgumentParser) -> None:
    """Add curl's flags for what a request is made of, and the words ``[METHOD] [URL]``."""
    parser.add_argument("words", nargs="*", metavar="METHOD URL", help="method (optional) and path or URL")
    parser.add_argument("-X", "--request", metavar="METHOD", help="method")
    parser.add_argument("-H", "--header", action="append", default=[], metavar="NAME: VALUE", help="header")
    parser.add_argument(
        "-d", "--data", "--data-ascii", action="append", default=[], metavar="DATA",
        help="body; @file reads a file; several are joined with &",
    )  # fmt: skip
    parser.add_argument(
        "--data-raw", action="append", default=[], metavar="DATA", help="body, @ has no meaning"
    )
    parser.add_argument("--data-binary", metavar="DATA", help="body as it is; @file reads a file")
    parser.add_argument("--json", metavar="JSON", help="body with JSON content type and accept")
    parser.add_argument("-A", "--user-agent", metavar="NAME", help="user-agent header")
    parser.add_argument("-e", "--referer", metavar="URL", help="referer header")
    parser.add_argument("-b", "--cookie", metavar="NAME=VALUE", help="cookie header")
    parser.add_argument("-u", "--user", metavar="USER:PASSWORD", help="basic authorization header")
    parser.add_argument("-I", "--head", action="store_true", help="method HEAD")
    parser.add_argument("-G", "--get", action="store_true", help="put the data into the query")
    parser.add_argument("--url", metavar="URL", help="path or URL")
    parser.add_argument("--chunks", metavar="SIZES", help="sizes of the body's data frames, such as 3,5")
    parser.add_argument("--trailer", action="append", default=[], metavar="NAME: VALUE", help="trailer")
    parser.add_argument(
        "--http2-prior-knowledge", "--http2", action="store_true", dest="http2", help="speak HTTP/2"
    )
    for short, long in (("-s", "--silent"), ("-S", "--show-error"), ("-v", "--verbose"), ("-i", "--include"),
                        ("-k", "--insecure"), ("-L", "--location"), ("-f", "--fail")):  # fmt: skip
        parser.add_argument(
            short, long, action="store_true", dest=f"ignored_{long[2:]}", help=argparse.SUPPRESS
        )
    parser.add_argument("--compressed", action="store_true", help="accept-encoding header")


def _pass_over(parser: argparse.ArgumentParser) -> None:
    """Take the flags that pasted lines often have and that say nothing about the request."""
    for names in (("-g", "--globoff"), ("-N", "--no-buffer"), ("-0", "--http1.0"), ("-4", "--ipv4"),
                  ("-6", "--ipv6"), ("-O", "--remote-name"), ("-#", "--progress-bar"), ("--http1.1",),
                  ("--http3",), ("--fail-with-body",), ("--no-keepalive",)):  # fmt: skip
        parser.add_argument(*names, action="store_true", dest=f"ignored{names[-1]}", help=argparse.SUPPRESS)
    for names in (("-o", "--output"), ("-w", "--write-out"), ("-m", "--max-time"), ("--connect-timeout",),
                  ("-x", "--proxy"), ("--cacert",), ("-E", "--cert"), ("--key",), ("--resolve",),
                  ("--retry",), ("-D", "--dump-header"), ("-c", "--cookie-jar"),
                  ("--max-redirs",)):  # fmt: skip
        parser.add_argument(*names, metavar="X", dest=f"ignored{names[-1]}", help=argparse.SUPPRESS)


def request_from(options: argparse.Namespace) -> Request:
    """The request that parsed arguments of ``add_request_arguments`` stand for. Raises RequestError."""
    method, url = _target(options)
    body = _body(options)
    headers = [_header(text) for text in options.header]
    named = {name.lower() for name, _ in headers}

    def default(name: str, value: str | None) -> None:
        if value is not None and name not in named:
            headers.append((name, value))

    default("user-agent", options.user_agent)
    default("referer", options.referer)
    default("cookie", options.cookie)
    default("accept-encoding", "deflate, gzip, br, zstd" if options.compressed else None)
    if options.user is not None:
        default("authorization", "Basic " + base64.b64encode(options.user.encode()).decode())
    if options.json is not None:
        default("content-type", "application/json")
        default("accept", "application/json")
    elif body and not options.get:
        default("content-type", "application/x-www-form-urlencoded")

    parts = urlsplit(url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if options.get and body:
        path += ("&" if parts.query else "?") + body.decode("utf-8", "surrogateescape")
        body = b""
    if method is None:
        method = "HEAD" if options.head else "POST" if body or options.json is not None else "GET"
    return Request(
        method,
        path,
        [(name, value) for name, value in headers if value is not None],
        body,
        trailers=[(name, value or "") for name, value in map(_header, options.trailer)],
        chunks=_sizes(options.chunks),
        authority=parts.netloc.rpartition("@")[2],
        scheme=parts.scheme or "http",
        version="2" if options.http2 else "1.1",
    )


def _target(options: argparse.Namespace) -> tuple[str | None, str]:
    words = list(options.words)
    method = options.request
    if words and words[0] in METHODS:
        method = words.pop(0) if method is None else method
    if options.url is not None:
        words.append(options.url)
    if len(words) > 1:
        raise RequestError(
            f"one path or URL is wanted, not {len(words)}: {' '.join(words)}",
            do="put quotes around words with spaces; flags are those of curl",
        )
    url = words[0] if words else "/"
    if "://" not in url and not url.startswith("/"):
        url = f"http://{url}"
    return method, url


def _body(options: argparse.Namespace) -> bytes:
    parts = [_file(text, strip=True) for text in options.data] + [text.encode() for text in options.data_raw]
    if options.data_binary is not None:
        parts.append(_file(options.data_binary, strip=False))
    if options.json is not None:
        parts.append(_file(options.json, strip=False))
    return b"&".join(parts)


def _file(text: str, *, strip: bool) -> bytes:
    if not text.startswith("@"):
        return text.encode()
    try:
        data = Path(text[1:]).read_bytes()
    except OSError as error:
        raise RequestError(f"the body cannot be read: {error.strerror}", where=text[1:]) from None
    return data.replace(b"\r", b"").replace(b"\n", b"") if strip else data


def _header(text: str) -> tuple[str, str | None]:
    """As curl reads it: ``name: value``, ``name;`` for an empty value, ``name:`` to leave a header out."""
    name, colon, value = text.partition(":")
    if not colon and text.endswith(";"):
        return text[:-1].strip(), ""
    if not colon or not name.strip():
        raise RequestError(f"{text!r} is no header", do="write -H 'name: value'")
    return name.strip(), value.strip() or None


def _sizes(text: str | None) -> list[int]:
    if not text:
        return []
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise RequestError(f"{text!r} are no chunk sizes", do="write --chunks 3,5") from None
