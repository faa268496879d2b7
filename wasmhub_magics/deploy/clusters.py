"""The targets in clusters, and the deployments that were made there from here."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import DeployError
from ..plugin import Plugin
from . import preflight
from .cluster import Cluster
from .cluster_canary import canary
from .deployment import Deployment
from .envoy_gateway import EnvoyGateway
from .envoyfilter import EnvoyFilter
from .gaps import inexpressible
from .gloo import Gloo
from .higress import Higress
from .history import History
from .intent import Intent, Phase, Ref, Side, make_scope
from .istio import Istio
from .kubernetes import ClusterDeployments
from .logs import Logs
from .plan import Plan
from .product import Product
from .rollout import Rollout
from .watching import Trial

__all__ = ["PRODUCTS", "ClusterTarget"]

PRODUCTS: dict[str, Product] = {
    product.name: product for product in (Istio(), EnvoyFilter(), EnvoyGateway(), Gloo(), Higress())
}


@dataclass(frozen=True, slots=True)
class _Made:
    """A deployment that was made from here: the place, and what was last known of it."""

    there: ClusterDeployments
    last: Deployment


class ClusterTarget:
    """One product, in whatever clusters and namespaces; it remembers where it has deployed what."""

    def __init__(self, product: Product) -> None:
        self.product = product
        self.name = product.name
        self._lock = threading.RLock()
        self._made: dict[str, _Made] = {}

    def deploy(
        self,
        plugin: Plugin,
        *,
        adopt: bool = False,
        lossy: bool = False,
        wait: float = 20.0,
        kubeconfig: str | Path = "",
        context: str = "",
        namespace: str = "",
        **options: Any,
    ) -> Deployment:
        """Apply a filter to the cluster; the options beside the cluster are those of ``intent``.

        ``adopt`` takes fields and objects over from their owners, ``lossy`` goes without what the product
        cannot say, ``wait`` are the seconds that its controller has to answer. Raises DeployError, HubError,
        LinkError and EnvoyRejected with the reason, before anything is applied where it can be known.
        """
        self._cannot(plugin, options, lossy=lossy)
        unchecked = preflight.check(plugin)
        there = self._open(kubeconfig, context, namespace)
        made = there.deploy(self._intent(plugin, **options), adopt=adopt, lossy=lossy, wait=wait)
        with self._lock:
            self._made[made.name] = _Made(there, made)
        return replace(made, notes=(*made.notes, *unchecked))

    def canary(
        self,
        plugin: Plugin,
        trial: Trial,
        *,
        adopt: bool = False,
        lossy: bool = False,
        wait: float = 20.0,
        kubeconfig: str | Path = "",
        context: str = "",
        namespace: str = "",
        **options: Any,
    ) -> Rollout:
        """Try a new version, by the options of ``deploy``; nothing has changed where that cannot be."""
        if not self.product.splits:
            raise self.product.whole()
        self._cannot(plugin, options, lossy=lossy)
        preflight.check(plugin)
        there = self._open(kubeconfig, context, namespace)
        rolled = canary(there, self._intent(plugin, **options), trial, adopt=adopt, lossy=lossy, wait=wait)
        with self._lock:
            self._made[rolled.deployment.name] = _Made(there, rolled.deployment)
        return rolled

    def plan(
        self,
        plugin: Plugin,
        *,
        adopt: bool = False,
        kubeconfig: str | Path = "",
        context: str = "",
        namespace: str = "",
        lossy: bool = True,
        **options: Any,
    ) -> Plan:
        """What deploying would change, asked of the cluster by a dry run; gaps are listed, not raised."""
        there = self._open(kubeconfig, context, namespace)
        return there.plan(self._intent(plugin, **options), adopt=adopt, lossy=lossy)

    def status(self, **where: Any) -> tuple[Deployment, ...]:
        """What the cluster says of all that was deployed from here, or of all in the place that is named."""
        if where:
            return self._open(**where).status()
        with self._lock:
            every = tuple(self._made.values())
        if not every:
            return ()
        with ThreadPoolExecutor(max_workers=8) as pool:  # a cluster that is down takes its time to say so
            return tuple(pool.map(_asked, every))

    def forget(self, name: str = "") -> tuple[Deployment, ...]:
        """Look no longer after one of them, or after all; what was forgotten."""
        with self._lock:
            names = [each for each in self._made if name in ("", each)]
            return tuple(self._made.pop(each).last for each in names)

    def undeploy(self, name: str, **where: Any) -> Deployment:
        """Take a filter away, so that nothing of it is left."""
        gone = self._place(name, where).undeploy(name)
        with self._lock:
            self._made.pop(name, None)
        return gone

    def rollback(self, name: str, to: int | None = None, *, wait: float = 20.0, **where: Any) -> Deployment:
        """Apply an earlier version again."""
        return self._place(name, where).rollback(name, to, wait=wait)

    def logs(self, name: str, last: int = 50, **where: Any) -> Logs:
        """What the proxies that run a filter have logged about Wasm."""
        return self._place(name, where).logs(name, last)

    def history(self, name: str, **where: Any) -> History:
        """The versions of a deployment, as the cluster keeps them."""
        return self._place(name, where).history(name)

    def knows(self, name: str) -> bool:
        """Whether it was deployed from here."""
        with self._lock:
            return name in self._made

    def names(self) -> list[str]:
        """What was deployed from here."""
        with self._lock:
            return list(self._made)

    def _place(self, name: str, where: dict[str, Any]) -> ClusterDeployments:
        with self._lock:
            if not where and name in self._made:
                return self._made[name].there
        return self._open(**where)

    def _open(
        self, kubeconfig: str | Path = "", context: str = "", namespace: str = ""
    ) -> ClusterDeployments:
        cluster = Cluster(kubeconfig=kubeconfig, context=context, namespace=namespace)
        return ClusterDeployments(self.product, cluster)

    def _cannot(self, plugin: Plugin, options: dict[str, Any], *, lossy: bool) -> None:
        """Say what is missing before anything is fetched or asked."""
        if lossy:
            return
        gaps = tuple(self.product.gaps(self._intent(plugin, fetch=False, **options)))
        if gaps:
            raise inexpressible(gaps, self.product.title, f"{plugin.name} on {self.name}")

    def _intent(
        self,
        plugin: Plugin,
        *,
        image: Any = "",
        url: str = "",
        labels: dict[str, str] | None = None,
        on: str | Ref | tuple[str | Ref, ...] = (),
        ports: tuple[int, ...] = (),
        side: Side = "",
        domains: tuple[str, ...] = (),
        phase: Phase = "",
        priority: int = 0,
        pull_secret: str = "",
        pull_always: bool = False,
        host_env: tuple[str, ...] = (),
        fetch: bool = True,
        **hub: Any,
    ) -> Intent:
        unknown = set(hub) - {"username", "password", "insecure", "tls_verify", "timeout"}
        if unknown:
            raise DeployError(
                f"{self.product.title} takes no {', '.join(sorted(unknown))}",
                do="it takes image, url, on, labels, ports, side, domains, phase, priority, pull_secret, "
                "pull_always, host_env, context, namespace, kubeconfig, adopt, lossy and wait",
            )
        scope = make_scope(labels=labels, on=on, ports=ports, side=side, domains=domains)
        return Intent(
            plugin,
            preflight.source(plugin, image=image, url=url, title=self.product.title, **hub)
            if fetch
            else None,
            scope,
            phase,
            priority,
            pull_secret,
            pull_always,
            tuple(host_env),
        )


def _asked(made: _Made) -> Deployment:
    """A deployment as its cluster sees it now; as it was, with the reason, where that cannot be known."""
    try:
        return next(each for each in made.there.status() if each.name == made.last.name)
    except DeployError as error:
        return replace(made.last, state="unknown", conditions=(), events=(), notes=(error.what,))
    except StopIteration:
        told = "somebody else has taken it away there; forget() leaves it out here"
        return replace(made.last, state="gone", conditions=(), events=(), notes=(told,))
