"""Which module each proxy of a cluster serves, asked of its admin interface through the API server."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from ..errors import ClusterUnreachable, DeployError
from .cluster import Cluster, Json
from .deployment import Deployment
from .history import Version
from .pods import Proxy, proxies
from .product import PodQuery
from .running import Running
from .serving import Names, Served, modules, serves

__all__ = ["PodsServing"]

MOST = 20
"""Pods that are asked; of a deployment with more, some tell enough."""


class PodsServing:
    """What pods serve, each asked once however many filters it runs."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._told: dict[tuple[str, str], tuple[Names, ...] | str] = {}
        self._lock = threading.Lock()

    def seen(self, made: Deployment, query: PodQuery, versions: Sequence[Version]) -> Deployment:
        """A deployment with what the proxies of a query serve of it, or a sentence that says why not."""
        return replace(made, serving=self._of(query, made.name, versions))

    def _of(self, query: PodQuery, name: str, versions: Sequence[Version]) -> tuple[Served, ...]:
        try:
            found = proxies(self._cluster, query)
        except ClusterUnreachable:
            raise
        except DeployError as error:
            return (Served("the proxies", why=error.what),)
        if not found:
            return (Served("the proxies", why=f"no pod has labels {query.labels or 'of a proxy'}"),)
        with ThreadPoolExecutor(max_workers=8) as pool:
            told = list(pool.map(lambda each: self._ask(each[0], each[1], query.admin), found[:MOST]))
        served = [
            Served(f"{proxy.namespace}/{proxy.name}", why=modules_or_why)
            if isinstance(modules_or_why, str)
            else serves(modules_or_why, name, versions, f"{proxy.namespace}/{proxy.name}")
            for (proxy, _), modules_or_why in zip(found, told, strict=False)
        ]
        if rest := len(found) - MOST:
            served += [Served(f"{rest} more pods", why=f"{MOST} are asked")] if rest > 0 else []
        return tuple(served)

    def _ask(self, proxy: Proxy, pod: Json, port: int) -> tuple[Names, ...] | str:
        key = proxy.namespace, proxy.name
        with self._lock:
            known = self._told.get(key)
        if known is None:
            try:
                known = tuple(modules(_admin(self._cluster, pod, port).at_work()))
            except DeployError as error:
                known = error.what
            with self._lock:
                self._told[key] = known
        return known


def _admin(cluster: Cluster, pod: Json, port: int) -> Running:
    """The admin interface of the Envoy in a pod."""
    meta = pod["metadata"]
    return Running(
        lambda path, method: cluster.pod_port(pod, port, path, method), f"{meta['namespace']}/{meta['name']}"
    )
