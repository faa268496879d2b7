"""A raw HTTP/1 message as a request."""

from __future__ import annotations

from urllib.parse import urlsplit

from ..errors import RequestError
from ..http import Request

__all__ = ["read_message"]


def read_message(text: str | bytes) -> Request:
    """The request that a raw HTTP/1 message is; lines may end with LF, and ``HTTP/1.1`` may be missing.

    A chunked body is put together, its chunks become the request's. Raises RequestError.
    """
    raw = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
    head, body = _split(raw)
    lines = head.decode("utf-8", "surrogateescape").splitlines()
    words = lines[0].split() if lines else []
    if len(words) not in (2, 3) or (len(words) == 3 and not words[2].startswith("HTTP/")):
        raise RequestError(
            f"{lines[0][:80] if lines else ''!r} is no request line", do="start with: GET /path HTTP/1.1"
        )
    headers: list[tuple[str, str]] = []
    for line in lines[1:]:
        if line[:1] in " \t" and headers:
            headers[-1] = (headers[-1][0], f"{headers[-1][1]} {line.strip()}")
            continue
        name, colon, value = line.partition(":")
        if not colon:
            raise RequestError(f"{line[:80]!r} is no header", do="write one a line, as name: value")
        headers.append((name.strip(), value.strip()))
    sizes: list[int] = []
    trailers: list[tuple[str, str]] = []
    coding = next((value for name, value in headers if name.lower() == "transfer-encoding"), "")
    if coding.lower() == "chunked":
        body, sizes, trailers = _unchunked(body)
    gone = ("transfer-encoding", "content-length")
    kept = [(name, value) for name, value in headers if name.lower() not in gone]
    parts = urlsplit(words[1]) if "://" in words[1] else None
    if parts is None:
        return Request(words[0], words[1], kept, body, chunks=sizes, trailers=trailers)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Request(
        words[0],
        path,
        kept,
        body,
        chunks=sizes,
        trailers=trailers,
        authority=parts.netloc.rpartition("@")[2],
        scheme=parts.scheme,
    )


def _split(raw: bytes) -> tuple[bytes, bytes]:
    ends = [(raw.find(end), len(end)) for end in (b"\r\n\r\n", b"\n\n") if end in raw]
    if not ends:
        return raw, b""
    at, size = min(ends)
    return raw[:at], raw[at + size :]


def _unchunked(body: bytes) -> tuple[bytes, list[int], list[tuple[str, str]]]:
    """The body of a chunked message, the sizes of its chunks but for the last, and its trailers."""
    whole, sizes, rest = b"", list[int](), body
    end = b"\r\n" if b"\r\n" in body else b"\n"
    while True:
        line, found, rest = rest.partition(end)
        try:
            size = int(line.split(b";")[0], 16)
        except ValueError:
            raise RequestError(
                f"{line[:40]!r} is no size of a chunk",
                do="leave transfer-encoding out and write the body as it is",
            ) from None
        if not size or not found:
            break
        whole += rest[:size]
        sizes.append(size)
        rest = rest[size + len(end) :]
    lines = (line.partition(b":") for line in rest.split(end) if b":" in line)
    trailers = [(name.strip().decode(), value.strip().decode("utf-8", "replace")) for name, _, value in lines]
    return whole, sizes[:-1], trailers
