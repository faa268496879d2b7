"""A HAR file, as browsers save the requests of a page."""

from __future__ import annotations

import base64
import binascii
from typing import Any
from urllib.parse import urlsplit

from ..errors import RequestError
from ..http import Request
from .access_log import read_json_log

__all__ = ["read_har"]

_FRAMING = {"content-length", "transfer-encoding", "connection"}


def read_har(content: object) -> tuple[Request, ...]:
    """The requests of a HAR file's JSON value, in order; one entry of it, or a line of a JSON log, will do.

    Raises RequestError where it holds none.
    """
    if not isinstance(content, dict):
        raise _wrong("it is no object")
    if isinstance(content.get("log"), dict):
        entries = content["log"].get("entries")
    elif isinstance(content.get("request"), dict):
        entries = [content]
    elif "url" in content and "method" in content:
        entries = [{"request": content}]
    else:
        logged = read_json_log(content)
        if logged is not None:
            return (logged,)
        entries = None
    if not isinstance(entries, list) or not entries:
        raise _wrong("it has no log.entries")
    return tuple(_request(entry) for entry in entries)


def _request(entry: Any) -> Request:
    try:
        told = entry["request"]
        parts = urlsplit(told["url"])
        headers = [
            (pair["name"], pair["value"])
            for pair in told.get("headers", [])
            if not pair["name"].startswith(":") and pair["name"].lower() not in _FRAMING
        ]
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return Request(
            told["method"],
            path,
            headers,
            _body(told.get("postData") or {}),
            authority=parts.netloc.rpartition("@")[2],
            scheme=parts.scheme or "http",
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise _wrong(f"an entry is not as HAR 1.2 has it: {error!r}") from None


def _body(data: dict[str, Any]) -> bytes:
    text = data.get("text", "")
    if data.get("encoding") == "base64":
        try:
            return base64.b64decode(text)
        except (binascii.Error, ValueError):
            raise _wrong("a body is not base64, as it claims") from None
    if not text and data.get("params"):
        return "&".join(f"{pair['name']}={pair.get('value', '')}" for pair in data["params"]).encode()
    body: bytes = text.encode()
    return body


def _wrong(why: str) -> RequestError:
    return RequestError(
        f"this JSON is no HAR file: {why}", do="save it by the browser's network panel: Save all as HAR"
    )
