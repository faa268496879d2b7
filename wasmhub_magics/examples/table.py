"""A table of exchanges: requests with what a filter is expected to make of them, kept as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ..errors import RequestError
from ..http import Request, Response
from .expectation import Expectation, read_expectation, read_response

__all__ = ["Table"]


class _Exchange(Protocol):
    @property
    def response(self) -> Response | None: ...
    @property
    def upstream_request(self) -> Request | None: ...
    @property
    def log(self) -> Sequence[Any]: ...


class _Proxy(Protocol):
    def send(self, request: Request, **options: Any) -> _Exchange: ...


@dataclass(frozen=True)
class Table:
    """Exchanges that a filter is expected to have, in this order, in one virtual machine."""

    config: Any
    """The configuration of the plugin: text, a JSON value, or None for none."""
    clusters: Mapping[str, Callable[[Request], Response]]
    """Who answers the filter's call-outs."""
    expectations: tuple[Expectation, ...]

    @classmethod
    def read(cls, path: str | Path) -> Table:
        """The table in a file. Raises RequestError where it cannot be read."""
        try:
            return cls.of(json.loads(Path(path).read_text()))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RequestError(
                f"this is no table of exchanges: {type(error).__name__}: {error}",
                where=str(path),
                do="see the exchanges.json of an exported filter",
            ) from None

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Table:
        """The table that a JSON object tells."""
        return cls(
            config=told.get("config"),
            clusters={name: _cluster(rules) for name, rules in told.get("clusters", {}).items()},
            expectations=tuple(map(read_expectation, told["exchanges"])),
        )

    def differences(self, proxy: _Proxy) -> list[str]:
        """In words, what a proxy with the filter does otherwise; empty where it does what is expected.

        The proxy needs the table's configuration and clusters.
        """
        found = []
        for number, wanted in enumerate(self.expectations, 1):
            given = {} if wanted.upstream is None else {"upstream": wanted.upstream}
            exchange = proxy.send(wanted.request, **given)
            said = wanted.differences(exchange.response, exchange.upstream_request)
            found += [f"{number}. {wanted.request.method} {wanted.request.path}: {one}" for one in said]
            found += [f"{number}. log: {line.message}" for line in exchange.log if said]
        return found


def _cluster(rules: Sequence[Mapping[str, Any]]) -> Callable[[Request], Response]:
    """A cluster that answers by the first rule whose path and headers a request has."""

    def answer(request: Request) -> Response:
        for rule in rules:
            headers = rule.get("headers", {})
            if rule.get("path", request.path) == request.path and all(
                request.headers.get(name) == value for name, value in headers.items()
            ):
                return read_response(rule["response"])
        return Response(404)

    return answer
