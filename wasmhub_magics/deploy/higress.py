"""Higress: its own ``WasmPlugin``, with rules per domain."""

from __future__ import annotations

from collections.abc import Iterator

from .cluster import Json, Kind
from .gaps import common, config_object, layout, scope
from .intent import Gap, Intent
from .istio import agent_fields, agent_notes
from .product import Condition, PodQuery, Product, conditions

__all__ = ["WASM_PLUGIN", "Higress"]

WASM_PLUGIN = Kind("extensions.higress.io", "v1alpha1", "WasmPlugin", "wasmplugins")
RAW = "there is no other way with Higress"


class Higress(Product):
    """Deployments as Higress's extension resource."""

    name = "higress"
    title = "Higress"
    kinds = (WASM_PLUGIN,)
    shared = False
    speaks = False

    def object_name(self, intent: Intent) -> str:
        """The filter's name."""
        return intent.object_name

    def gaps(self, intent: Intent) -> Iterator[Gap]:
        """VM settings, reloading, text configuration, and choosing by workload."""
        yield from common(intent, self.title, raw=RAW)
        yield from config_object(intent, self.title, raw=RAW)
        yield from layout(intent, self.title)
        if intent.plugin.failure_policy == "reload":
            yield Gap("failure policy", f"{self.title} knows closed and open only", "choose one of them")
        yield from scope(intent, self.title, ("domains",))

    def notes(self, intent: Intent) -> Iterator[str]:
        """Where it is looked for."""
        yield "Higress heeds plugins in its own namespace only (higress-system)"
        yield from agent_notes(intent)

    def spec(self, intent: Intent, kind: Kind) -> Json:  # noqa: ARG002 there is one kind
        """For all domains, or for those named and no others."""
        spec = agent_fields(intent)
        config = spec.pop("pluginConfig", None)
        if intent.phase:
            spec["phase"] = intent.phase.upper()
        if intent.priority:
            spec["priority"] = intent.priority
        if intent.scope.domains:
            rule: Json = {"domain": list(intent.scope.domains), "config": config or {}}
            spec |= {"defaultConfigDisable": True, "matchRules": [rule]}
        elif config is not None:
            spec["defaultConfig"] = config
        return spec

    def entries(self, spec: Json) -> list[Json]:  # noqa: ARG002 one object carries one filter
        """There is no list."""
        return []

    def conditions(self, live: Json) -> tuple[Condition, ...]:
        """Higress writes none today."""
        return conditions(live)

    def pods(self, live: Json) -> PodQuery:  # noqa: ARG002 all of its gateways run it
        """Higress's gateways."""
        return PodQuery("app=higress-gateway", container="higress-gateway", port=15020)
