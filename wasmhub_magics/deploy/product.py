"""What a product that runs in a cluster is asked by the code that deploys to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from ..errors import DeployError
from .cluster import Cluster, Json, Kind
from .intent import Gap, Intent
from .seen import Seen

__all__ = ["Condition", "Health", "PodQuery", "Product", "Split", "conditions", "health_from"]

Health: TypeAlias = Literal["accepted", "refused", "waiting", "silent"]


@dataclass(frozen=True, slots=True)
class Condition:
    """One thing that a controller says about an object: ``status`` is True, False or Unknown."""

    type: str
    status: str
    reason: str = ""
    message: str = ""
    current: bool = True
    """Whether it speaks of the object as it is now, and not of an earlier generation."""

    def __str__(self) -> str:
        told = f"{self.type}={self.status}" + (f" ({self.reason})" if self.reason else "")
        return told + (f": {self.message}" if self.message else "")


@dataclass(frozen=True, slots=True)
class PodQuery:
    """Pods by their labels (``k=v,k=v``), of one namespace or, where it is empty, of all.

    ``container`` is the one that runs Envoy, ``port`` the one where it tells its statistics, ``admin`` that
    of its admin interface, which answers inside the pod only.
    """

    labels: str
    namespace: str = ""
    container: str = ""
    port: int = 0
    admin: int = 15000


@dataclass(frozen=True, slots=True)
class Split:
    """How a product gives a share of the requests to a new version, and how one learns what they come to.

    The ``objects`` do it as long as they are there; the last of them tells how it goes. Where ``switch`` has
    objects, those before only let the proxies fetch the module, and these, others of the same names, then do
    it. The access logs of ``pods`` note each request in a line that ``read`` reads, its latency to ``grain``
    microseconds.
    """

    objects: tuple[tuple[Kind, Json], ...]
    pods: PodQuery
    read: Callable[[str], Seen | None]
    grain: int = 0
    switch: tuple[tuple[Kind, Json], ...] = ()


class Product(Protocol):
    """A product's own words for an intent."""

    name: str
    title: str
    shared: bool
    """Whether one object carries the filters of several deployments in a list."""
    speaks: bool
    """Whether its controller writes into the object's status."""
    splits: tuple[Kind, ...] = ()
    """The kinds of objects that give a share of the requests to another version; none where it cannot."""
    makes: bool = True
    """Whether the object is made here, and not by somebody else."""

    @property
    def kinds(self) -> Sequence[Kind]:
        """The kinds that can say it, the preferred one first."""
        ...

    def object_name(self, intent: Intent) -> str:
        """The name of the object that carries the filter."""
        ...

    def gaps(self, intent: Intent) -> Iterable[Gap]:
        """What was asked for and the product cannot say."""
        ...

    def notes(self, intent: Intent) -> Iterable[str]:
        """What a user should know before it is applied."""
        ...

    def spec(self, intent: Intent, kind: Kind) -> Json:
        """The spec that says it; of a shared object with this filter only."""
        ...

    def entries(self, spec: Json) -> list[Json]:
        """The list in the spec of a shared object; changing it changes the spec."""
        ...

    def conditions(self, live: Json) -> tuple[Condition, ...]:
        """What the product's controller says about the object."""
        ...

    def ahead(
        self,
        manifest: Json,  # noqa: ARG002 most need none
        entry: Json,  # noqa: ARG002
        cluster: Cluster,  # noqa: ARG002
    ) -> Sequence[tuple[Kind, Json]]:
        """Objects by which proxies fetch a module before they serve with it; the last tells how it goes."""
        return ()

    def pods(self, live: Json) -> PodQuery:
        """The pods whose proxies run the filter of an object."""
        ...

    def split(
        self,
        live: Json,  # noqa: ARG002 most cannot
        kind: Kind,  # noqa: ARG002
        intent: Intent,  # noqa: ARG002
        percent: int,  # noqa: ARG002
        cluster: Cluster,  # noqa: ARG002
    ) -> Split:
        """What gives a share of the requests that meet an object to a new version of its filter.

        Raises DeployError where this object cannot be split, and where the product cannot (``splits``).
        """
        raise self.whole()

    def whole(self) -> DeployError:
        """The error where the product cannot split requests."""
        return DeployError(
            f"{self.title} has no way to give a share of the requests to another version of a filter",
            do="deploy it to some of the workloads first, or try the canary on envoy",
        )


def conditions(live: Json, listed: Iterable[Json] | None = None) -> tuple[Condition, ...]:
    """Conditions in the usual form: those of the status, or those given."""
    generation = live.get("metadata", {}).get("generation", 0)
    found = (live.get("status") or {}).get("conditions") or [] if listed is None else listed
    return tuple(
        Condition(
            str(each.get("type", "")),
            str(each.get("status", "")),
            str(each.get("reason", "")),
            str(each.get("message", "")),
            int(each.get("observedGeneration", generation) or generation) >= generation,
        )
        for each in found
    )


def health_from(found: Sequence[Condition]) -> Health:
    """What the conditions come to: one False is refused, all True is accepted, none is silent."""
    current = [each for each in found if each.current]
    if any(each.status == "False" for each in current):
        return "refused"
    if found and not current:
        return "waiting"
    if current and all(each.status == "True" for each in current):
        return "accepted"
    return "waiting" if current else "silent"
