"""A case: a request, the world around it, and what is expected of the exchange."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from ..errors import RequestError
from ..http import Request
from ..proxy import Exchange
from .answers import Spec, check_spec

__all__ = ["PLAIN", "Case", "Expectation", "Value", "seen"]

Value: TypeAlias = "str | int | bool | None"

PLAIN = ("status", "body", "log", "asked", "outcome", "details", "upstream-body", "calls", "fuel-below")
"""What can be expected besides headers, which are ``response.NAME`` and ``upstream.NAME``."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """One thing that must hold for an exchange.

    ``what`` is one of ``PLAIN``, ``response.NAME`` (a header the client got) or ``upstream.NAME`` (a header
    the upstream saw, ``:method``, ``:path`` and ``:authority`` among them). ``value`` is text that must be
    equal; ``~ pattern`` a regular expression found in it; ``*`` anything; None that it is not there. A
    status may be ``2xx``; ``log`` and ``calls`` hold where one line or call contains the text; ``asked``
    (true or false) tells whether the upstream was asked. ``fuel-below`` is a number of instructions.
    """

    what: str
    value: Value

    def __post_init__(self) -> None:
        if self.what not in PLAIN and not re.match(r"(response|upstream)\.\S+$", self.what):
            raise RequestError(
                f"{self.what!r} is nothing that can be expected",
                do=f"use one of {', '.join(PLAIN)}, response.HEADER, upstream.HEADER",
            )
        if self.what in ("status", "fuel-below") and str(self.value).isdigit():
            object.__setattr__(self, "value", int(str(self.value)))
        elif self.what not in ("status", "asked", "fuel-below") and self.value is not None:
            object.__setattr__(self, "value", str(self.value))
        if self.what == "asked" and self.value is not None:
            object.__setattr__(self, "value", _truth(self.value))
        if isinstance(self.value, str) and self.value.startswith("~"):
            try:
                re.compile(self.value[1:].strip())
            except re.error as error:
                raise RequestError(
                    f"{self.value!r} is no regular expression: {error}", where=f"expectation {self.what}"
                ) from None

    def holds(self, exchange: Exchange) -> bool:
        """Whether the exchange is as expected."""
        found = seen(exchange, self.what)
        if self.what in ("log", "calls"):
            lines = found or ()
            assert isinstance(lines, tuple)
            return any(_matches(self.value, line, part=True) for line in lines) or (
                self.value is None and not lines
            )
        if self.what == "fuel-below":
            return isinstance(found, int) and found < int(self.value or 0)
        if self.what == "asked":
            return found is _truth(self.value)
        return _matches(self.value, None if found is None else str(found), part=False)

    def __str__(self) -> str:
        return f"{self.what}: {'not there' if self.value is None else self.value}"


def seen(exchange: Exchange, what: str) -> str | int | bool | tuple[str, ...] | None:
    """What an exchange has for the ``what`` of an expectation; None where it has none."""
    response, upstream = exchange.response, exchange.upstream_request
    if what == "status":
        return None if response is None else response.status
    if what == "body":
        return None if response is None else response.text
    if what == "log":
        return tuple(str(line) for line in exchange.log)
    if what == "calls":
        return tuple(f"{c.cluster}: {c.request.method} {c.request.path}" for c in exchange.calls)
    if what == "asked":
        return upstream is not None
    if what == "outcome":
        return exchange.outcome
    if what == "details":
        return exchange.details
    if what == "upstream-body":
        return None if upstream is None else upstream.text
    if what == "fuel-below":
        return exchange.timing.fuel
    side, _, name = what.partition(".")
    if side == "response":
        return None if response is None else response.headers.get(name)
    if upstream is None:
        return None
    pseudo = {":method": upstream.method, ":path": upstream.path, ":authority": upstream.authority}
    return pseudo.get(name) or upstream.headers.get(name)


def _matches(value: Value, found: str | None, *, part: bool) -> bool:
    if value is None or found is None:
        return value is None and found is None
    text = str(value)
    if text == "*":
        return True
    if text.startswith("~"):
        return re.search(text[1:].strip(), found) is not None
    if re.fullmatch(r"[1-5]xx", text):
        return found.isdigit() and found[0] == text[0]
    return text in found if part else text == found


def _truth(value: Value) -> bool:
    return value if isinstance(value, bool) else str(value).lower() in ("true", "yes", "1", "*")


@dataclass(frozen=True, slots=True)
class Case:
    """A request with a name, what answers it, and what is expected.

    ``upstream`` and the values of ``clusters`` are as ``answers.answer_from`` takes them: ``echo``, a status,
    or a mapping; ``config`` is the plugin configuration, None leaves it as the filter has it. ``weight`` is
    its share in a mix of requests that is measured.
    """

    name: str
    request: Request
    expect: tuple[Expectation, ...] = ()
    upstream: Spec = "echo"
    clusters: Mapping[str, Spec] = field(default_factory=dict)
    config: str | None = None
    weight: float = 1.0

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise RequestError("a case has no name", do="give it one: results are told by names")
        if not 0 <= self.weight < float("inf"):
            raise RequestError(f"{self.weight} is no weight", where=f"case {self.name}", do="use 0 or more")
        check_spec(self.upstream, f"upstream of case {self.name}", cluster=False)
        for name, spec in self.clusters.items():
            check_spec(spec, f"cluster {name} of case {self.name}", cluster=True)

    def replace(self, **changes: Any) -> Case:
        """A changed copy; the names are those of the fields."""
        return replace(self, **changes)

    def __iter__(self) -> Iterator[Expectation]:
        return iter(self.expect)
