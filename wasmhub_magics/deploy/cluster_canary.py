"""A rollout in a cluster: its objects are there for its time, and the version that won remains."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence

from ..errors import DeployError, Refused
from .cluster import Cluster, Json, Kind
from .fetch_ahead import POLL_SECONDS, heard
from .intent import Intent
from .kubernetes import ClusterDeployments
from .pod_witness import PodWitness
from .pods import fetches, spread
from .product import Product, Split, health_from
from .rollout import Rollout
from .temporary import clear, labelled
from .watching import Trial, nothing_there

__all__ = ["canary"]


def canary(
    there: ClusterDeployments,
    intent: Intent,
    trial: Trial,
    *,
    adopt: bool = False,
    lossy: bool = False,
    wait: float = 20.0,
) -> Rollout:
    """Let a share of the requests meet a new version; deploy it, or leave the old one, as they go.

    Raises DeployError where nothing is deployed to compare with, where the product cannot split requests or
    nobody can tell how they go, and as deploying does: nothing has changed then.
    """
    start = time.perf_counter()
    plan = there.plan(intent, adopt=adopt, lossy=lossy)
    if plan.new or not (now := [each for each in there.all() if each.name == intent.object_name]):
        raise nothing_there(intent.name, there.cluster.place)
    placed = now[0]
    split = there.product.split(placed.live, placed.kind, intent, trial.percent, there.cluster)
    witness = PodWitness(there.cluster, split)
    clear(there.cluster, there.product, intent.object_name, "canary")
    with _divided(there.cluster, there.product, split, intent.object_name, wait):
        seen = trial.watch(witness)
        if seen.good:
            made = there.deploy(intent, adopt=adopt, lossy=lossy, wait=wait)
    if not seen.good:
        made = next(each for each in there.status() if each.name == intent.object_name)
    return seen.rollout(start, made)


@contextlib.contextmanager
def _divided(cluster: Cluster, product: Product, split: Split, name: str, wait: float) -> Iterator[None]:
    """The objects of a split, as long as the block lasts."""
    made: list[tuple[Kind, str]] = []
    before = fetches(cluster, split.pods) if split.switch else {}
    try:
        live: Json = {}
        for kind, manifest in split.objects:
            made.append((kind, manifest["metadata"]["name"]))
            live = cluster.apply(labelled(manifest, name, "canary"), kind, force=True)
        found = product.conditions(heard(cluster, product, made[-1][0], live, wait))
        if health_from(found) == "refused":
            told = "; ".join(str(each) for each in found if each.status == "False")
            raise Refused(
                f"{product.title} refuses it: {told}",
                where=f"a canary in {cluster.place}",
                do="nothing has changed: what served goes on serving",
            )
        if split.switch:
            spread(cluster, split.pods, before)
            _apply(cluster, split.switch, name, wait)
        try:
            yield
        finally:
            if split.switch:  # no request may be on its way to what is deleted
                with contextlib.suppress(DeployError):
                    _apply(cluster, split.objects[: len(split.switch)], name, wait)
    finally:
        left = []
        for kind, each in made:
            try:
                cluster.delete(kind, each)
            except DeployError:
                left.append(f"{kind.plural} {each}")
        if left:
            raise DeployError(
                f"the canary may still be there: {', '.join(left)}",
                where=cluster.place,
                do="delete these when the cluster answers again; the version before it serves the rest",
            )


def _apply(cluster: Cluster, objects: Sequence[tuple[Kind, Json]], name: str, wait: float) -> None:
    """Apply routes, and wait until their controller has heard of each."""
    deadline = time.monotonic() + wait
    for kind, manifest in objects:
        live = cluster.apply(labelled(manifest, name, "canary"), kind, force=True)
        while not _heard_of(live) and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
            live = cluster.get(kind, manifest["metadata"]["name"]) or live


def _heard_of(route: Json) -> bool:
    generation = route["metadata"].get("generation", 0)
    parents = (route.get("status") or {}).get("parents") or []
    told = [each for parent in parents for each in parent.get("conditions") or []]
    return bool(told) and all(each.get("observedGeneration", 0) >= generation for each in told)
