"""Cases as the script has them, to and from a suite."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from typing import Any

from ..errors import RequestError
from ..testing import Case, Expectation, Suite
from ..testing.answers import Spec
from .data import request_data, request_from_data

__all__ = ["answer_spec", "cases_data", "cases_from_data"]


def cases_data(cases: Iterable[Case]) -> list[dict[str, Any]]:
    """The cases as JSON has them."""
    return [
        {
            "name": case.name,
            "request": request_data(case.request),
            "expect": [[each.what, _value(each.value)] for each in case.expect],
            "upstream": _told(case.upstream),
            "clusters": {name: _told(spec) for name, spec in case.clusters.items()},
            "config": case.config,
            "weight": case.weight,
        }
        for case in cases
    ]


def cases_from_data(data: Iterable[Mapping[str, Any]]) -> Suite:
    """The suite of such cases. Raises RequestError where one is none."""
    try:
        return Suite(tuple(_case(each) for each in data))
    except (KeyError, TypeError, ValueError) as error:
        raise RequestError(f"this is no case: {error!r}") from None


def answer_spec(data: Mapping[str, Any]) -> Spec:
    """The spec of ``testing.answers`` for an answer as the script has it."""
    if data.get("echo"):
        return "echo"
    if "fail" in data or "live" in data:
        return str(data.get("fail") or data["live"])
    spec: dict[str, Any] = {"status": int(data.get("status") or 200)}
    if data.get("headers"):
        spec["headers"] = [[str(name), str(value)] for name, value in data["headers"]]
    if data.get("body"):
        body = base64.b64decode(data["body"])
        try:
            spec["body"] = body.decode()
        except UnicodeDecodeError:
            spec["body"] = body
    if data.get("delay"):
        spec["delay"] = float(data["delay"])
    return spec["status"] if len(spec) == 1 else spec


def _case(data: Mapping[str, Any]) -> Case:
    return Case(
        str(data["name"]),
        request_from_data(data["request"]),
        tuple(Expectation(str(what), value) for what, value in data["expect"]),
        upstream=answer_spec(data.get("upstream") or {"echo": True}),
        clusters={str(name): answer_spec(spec) for name, spec in (data.get("clusters") or {}).items()},
        config=data.get("config"),
        weight=float(data.get("weight", 1)),
    )


def _value(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value


def _told(spec: Spec) -> dict[str, Any]:
    if isinstance(spec, Mapping) and "fail" not in spec:
        headers = spec.get("headers") or ()
        pairs = headers.items() if isinstance(headers, Mapping) else headers
        body = spec.get("body") or b""
        raw = body if isinstance(body, bytes) else str(body).encode()
        return {
            "status": int(spec.get("status") or 200),
            "headers": [[str(name), str(value)] for name, value in pairs],
            "body": base64.b64encode(raw).decode(),
            "delay": float(spec.get("delay") or 0),
        }
    if spec == "echo":
        return {"echo": True}
    if isinstance(spec, int) or str(spec).isdigit():
        return {"status": int(str(spec)), "headers": [], "body": "", "delay": 0}
    if isinstance(spec, str) and "://" in spec:
        return {"live": spec}
    return {"fail": spec["fail"] if isinstance(spec, Mapping) else spec}
