"""Cases as plain data, read and written: what YAML, CSV and tables have in common."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from ..errors import RequestError
from ..formats import read_request, write
from ..http import Request
from .case import Case, Expectation

__all__ = ["cell", "dumper", "entry_of", "expected_cell", "flat", "read_case", "request_of_row"]

_CASE = {"name", "request", "expect", "upstream", "clusters", "config", "weight"}
_REQUEST = {"method", "path", "headers", "body", "base64", "trailers", "chunks", "authority", "scheme"}


def read_case(entry: Any, where: str) -> Case:
    """The case in plain data. Raises RequestError, which says where."""
    if not isinstance(entry, dict) or not isinstance(entry.get("name"), str | int):
        raise RequestError("a case is a mapping with a name", where=where, do="write - name: what it shows")
    unknown = entry.keys() - _CASE
    if unknown:
        raise RequestError(
            f"a case has no {sorted(map(str, unknown))[0]!r}",
            where=where,
            do=f"use {', '.join(sorted(_CASE))}",
        )
    expected = entry.get("expect") or {}
    if isinstance(expected, str | int):
        expected = {"status": expected}
    if not isinstance(expected, dict):
        raise RequestError("what is expected is no mapping", where=where, do="write expect: {status: 200}")
    config = entry.get("config")
    try:
        return Case(
            str(entry["name"]),
            _request(entry.get("request", "/")),
            tuple(
                Expectation(str(what), each)
                for what, value in expected.items()
                for each in (value if isinstance(value, list) else [value])
            ),
            upstream=entry.get("upstream", "echo"),
            clusters=entry.get("clusters") or {},
            config=config if config is None or isinstance(config, str) else json.dumps(config),
            weight=float(entry.get("weight", 1)),
        )
    except RequestError as error:
        raise RequestError(error.what, where=error.where or where, do=error.do) from None
    except (TypeError, ValueError, AttributeError) as error:
        raise RequestError(f"this is no case: {error}", where=where) from None


def _request(told: Any) -> Request:
    if isinstance(told, str):
        text = told.strip("\r\n")
        return _request(json.loads(text)) if text.startswith('{"method"') else read_request(text)
    if not isinstance(told, dict) or told.keys() - _REQUEST:
        raise RequestError("this is no request", do="write GET /path, a curl line, or {method: GET, path: /}")
    options = {key: told[key] for key in ("authority", "scheme", "chunks") if key in told}
    body = base64.b64decode(told["base64"]) if "base64" in told else told.get("body") or b""
    return Request(
        told.get("method", "GET"),
        told.get("path", "/"),
        _pairs(told.get("headers")),
        body if isinstance(body, str | bytes) else json.dumps(body),
        trailers=_pairs(told.get("trailers")),
        **options,
    )


def _pairs(told: Any) -> list[tuple[str, str]]:
    pairs = told.items() if isinstance(told, dict) else told or ()
    return [(str(name), str(value)) for name, value in pairs]


def request_of_row(told: dict[str, Any]) -> dict[str, Any]:
    """The request of a row without a column of that name; its cells are taken out of the row."""
    request: dict[str, Any] = {
        key: told.pop(key) for key in ("method", "path", "headers", "body", "authority") if key in told
    }
    headers = request.get("headers")
    if isinstance(headers, str):
        if headers.lstrip().startswith(("{", "[")):
            request["headers"] = json.loads(headers)
        else:
            lines = [line.partition(":") for line in headers.splitlines() if line.strip()]
            request["headers"] = [(name.strip(), value.strip()) for name, _, value in lines]
    return request


def entry_of(case: Case) -> dict[str, Any]:
    """A case as plain data; its request as a curl line where that says all of it."""
    entry: dict[str, Any] = {"name": case.name, "request": _written(case.request)}
    if case.upstream != "echo":
        entry["upstream"] = _plain(case.upstream)
    if case.clusters:
        entry["clusters"] = {name: _plain(spec) for name, spec in case.clusters.items()}
    if case.config is not None:
        entry["config"] = case.config
    if case.weight != 1:
        entry["weight"] = case.weight
    expected: dict[str, Any] = {}
    for each in case.expect:
        if each.what in expected:
            before = expected[each.what]
            expected[each.what] = [*(before if isinstance(before, list) else [before]), each.value]
        else:
            expected[each.what] = each.value
    if expected:
        entry["expect"] = expected
    return entry


def _plain(spec: Any) -> Any:
    return dict(spec) if isinstance(spec, Mapping) else spec


def _written(request: Request) -> str | dict[str, Any]:
    try:
        line = write(request, "curl")
        short = line.replace("http://localhost/", "/")
        for text in (short, line):
            if read_request(text) == request:
                return text
    except RequestError:
        pass
    told: dict[str, Any] = {"method": request.method, "path": request.path, "authority": request.authority}
    told["headers"] = [list(pair) for pair in request.headers.pairs]
    if request.body:
        told["base64"] = base64.b64encode(request.body).decode()
    if request.trailers.pairs:
        told["trailers"] = [list(pair) for pair in request.trailers.pairs]
    if request.chunks:
        told["chunks"] = list(request.chunks)
    if request.scheme != "http":
        told["scheme"] = request.scheme
    return told


def cell(value: Any) -> Any:
    """A cell of a table: what looks like JSON is read as such."""
    if isinstance(value, str) and value.strip()[:1] in ("{", "["):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def expected_cell(what: str, value: Any) -> Any:
    """What a cell of a table says is expected: ``null`` that it is not there; lines may be listed."""
    if value == "null":
        return None
    if what in ("log", "calls"):
        return cell(value)
    return int(value) if isinstance(value, float) and value.is_integer() else value


def flat(value: Any) -> str:
    """A value as the text of a cell."""
    if value is None:
        return "null"
    return value if isinstance(value, str) else json.dumps(value)


def dumper() -> Any:
    """A dumper that writes texts of several lines as blocks."""
    import yaml

    class Dumper(yaml.SafeDumper):
        pass

    def text(dumper: Any, value: str) -> Any:
        style = "|" if "\n" in value and not value.startswith((" ", "\n")) else None
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)

    Dumper.add_representer(str, text)
    return Dumper
