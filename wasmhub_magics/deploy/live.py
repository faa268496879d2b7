"""The local Envoy at one moment: its filters and what they count, the last requests, its log level."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .running import FilterState
from .tables import table_html, table_text

__all__ = ["Access", "Live", "access_from"]


@dataclass(frozen=True, slots=True)
class Access:
    """One line of the access log: times are microseconds, ``details`` say who answered and why."""

    at: str
    method: str
    path: str
    status: int
    micros: int
    details: str
    flags: str


@dataclass(frozen=True, slots=True)
class Live:
    """An Envoy at one moment; ``state`` is serving, stopped or none. One of somebody else has no ``url``."""

    state: str
    url: str = ""
    admin: str = ""
    log_level: str = ""
    requests: int = 0
    errors: int = 0
    machines: int = 0
    unclear: int = 0
    """Traps at a place that several modules have, so that nobody can tell whose they are."""
    filters: tuple[FilterState, ...] = ()
    access: tuple[Access, ...] = ()

    def _head(self) -> str:
        if self.state != "serving":
            if self.admin:
                return f"the Envoy with admin interface {self.admin} does not answer"
            return "no local Envoy runs" if self.state == "none" else "the local Envoy has stopped"
        return (
            f"{self.url or 'Envoy'} (admin {self.admin}, wasm log level {self.log_level}): "
            f"{self.requests} requests, "
            f"{self.errors} failed, {self.machines} virtual machines"
            + (f", {self.unclear} traps that fit several filters" if self.unclear else "")
        )

    def tables(self) -> tuple[tuple[Sequence[str], list[Sequence[str]]], ...]:
        """Filters and last requests, each as a head and rows."""
        filters = [
            (f.name, *map(str, (f.taken, f.refused, f.traps, f.reloads, f.reload_failures, f.waits)))
            for f in self.filters
        ]
        access = [
            (a.at[11:23], a.method, a.path, str(a.status), f"{a.micros / 1000:.2f} ms", a.details, a.flags)
            for a in reversed(self.access)
        ]
        head = ("filter", "taken", "refused", "traps", "reloads", "failed reloads", "waits")
        return (
            (head, list(filters)),
            (("at", "method", "path", "status", "time", "details", "flags"), list(access)),
        )

    def __repr__(self) -> str:
        return "\n".join([self._head(), *(table_text(*each) for each in self.tables() if each[1])])

    def _repr_html_(self) -> str:
        tables = "".join(table_html(*each) for each in self.tables() if each[1])
        return f"<div><b>{html.escape(self._head())}</b></div>{tables}"


def access_from(line: dict[str, Any]) -> Access:
    """One line of the log as Envoy writes it."""
    return Access(
        str(line.get("at") or ""),
        str(line.get("method") or ""),
        str(line.get("path") or ""),
        int(line.get("status") or 0),
        int(line.get("micros") or 0),
        str(line.get("details") or ""),
        str(line.get("flags") or "").strip("-"),
    )
