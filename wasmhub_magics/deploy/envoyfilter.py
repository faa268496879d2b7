"""Istio's ``EnvoyFilter``: Envoy's own configuration, for what the extension resources cannot say."""

from __future__ import annotations

from collections.abc import Iterator

from .cluster import Cluster, Json, Kind
from .envoyjson import remote_filter
from .gaps import layout, scope
from .intent import Gap, Intent
from .istio import agent_notes, agent_pods
from .istio_share import ENVOY_FILTER, discovery, istio_split
from .product import Condition, PodQuery, Product, Split, conditions

__all__ = ["EnvoyFilter"]

CONTEXT = {"": "ANY", "client": "SIDECAR_OUTBOUND", "server": "SIDECAR_INBOUND"}
TYPE = "type.googleapis.com/"
PREFIX = "wasmhub."
ATTACHABLE = ("Gateway", "GatewayClass", "Service", "ServiceEntry")


class EnvoyFilter(Product):
    """Deployments as two patches: the filter as a discovered extension, and its place before the router.

    Only discovered extensions get the agent's handling of ``oci://``.
    """

    name = "envoyfilter"
    title = "EnvoyFilter"
    kinds = (ENVOY_FILTER,)
    shared = False
    speaks = False
    splits = (ENVOY_FILTER,)

    def object_name(self, intent: Intent) -> str:
        """The filter's name."""
        return intent.object_name

    def gaps(self, intent: Intent) -> Iterator[Gap]:
        """Phases, pull secrets, and two ways of choosing at once."""
        if intent.phase:
            yield Gap(
                "phase", "EnvoyFilter puts the filter right before the router", "use priority, or istio"
            )
        if intent.pull_secret:
            yield Gap(
                "pull secret", "EnvoyFilter hands none to the agent", "use istio, or a registry without login"
            )
        if intent.pull_always:
            yield Gap("pull policy", "EnvoyFilter has none", "leave it out: the digest pins the image")
        if len(intent.scope.ports) > 1:
            yield Gap("ports", "EnvoyFilter matches one port", "name one, or deploy once per port")
        if intent.scope.labels and intent.scope.refs:
            yield Gap(
                "scope", "EnvoyFilter takes either workload labels or an attachment", "leave one of them out"
            )
        for ref in intent.scope.refs:
            if ref.kind not in ATTACHABLE or ref.section:
                yield Gap("attachment", f"Istio cannot attach to {ref}", f"use {', '.join(ATTACHABLE)}")
        yield from layout(intent, self.title)
        yield from scope(intent, self.title, ("labels", "refs", "ports", "side"))

    def notes(self, intent: Intent) -> Iterator[str]:
        """That it depends on Envoy's own names."""
        yield "EnvoyFilter depends on Envoy's own configuration and may break when Istio is updated"
        yield from agent_notes(intent)

    def spec(self, intent: Intent, kind: Kind) -> Json:  # noqa: ARG002 there is one kind
        """The two patches; an EnvoyFilter of lower priority is applied first, so the sign turns."""
        where = CONTEXT[intent.scope.side]
        listener: Json = {
            "filterChain": {
                "filter": {
                    "name": "envoy.filters.network.http_connection_manager",
                    "subFilter": {"name": "envoy.filters.http.router"},
                }
            }
        }
        if intent.scope.ports:
            listener["portNumber"] = intent.scope.ports[0]
        extension = f"{PREFIX}{intent.object_name}"
        spec: Json = {
            "configPatches": [
                {
                    "applyTo": "EXTENSION_CONFIG",
                    "match": {"context": where},
                    "patch": {
                        "operation": "ADD",
                        "value": {"name": extension, "typed_config": remote_filter(intent)},
                    },
                },
                {
                    "applyTo": "HTTP_FILTER",
                    "match": {"context": where, "listener": listener},
                    "patch": {
                        "operation": "INSERT_BEFORE",
                        "value": {"name": extension, "config_discovery": discovery()},
                    },
                },
            ]
        }
        if intent.priority:
            spec["priority"] = -intent.priority
        if intent.scope.labels:
            spec["workloadSelector"] = {"labels": dict(intent.scope.labels)}
        if intent.scope.refs:
            spec["targetRefs"] = [
                {"group": ref.group, "kind": ref.kind, "name": ref.name} for ref in intent.scope.refs
            ]
        return spec

    def entries(self, spec: Json) -> list[Json]:  # noqa: ARG002 one object carries one filter
        """There is no list."""
        return []

    def conditions(self, live: Json) -> tuple[Condition, ...]:
        """What istiod writes, which it does for waypoints only."""
        return conditions(live)

    def pods(self, live: Json) -> PodQuery:
        """The workloads that it chooses, in its namespace."""
        return agent_pods(live)

    def split(self, live: Json, kind: Kind, intent: Intent, percent: int, cluster: Cluster) -> Split:  # noqa: ARG002
        """An EnvoyFilter more that lets the filter's place run both versions."""
        return istio_split(live, (PREFIX + live["metadata"]["name"],), intent, percent, self.pods(live))
