"""A line of an access log as a request: all of it that such a line tells."""

from __future__ import annotations

import json
import re

from ..errors import RequestError
from ..http import Request

__all__ = ["is_access_log", "read_access_log", "read_json_log"]

_COMMON = re.compile(
    r'^(?P<client>\S+) \S+ \S+ \[(?P<time>[^\]]+)\] "(?P<method>[A-Z]+) (?P<path>\S+)(?: HTTP/[\d.]+)?" '
    r'(?P<status>\d{3}) \S+(?: "(?P<referer>[^"]*)" "(?P<agent>[^"]*)")?'
)
"""The common and the combined format of Apache and nginx."""
_ENVOY = re.compile(
    r'^\[(?P<time>[^\]]+)\] "(?P<method>[A-Z]+) (?P<path>\S+) HTTP/[\d.]+" (?P<status>\d+) \S+ \d+ '
    r'\d+ \S+ \S+ "(?P<client>[^"]*)" "(?P<agent>[^"]*)" "(?P<id>[^"]*)" "(?P<authority>[^"]*)"'
)
"""Envoy's default format; that of Istio has a few fields more before the client."""
_ISTIO = re.compile(
    r'^\[(?P<time>[^\]]+)\] "(?P<method>[A-Z]+) (?P<path>\S+) HTTP/[\d.]+" (?P<status>\d+) .*?'
    r'"(?P<client>[^"]*)" "(?P<agent>[^"]*)" "(?P<id>[^"]*)" "(?P<authority>[^"]*)" "'
)
_FORMATS = (_ENVOY, _ISTIO, _COMMON)
_NAMES = {
    "method": ("method", "request_method", ":METHOD"),
    "path": ("path", "request_uri", "uri", "x-envoy-original-path"),
    "authority": ("authority", "host", "http_host"),
    "agent": ("user_agent", "user-agent", "http_user_agent"),
    "client": ("x_forwarded_for", "x-forwarded-for", "http_x_forwarded_for"),
    "referer": ("referer", "http_referer"),
    "id": ("request_id", "x-request-id"),
}
"""By which names JSON logs of Envoy, Istio and nginx know the parts."""


def is_access_log(line: str) -> bool:
    """Whether a line looks like one of an access log."""
    return any(pattern.match(line) for pattern in _FORMATS)


def read_access_log(line: str) -> Request:
    """The request that a line tells of: method, path, and the headers that the log has kept.

    Raises RequestError where the line has none of the formats.
    """
    found = next((match for pattern in _FORMATS if (match := pattern.match(line.strip()))), None)
    if found is None:
        raise RequestError(
            f"{line[:80]!r} is no line of an access log",
            do="lines of Apache, nginx (combined), Envoy and Istio are read",
        )
    return _request(found.groupdict())


def read_json_log(entry: dict[str, object]) -> Request | None:
    """The request of a JSON log entry, None where it names no method and path."""
    parts: dict[str, str | None] = {}
    for part, names in _NAMES.items():
        value = next((entry[name] for name in names if entry.get(name) not in (None, "", "-")), None)
        parts[part] = None if value is None else value if isinstance(value, str) else json.dumps(value)
    return _request(parts) if parts["method"] and parts["path"] else None


def _request(parts: dict[str, str | None]) -> Request:
    told = {name: value for name, value in parts.items() if value and value != "-"}
    headers = [
        (header, told[name])
        for name, header in (("agent", "user-agent"), ("referer", "referer"), ("id", "x-request-id"))
        if name in told
    ]
    if "client" in told:
        headers.append(("x-forwarded-for", told["client"]))
    return Request(told["method"], told["path"], headers, authority=told.get("authority", ""))
