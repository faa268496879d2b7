"""A deployment: a filter at work in a proxy, and the list of all of them."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol, TypeAlias

from ..errors import DeployError
from ..plugin import Plugin
from ..proxy.exchange import LogLine
from .product import Condition
from .serving import Served
from .tables import table_html, table_text

__all__ = ["Deployment", "State", "Status", "Target"]

State: TypeAlias = Literal[
    "serving",
    "stopped",
    "undeployed",
    "written",
    "applied",
    "waiting",
    "accepted",
    "refused",
    "unknown",
    "gone",
]
"""``applied``: the cluster keeps it and the product writes nothing about it. ``written``: files were.
``unknown``: its cluster does not say. ``gone``: somebody else has taken it away."""


def _no_log() -> tuple[LogLine, ...]:
    return ()


@dataclass(frozen=True, slots=True)
class Deployment:
    """A filter at work in a proxy, as it was at one moment; ``status()`` tells it anew.

    ``version`` counts the deployments under this name from 1. ``seconds`` went by from the call to the new
    code serving, ``swap_seconds`` of them in the proxy itself: its start the first time, then the swap; the
    rest is the check beforehand. ``requests`` and ``errors`` (5xx answers) count since ``since``, over all
    filters of the same proxy. ``place`` and ``source`` tell where it is in a cluster and where the product
    fetches it; ``conditions`` are what the product's controller says, ``events`` what the cluster noted,
    ``serving`` what each proxy serves by its own account, where ``status`` could ask it.
    """

    name: str
    target: str
    url: str
    digest: str
    version: int
    since: datetime
    state: State
    seconds: float
    swap_seconds: float
    requests: int = 0
    errors: int = 0
    place: str = ""
    source: str = ""
    conditions: tuple[Condition, ...] = ()
    events: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    serving: tuple[Served, ...] = ()
    _read_log: Callable[[], tuple[LogLine, ...]] = field(default=_no_log, repr=False, compare=False)

    @property
    def log(self) -> tuple[LogLine, ...]:
        """What the filter has logged since it was deployed, as far as the proxy keeps it."""
        return self._read_log()

    def __repr__(self) -> str:
        first = (
            f"<Deployment {self.name} version {self.version} {self.state} on {self.target} at {self.where}, "
            f"{self._summary}>"
        )
        return "\n".join([first, *(f"  {line}" for line in self._told())])

    @property
    def where(self) -> str:
        """Its address, or its place in a cluster."""
        return self.url or self.place

    def _told(self) -> list[str]:
        told = [str(condition) for condition in self.conditions]
        told += [f"event: {event}" for event in self.events] + [f"note: {n}" for n in self.notes]
        return told + [str(each) for each in self.serving]

    def _repr_html_(self) -> str:
        where = (
            f"<a href='{html.escape(self.url)}'>{html.escape(self.url)}</a>"
            if self.state == "serving"
            else html.escape(f"{self.state} {self.where}".strip())
        )
        told = "".join(f"<div style='opacity:.8'>{html.escape(line)}</div>" for line in self._told())
        return (
            f"<div><b>{html.escape(self.name)}</b> version {self.version} on {html.escape(self.target)}: "
            f"{where} <span style='opacity:.7'>{html.escape(self._summary)}</span>{told}</div>"
        )

    @property
    def _summary(self) -> str:
        live, swap = self.seconds * 1000, self.swap_seconds * 1000
        if not self.url:
            return f"{self.digest[:19]} from {self.source}" if self.source else self.digest[:19]
        return f"{self.digest[:19]}, live in {live:.0f} ms, {swap:.0f} ms of them in the proxy"


@dataclass(frozen=True, slots=True)
class Status:
    """All deployments, in the order in which a request meets them."""

    deployments: tuple[Deployment, ...]

    def __iter__(self) -> Iterator[Deployment]:
        return iter(self.deployments)

    def __len__(self) -> int:
        return len(self.deployments)

    def __getitem__(self, name: str) -> Deployment:
        """The deployment of that name. Raises DeployError where there is none."""
        for deployment in self.deployments:
            if deployment.name == name:
                return deployment
        raise unknown(name, [d.name for d in self.deployments])

    def __repr__(self) -> str:
        if not self.deployments:
            return "nothing is deployed"
        return "\n".join([table_text(COLUMNS, list(map(_row, self.deployments))), *self._told()])

    def _told(self) -> list[str]:
        return [
            f"{d.name} on {d.target}: {line}" for d in self.deployments for line in (*d.notes, *d.serving)
        ]

    def _repr_html_(self) -> str:
        if not self.deployments:
            return "<div>nothing is deployed</div>"
        told = "".join(f"<div style='opacity:.8'>{html.escape(line)}</div>" for line in self._told())
        return table_html(COLUMNS, list(map(_row, self.deployments))) + told


class Target(Protocol):
    """A place where filters can be deployed."""

    name: str

    def deploy(self, plugin: Plugin, *args: Any, **options: Any) -> Deployment:
        """Put a plugin to work, or replace the one of the same name."""
        ...

    def undeploy(self, name: str) -> Deployment:
        """Take a plugin out of service; the deployment as it was."""
        ...

    def status(self) -> tuple[Deployment, ...]:
        """All that this target serves."""
        ...


COLUMNS = ("filter", "state", "version", "digest", "requests", "errors", "target", "at")


def _row(d: Deployment) -> tuple[str, ...]:
    return (
        d.name,
        d.state,
        str(d.version),
        d.digest[:19],
        str(d.requests),
        str(d.errors),
        d.target,
        d.where,
    )


def unknown(name: str, names: list[str], place: str = "") -> DeployError:
    """The error for a name under which nothing is deployed."""
    return DeployError(
        f"no filter is deployed as {name!r}",
        where=place,
        do=f"choose one of: {', '.join(names)}" if names else "nothing is deployed; deploy a filter first",
    )
