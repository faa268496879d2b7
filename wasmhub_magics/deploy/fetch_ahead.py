"""Modules that proxies fetch before they serve with them."""

from __future__ import annotations

import contextlib
import copy
import time
from collections.abc import Iterator

from ..errors import ClusterUnreachable, DeployError, Refused
from .cluster import Cluster, Json, Kind
from .history import Version
from .placed import Placed
from .pods import fetches, spread
from .product import Product, health_from
from .temporary import clear, labelled

__all__ = ["fetched_ahead", "heard"]

POLL_SECONDS = 0.2


@contextlib.contextmanager
def fetched_ahead(
    cluster: Cluster, product: Product, manifest: Json, placed: Placed, version: Version, *, wait: float
) -> Iterator[tuple[str, ...]]:
    """Let the proxies fetch the module of a version before the block, and clean up after it.

    Gives what is to be said about it. Raises Refused where the controller cannot get the module: nothing has
    changed then. Who does not ``wait`` goes without.
    """
    entry = version.applied
    there = product.entries(copy.deepcopy(placed.live.get("spec") or {}))
    now = next((each for each in there if each.get("name") == placed.entry), {})
    if not product.shared or wait <= 0 or now.get("code") == entry.get("code"):
        yield ()
        return
    made: list[tuple[Kind, str]] = []
    told: tuple[str, ...] = ()
    try:
        try:
            live: Json = {}
            query = product.pods({**manifest, "metadata": {"namespace": cluster.namespace}})
            before = fetches(cluster, query)
            clear(cluster, product, placed.name, "fetch")
            for kind, each in product.ahead(manifest, entry, cluster):
                live = cluster.apply(labelled(each, placed.name, "fetch"), kind, force=True)
                made.append((kind, each["metadata"]["name"]))
            if made:
                live = heard(cluster, product, made[-1][0], live, wait)
                _unless_refused(product, live, cluster)
                spread(cluster, query, before)
        except (ClusterUnreachable, Refused):
            raise
        except DeployError as error:
            told = (f"not fetched ahead, so proxies may keep the code that they run: {error.what}",)
        yield told
    finally:
        for kind, name in reversed(made):
            with contextlib.suppress(DeployError):
                cluster.delete(kind, name)


def heard(cluster: Cluster, product: Product, kind: Kind, live: Json, wait: float) -> Json:
    """The object when the controller has spoken of this very generation, or when the time is over."""
    deadline = time.monotonic() + wait
    while product.speaks:
        health = health_from(product.conditions(live))
        if health in ("accepted", "refused") or time.monotonic() > deadline:
            break
        time.sleep(POLL_SECONDS)
        live = cluster.get(kind, live["metadata"]["name"]) or live
    return live


def _unless_refused(product: Product, live: Json, cluster: Cluster) -> None:
    found = product.conditions(live)
    if health_from(found) == "refused":
        told = "; ".join(str(each) for each in found if each.status == "False")
        raise Refused(
            f"{product.title} refuses it: {told}",
            where=f"a trial in {cluster.place}",
            do="nothing has changed: what served goes on serving",
        )
