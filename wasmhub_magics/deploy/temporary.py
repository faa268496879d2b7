"""Objects in a cluster that are there for a time: they are a filter's by a label, so that none stays unseen.

A Python that is killed (``kill -9``) cannot delete them: the share of a canary goes on, and a route that is
there for proxies to fetch a module remains.
"""

from __future__ import annotations

import hashlib
from typing import Literal, TypeAlias

from ..errors import ClusterUnreachable, DeployError
from .cluster import Cluster, Json, Kind
from .product import Product

__all__ = ["clear", "labelled", "told"]

Purpose: TypeAlias = Literal["canary", "fetch"]

PREFIX = "wasmhub.filter/"
LONGEST = 63
"""Of a label's value."""
DOING: dict[Purpose, str] = {
    "canary": "a canary takes a share of the requests",
    "fetch": "proxies are made to fetch a module",
}


def labelled(manifest: Json, name: str, purpose: Purpose) -> Json:
    """The manifest of an object that is made for this filter."""
    meta = manifest["metadata"]
    labels = {**(meta.get("labels") or {}), PREFIX + purpose: _value(name)}
    return {**manifest, "metadata": {**meta, "labels": labels}}


def clear(cluster: Cluster, product: Product, name: str, *purposes: Purpose) -> None:
    """Delete what was made for a filter and is still there."""
    for purpose in purposes:
        for kind, each in _left(cluster, product, name, purpose):
            cluster.delete(kind, each)


def told(cluster: Cluster, product: Product, name: str) -> tuple[str, ...]:
    """Notes for the status where such objects are there, by whomever."""
    notes = []
    for purpose, doing in DOING.items():
        if found := _left(cluster, product, name, purpose):
            names = ", ".join(f"{kind.kind} {each}" for kind, each in found)
            notes.append(f"{doing} ({names}); where nobody sees to it, the next one or undeploying ends it")
    return tuple(notes)


def _left(cluster: Cluster, product: Product, name: str, purpose: Purpose) -> list[tuple[Kind, str]]:
    """What is there; nothing where that may not be listed."""
    found = []
    for kind in product.splits:
        try:
            objects = cluster.objects(kind, f"{PREFIX}{purpose}={_value(name)}")
        except ClusterUnreachable:
            raise
        except DeployError:
            continue
        found += [(kind, str(each["metadata"]["name"])) for each in objects]
    return found


def _value(name: str) -> str:
    """The name as a label can have it."""
    if len(name) <= LONGEST:
        return name
    return f"{name[:50].rstrip('-.')}-{hashlib.sha256(name.encode()).hexdigest()[:12]}"
