"""Istio: ``WasmPlugin``, or ``TrafficExtension`` where the cluster serves it (Istio 1.30 and later)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from .cluster import Cluster, Json, Kind
from .gaps import common, config_object, layout, scope
from .intent import Gap, Intent
from .istio_share import ENVOY_FILTER, istio_split
from .product import Condition, PodQuery, Product, Split, conditions

__all__ = ["TRAFFIC_EXTENSION", "WASM_PLUGIN", "Istio", "agent_fields", "agent_notes", "agent_pods"]

TRAFFIC_EXTENSION = Kind("extensions.istio.io", "v1alpha1", "TrafficExtension", "trafficextensions")
WASM_PLUGIN = Kind("extensions.istio.io", "v1alpha1", "WasmPlugin", "wasmplugins")
STRATEGY = {"closed": "FAIL_CLOSE", "open": "FAIL_OPEN", "reload": "FAIL_RELOAD"}
IN_CHAIN = {
    "TrafficExtension": ("extensions.istio.io/trafficextension/{}",),
    "WasmPlugin": (
        "extensions.istio.io/trafficextension/{}~istio-translated-wasmplugin",  # since 1.30
        "extensions.istio.io/wasmplugin/{}",
        "extenstions.istio.io/wasmplugin/{}",  # Istio's own slip, before 1.26
    ),
}
"""The names under which Istio puts a filter into a chain, by release."""
ATTACHABLE = ("Gateway", "GatewayClass", "Service", "ServiceEntry")


class Istio(Product):
    """Deployments as Istio's own extension resources."""

    name = "istio"
    title = "Istio"
    kinds = (TRAFFIC_EXTENSION, WASM_PLUGIN)
    shared = False
    speaks = False
    splits = (ENVOY_FILTER,)

    def object_name(self, intent: Intent) -> str:
        """The filter's name."""
        return intent.object_name

    def gaps(self, intent: Intent) -> Iterator[Gap]:
        """VM settings, text configuration, layouts of other tools, and two ways of choosing at once."""
        yield from common(intent, self.title)
        yield from config_object(intent, self.title)
        yield from layout(intent, self.title)
        yield from scope(intent, self.title, ("labels", "refs", "ports", "side"))
        if intent.scope.labels and intent.scope.refs:
            yield Gap("scope", "Istio takes either workload labels or an attachment", "leave one of them out")
        for ref in intent.scope.refs:
            if ref.kind not in ATTACHABLE or ref.section:
                yield Gap(
                    "attachment",
                    f"Istio cannot attach to {ref}",
                    f"use one of {', '.join(ATTACHABLE)}, without a section",
                )

    def notes(self, intent: Intent) -> Iterator[str]:
        """What Istio does quietly."""
        yield from agent_notes(intent)

    def spec(self, intent: Intent, kind: Kind) -> Json:
        """WasmPlugin has all in one level, TrafficExtension the module's part under ``wasm``."""
        module = agent_fields(intent)
        around: Json = {}
        if intent.phase:
            around["phase"] = intent.phase.upper()
        if intent.priority:
            around["priority"] = intent.priority
        if intent.scope.labels:
            around["selector"] = {"matchLabels": dict(intent.scope.labels)}
        if intent.scope.refs:
            around["targetRefs"] = [
                {"group": ref.group, "kind": ref.kind, "name": ref.name} for ref in intent.scope.refs
            ]
        if intent.scope.side or intent.scope.ports:
            match: Json = {}
            if intent.scope.side:
                match["mode"] = intent.scope.side.upper()
            if intent.scope.ports:
                match["ports"] = [{"number": port} for port in intent.scope.ports]
            around["match"] = [match]
        return {**around, "wasm": module} if kind == TRAFFIC_EXTENSION else {**around, **module}

    def entries(self, spec: Json) -> list[Json]:  # noqa: ARG002 one object carries one filter
        """There is no list."""
        return []

    def conditions(self, live: Json) -> tuple[Condition, ...]:
        """What istiod writes, which it does for waypoints only."""
        return conditions(live)

    def pods(self, live: Json) -> PodQuery:
        """The workloads or the gateway that it chooses, in its namespace."""
        return agent_pods(live)

    def split(self, live: Json, kind: Kind, intent: Intent, percent: int, cluster: Cluster) -> Split:  # noqa: ARG002
        """An EnvoyFilter that lets the filter's place run both versions."""
        prefixes = IN_CHAIN[kind.kind]
        name = f"{live['metadata']['namespace']}.{live['metadata']['name']}"
        stables = tuple(prefix.format(name) for prefix in prefixes)
        return istio_split(live, stables, intent, percent, self.pods(live))


def agent_fields(intent: Intent) -> Json:
    """The fields that WasmPlugins share, with the hash that Istio's agent compares."""
    plugin, source = intent.plugin, intent.source
    assert source is not None
    fields: Json = {"url": source.url}
    if source.sha256:
        fields["sha256"] = source.sha256
    if intent.pull_always:
        fields["imagePullPolicy"] = "Always"
    if intent.pull_secret:
        fields["imagePullSecret"] = intent.pull_secret
    if plugin.root_id:
        fields["pluginName"] = plugin.root_id
    config = intent.config_object
    if config is not None:
        fields["pluginConfig"] = config
    if plugin.failure_policy != "closed":
        fields["failStrategy"] = STRATEGY[plugin.failure_policy]
    env: list[Json] = [{"name": key, "value": value} for key, value in plugin.environment]
    env += [{"name": key, "valueFrom": "HOST"} for key in intent.host_env]
    if env:
        fields["vmConfig"] = {"env": env}
    return fields


def agent_pods(live: Json) -> PodQuery:
    """The pods that an object of Istio's chooses, by labels or by the Gateway that they serve."""
    spec = live.get("spec") or {}
    selector = spec.get("selector") or spec.get("workloadSelector") or {}
    chosen = selector.get("matchLabels") or selector.get("labels") or {}
    for ref in spec.get("targetRefs") or []:
        if ref.get("kind") == "Gateway":
            chosen = {"gateway.networking.k8s.io/gateway-name": ref["name"]}
    labels = ",".join(f"{key}={value}" for key, value in sorted(chosen.items()))
    return PodQuery(labels, live["metadata"]["namespace"], "istio-proxy", 15020)


def agent_notes(intent: Intent) -> Iterable[str]:
    """What an agent that fetches in the pod does quietly."""
    source = intent.source
    if source and source.is_image:
        host = source.image.partition("/")[0]
        if host.rpartition(":")[0] in ("localhost", "127.0.0.1", "[::1]") or host == "localhost":
            yield f"{host} is the proxy's own machine there: the cluster needs a registry that it can reach"
    if intent.plugin.failure_policy == "open":
        yield "where the module cannot be fetched, requests pass without the filter"
