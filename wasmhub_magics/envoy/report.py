"""A parity report: where the embedded proxy and the real Envoy differ, request by request."""

from __future__ import annotations

import html
from dataclasses import dataclass

from ..http import Request
from ..proxy.exchange import Exchange

__all__ = ["Difference", "ParityReport"]

SHOWN = 200


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not the same; ``exchange`` counts from 0 and is None for the start of the filters."""

    exchange: int | None
    field: str
    embedded: str
    envoy: str

    def __str__(self) -> str:
        where = "start" if self.exchange is None else f"request {self.exchange}"
        return (
            f"{where}, {self.field}:\n  embedded: {_short(self.embedded)}\n  envoy:    {_short(self.envoy)}"
        )


@dataclass(frozen=True, slots=True)
class ParityReport:
    """What came out of sending the same requests through both proxies.

    ``exchanges`` holds an embedded and a real exchange for each request; it is empty where a filter did not
    start. ``left_out`` says what was not compared, and why.
    """

    filters: tuple[str, ...]
    requests: tuple[Request, ...]
    exchanges: tuple[tuple[Exchange, Exchange], ...]
    differences: tuple[Difference, ...]
    left_out: tuple[str, ...]
    envoy_version: str
    refused: str = ""
    """Why both refused to start the filters; empty where they started."""

    @property
    def agrees(self) -> bool:
        """Whether nothing that was compared differs."""
        return not self.differences

    @property
    def summary(self) -> str:
        """The outcome in one sentence."""
        count = len(self.requests)
        names = ", ".join(self.filters) or "no filter"
        both = f"the embedded proxy and Envoy {self.envoy_version}"
        if self.refused:
            return f"{names}: {both} both refuse to start: {self.refused}"
        asked = f"{count} request{'' if count == 1 else 's'}"
        if self.agrees:
            return f"{names}: {both} agree on {asked}"
        found = len(self.differences)
        return f"{names}: {both} differ in {found} point{'' if found == 1 else 's'} on {asked}"

    def __repr__(self) -> str:
        lines = [self.summary, *map(str, self.differences), "not compared:"]
        return "\n".join([*lines, *(f"  {what}" for what in self.left_out)])

    def _repr_html_(self) -> str:
        mark = "✓" if self.agrees else "✗"
        left_out = "".join(f"<li>{html.escape(what)}</li>" for what in self.left_out)
        return (
            f"<div><b>{mark}</b> {html.escape(self.summary)}</div>{self._table()}"
            f"<details><summary>not compared</summary><ul>{left_out}</ul></details>"
        )

    def _table(self) -> str:
        head = "".join(
            f"<th style='text-align:left'>{title}</th>"
            for title in ("request", "status", "upstream asked", "log lines", "verdict")
        )
        rows = []
        for number, (request, (_, real)) in enumerate(zip(self.requests, self.exchanges, strict=False)):
            found = [d for d in self.differences if d.exchange == number]
            status = real.outcome if real.response is None else str(real.response.status)
            asked = "yes" if real.upstream_request is not None else "no"
            cells = [f"{request.method} {request.path}", status, asked, str(len(real.log))]
            rows.append(_cells([*cells, "differs" if found else "same"]) + "".join(map(_difference, found)))
        start = "".join(_difference(d) for d in self.differences if d.exchange is None)
        if not rows and not start:
            return ""
        return f"<table><thead><tr>{head}</tr></thead><tbody>{start}{''.join(rows)}</tbody></table>"


def _cells(values: list[str]) -> str:
    return (
        "<tr>"
        + "".join(f"<td style='text-align:left'>{html.escape(value)}</td>" for value in values)
        + "</tr>"
    )


def _difference(difference: Difference) -> str:
    field = difference.field if difference.exchange is not None else f"start: {difference.field}"
    mine, other = html.escape(_short(difference.embedded)), html.escape(_short(difference.envoy))
    return (
        "<tr><td colspan='5' style='text-align:left;padding-left:2em'>"
        f"{html.escape(field)}: embedded <code>{mine}</code>, Envoy <code>{other}</code></td></tr>"
    )


def _short(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}... ({len(text)} characters)"
