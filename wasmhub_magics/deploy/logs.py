"""What a deployed filter has logged, wherever it runs."""

from __future__ import annotations

import html
from collections.abc import Iterator
from dataclasses import dataclass

from ..errors import DeployError
from ..proxy.exchange import LogLine
from .cluster import Cluster
from .pods import log_lines, proxies
from .product import PodQuery
from .shares import MARK

__all__ = ["Logged", "Logs", "from_envoy", "from_pods"]

ACCESS = ("{", MARK)
"""How the lines of access logs begin, which may name a filter, too."""
COLOURS = {"warn": "#b7791f", "error": "#d13438", "critical": "#d13438"}


@dataclass(frozen=True, slots=True)
class Logged:
    """One line, of the proxy ``at``."""

    at: str
    level: str
    text: str

    def __str__(self) -> str:
        return f"[{self.level}] {self.text}" + (f"  ({self.at})" if self.at else "")


@dataclass(frozen=True, slots=True)
class Logs:
    """What a filter has logged, oldest first, and ``notes`` about proxies that do not tell."""

    name: str
    target: str
    lines: tuple[Logged, ...]
    notes: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[Logged]:
        return iter(self.lines)

    def __len__(self) -> int:
        return len(self.lines)

    def __repr__(self) -> str:
        told = [*map(str, self.lines), *(f"note: {note}" for note in self.notes)]
        return "\n".join(told) or f"{self.name} has logged nothing on {self.target}"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<div style='color:{COLOURS.get(line.level, 'inherit')};white-space:pre-wrap'>"
            f"{html.escape(str(line))}</div>"
            for line in self.lines
        )
        notes = "".join(f"<div style='opacity:.8'>note: {html.escape(note)}</div>" for note in self.notes)
        empty = "" if rows or notes else html.escape(repr(self))
        return f"<div style='font-family:monospace'>{rows}{notes}{empty}</div>"


def from_envoy(name: str, lines: tuple[LogLine, ...], last: int) -> Logs:
    """The last lines of a filter in the local Envoy."""
    kept = lines[-last:] if last > 0 else ()
    return Logs(name, "envoy", tuple(Logged("", line.level, line.message) for line in kept))


def from_pods(cluster: Cluster, query: PodQuery, name: str, target: str, last: int) -> Logs:
    """The last lines about Wasm in the logs of all proxies that run a filter.

    Raises DeployError where the pods may not be listed.
    """
    lines: list[Logged] = []
    notes: list[str] = []
    found = proxies(cluster, query)
    for proxy, pod in found:
        try:
            text = log_lines(cluster, pod, query.container, 50 * last)
        except DeployError as error:
            notes.append(f"the log of {proxy} cannot be read: {error.what}")
            continue
        if not (pod.get("spec") or {}).get("nodeName"):
            notes.append(f"{proxy} waits for a node to run on")
        about = [line for line in text if "wasm" in line and not line.startswith(ACCESS)][-last:]
        lines += [Logged(f"{proxy.namespace}/{proxy.name}", _level(line), line) for line in about]
    if not found:
        notes.append(
            f"no pod of {cluster.context} runs it: none has the labels {query.labels or 'of a proxy'}"
        )
    return Logs(name, target, tuple(lines), tuple(notes))


def _level(line: str) -> str:
    return next((level for level in ("critical", "error", "warn", "info", "debug") if level in line), "info")
