"""The pods whose proxies run a filter: which there are, what they say, and what they have fetched."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import DeployError
from .cluster import Cluster, Json
from .product import PodQuery

__all__ = ["Proxy", "fetches", "log_lines", "proxies", "spread"]

SPREAD_SECONDS = 5.0
"""How long proxies are given to fetch a module where nobody may look: it is a few hundred kilobytes at most
from inside the cluster."""
POLL_SECONDS = 0.1
ISTIO_TO_ENVOY = 8
"""The minor release of Envoy in Istio 1.N is N + 8: 1.24 has 1.32, 1.28 has 1.36."""
_FETCHED = re.compile(
    r"^envoy_wasm_remote_load_(?:fetch_successes|cache_hits)(?:\{[^}]*\})? (\d+)", re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class Proxy:
    """A pod with a proxy: its image, whether it is ready, and its release of Envoy where that is known."""

    namespace: str
    name: str
    image: str
    ready: bool
    envoy: str = ""

    def __str__(self) -> str:
        release = f", Envoy {self.envoy}" if self.envoy else ""
        return f"{self.namespace}/{self.name} ({self.image}{release}){'' if self.ready else ' not ready'}"


def proxies(cluster: Cluster, query: PodQuery) -> tuple[tuple[Proxy, Json], ...]:
    """The proxies of a query with their pods. Raises DeployError where they may not be listed."""
    found = []
    for pod in cluster.pods(query.labels, query.namespace):
        spec = pod.get("spec") or {}
        containers = [*(spec.get("containers") or []), *(spec.get("initContainers") or [])]
        image = next((c.get("image", "") for c in containers if c.get("name") == query.container), None)
        if image is None:
            continue
        conditions = (pod.get("status") or {}).get("conditions") or []
        ready = any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions)
        meta = pod["metadata"]
        found.append((Proxy(meta["namespace"], meta["name"], image, ready, envoy_in(image)), pod))
    return tuple(found)


def envoy_in(image: str) -> str:
    """The release of Envoy in an image of Envoy's or of Istio's, by its tag; empty where it tells none."""
    name, _, tag = image.partition("@")[0].rpartition(":")
    if name.endswith("/proxyv2") and (release := re.match(r"1\.(\d+)", tag)):
        return f"1.{int(release[1]) + ISTIO_TO_ENVOY}"
    if name.endswith("/envoy") and (release := re.search(r"v?(1\.\d+)\.\d+", tag)):
        return release[1]
    return ""


def log_lines(cluster: Cluster, pod: Json, container: str, last: int) -> tuple[str, ...]:
    """The last lines of a proxy's log. Raises DeployError where they cannot be read."""
    text = cluster.pod_text(pod, "/log", "reading the log of", container=container, tailLines=str(last))
    return tuple(text.splitlines())


def fetches(cluster: Cluster, query: PodQuery) -> dict[str, int]:
    """How often each proxy has got a module, by its own count; empty where that cannot be read."""
    found = {}
    try:
        for proxy, pod in proxies(cluster, query):
            path = f":{query.port}/proxy/stats/prometheus"
            text = cluster.pod_text(pod, path, "reading the statistics of")
            found[proxy.name] = sum(map(int, _FETCHED.findall(text)))
    except DeployError:
        return {}
    return found


def spread(cluster: Cluster, query: PodQuery, before: dict[str, int]) -> None:
    """Wait until every proxy has fetched once more than ``before``, or for the time that it takes at most."""
    deadline = time.monotonic() + SPREAD_SECONDS
    while time.monotonic() < deadline:
        if before and _all_have(fetches(cluster, query), before):
            return
        time.sleep(POLL_SECONDS)


def _all_have(now: dict[str, int], before: dict[str, int]) -> bool:
    names: Sequence[str] = [name for name in now if name in before]
    return bool(names) and all(now[name] > before[name] for name in names)
