"""What an exchange through a filter is expected to be."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..http import Headers, Request, Response

__all__ = ["Expectation", "Wanted", "read_expectation", "read_response"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a message is expected to be; a header's value is exact, a pattern, or None: not there."""

    status: int | None = None
    path: str | None = None
    body: bytes | None = None
    headers: tuple[tuple[str, str | re.Pattern[str] | None], ...] = ()

    def differences(self, message: Request | Response) -> Iterator[str]:
        """In words, what a message has that was not expected."""
        for name in ("status", "path", "body"):
            wanted, has = getattr(self, name), getattr(message, name, None)
            if wanted is not None and has != wanted:
                yield f"the {name} is {has!r}, not {wanted!r}"
        for name, value in self.headers:
            found = message.headers.getall(name)
            if value is None and found:
                yield f"there is a header {name}: {', '.join(found)}"
            elif isinstance(value, str) and found != (value,):
                yield f"the header {name} is {', '.join(found) or 'not there'}, not {value}"
            elif isinstance(value, re.Pattern) and not (len(found) == 1 and value.fullmatch(found[0])):
                yield f"the header {name} is {', '.join(found) or 'not there'}, not like {value.pattern}"


@dataclass(frozen=True, slots=True)
class Expectation:
    """A request, what the upstream answers, and what becomes of both."""

    request: Request
    upstream: Response | None
    """None where the upstream echoes."""
    response: Wanted
    forwarded: Wanted | None
    """The request that the upstream sees; None where it must not be asked."""

    def differences(self, response: Response | None, forwarded: Request | None) -> list[str]:
        """In words, how an exchange differs from what was expected; empty where it does not."""
        if response is None:
            return ["there is no response"]
        found = [f"response: {each}" for each in self.response.differences(response)]
        if self.forwarded is None:
            return found + ["the upstream was asked"] * (forwarded is not None)
        if forwarded is None:
            return [*found, "the upstream was not asked"]
        return found + [f"upstream request: {each}" for each in self.forwarded.differences(forwarded)]


def read_response(told: Sequence[Any], chunks: Sequence[int] = ()) -> Response:
    """A response that is told as [status, headers, body]; ``chunks`` are the sizes of its frames in bytes."""
    status, headers, body = told
    return Response(status, Headers(headers), body.encode(), chunks=tuple(chunks))


def read_expectation(told: Mapping[str, Any]) -> Expectation:
    """An expectation as it is told in an example's JSON."""
    given: list[Any] = [*told["request"], *("/", {}, "")[len(told["request"]) - 1 :]]
    method, path, headers, body = given
    upstream = told.get("upstream")
    return Expectation(
        Request(method, path, Headers(headers), body.encode()),
        None if upstream is None else read_response(upstream, told.get("chunks", ())),
        _wanted(told["response"]),
        None if told.get("forwarded", {}) is None else _wanted(told.get("forwarded", {})),
    )


def _wanted(told: Mapping[str, Any]) -> Wanted:
    headers = told.get("headers", {})
    body = told.get("body")
    return Wanted(
        told.get("status"),
        told.get("path"),
        None if body is None else body.encode(),
        tuple(
            (name, re.compile(value["matches"]) if isinstance(value, dict) else value)
            for name, value in headers.items()
        ),
    )
