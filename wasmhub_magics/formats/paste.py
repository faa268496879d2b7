"""Requests out of whatever somebody pastes: a curl line, a HAR file, an access-log line, a raw message."""

from __future__ import annotations

import json
import re

from ..curl import parse_curl
from ..errors import RequestError
from ..http import Request
from .access_log import is_access_log, read_access_log
from .har import read_har
from .message import read_message

__all__ = ["read_request", "read_requests"]

_START = re.compile(r"^[A-Z]{3,12} \S+ HTTP/\d(\.\d)?\s*$")
_FILE = re.compile(r"^[A-Z]{3,12} (https?://\S+|/\S*)(\s+HTTP/\S+)?$")
_JOINED = re.compile(r"[\\^`]\r?\n\s*")
"""How shells go on with a command in the next line: sh, cmd, PowerShell."""


def read_requests(text: str) -> tuple[Request, ...]:
    """The requests in a text; what kind of text it is, is found out.

    Understood are curl command lines, HAR files, lines of an access log (combined, or Envoy's own), raw HTTP
    messages, and ``.http`` files with requests between ``###`` lines. Raises RequestError where it is none.
    """
    told = text.strip()
    if not told:
        raise RequestError("there is nothing to read", do="paste a curl line, a HAR file, a log line")
    if told.startswith("{"):
        return read_har(_json(told))
    if re.match(r"curl(\.exe)?\s", told):
        return tuple(_curl(line) for line in _commands(told))
    first = told.splitlines()[0].strip()
    if re.search(r"^###|^(//|#) ", told, re.MULTILINE) and not is_access_log(first):
        return _http_file(told)
    if _START.match(first) or _FILE.match(first):
        return (read_message(text.lstrip("\r\n")),)
    if is_access_log(first):
        return tuple(read_access_log(line) for line in told.splitlines() if line.strip())
    if len(told.splitlines()) == 1:
        return (parse_curl(told),)
    raise RequestError(
        f"nobody can tell what this is: {first[:80]!r}",
        do="paste a curl line, a HAR file, access-log lines, a raw HTTP message or a .http file",
    )


def read_request(text: str) -> Request:
    """The first request in a text; see ``read_requests``."""
    return read_requests(text)[0]


def _json(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError as error:
        raise RequestError(f"this is not JSON: {error}", do="paste the whole HAR file") from None


def _commands(text: str) -> list[str]:
    """The curl commands of a text, lines that go on joined; a quoted line break stays in its command."""
    joined = _JOINED.sub(" ", text)
    parts = re.split(r"(?:^|\n)\s*(?=curl(?:\.exe)?\s)", joined)
    return [part for part in parts if part.strip()]


def _curl(line: str) -> Request:
    line = re.sub(r"^curl\.exe\b", "curl", line.strip().rstrip(";&|"))
    # Browsers write $'...' where a body has line breaks or quotes; the shell resolves the escapes in it.
    line = re.sub(r"\$'((?:[^'\\]|\\.)*)'", lambda found: _quoted(found[1]), line)
    return parse_curl(line)


def _quoted(text: str) -> str:
    plain = re.sub(r"\\(u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|.)", lambda found: _escaped(found[1]), text)
    return "'" + plain.replace("'", "'\\''") + "'"


def _escaped(code: str) -> str:
    if code[0] in "ux" and len(code) > 1:
        return chr(int(code[1:], 16))
    return {"n": "\n", "r": "\r", "t": "\t"}.get(code, code)


def _http_file(text: str) -> tuple[Request, ...]:
    """The requests of a ``.http`` file, as editors' REST clients take it; comments and variables left out."""
    found = []
    for part in re.split(r"^###.*$", text, flags=re.MULTILINE):
        lines = part.splitlines()
        while lines and (not lines[0].strip() or re.match(r"\s*(#|//|@)", lines[0])):
            lines.pop(0)
        if lines:
            found.append(read_message("\n".join(lines).rstrip()))
    if not found:
        raise RequestError("there is no request in this file", do="write GET /path, headers, a blank, a body")
    return tuple(found)
