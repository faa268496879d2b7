"""Gloo Edge (Enterprise): the list of Wasm filters in a ``Gateway``."""

from __future__ import annotations

from collections.abc import Iterator

from ..errors import DeployError
from .cluster import Json, Kind
from .envoyjson import STRING
from .gaps import common, scope
from .intent import Gap, Intent
from .product import Condition, PodQuery, Product

__all__ = ["GATEWAY", "Gloo"]

GATEWAY = Kind("gateway.solo.io", "v1", "Gateway", "gateways")
STAGES = {"": "AcceptedStage", "authn": "AuthNStage", "authz": "AuthZStage"}
STATES = {"0": "Pending", "1": "Accepted", "2": "Rejected", "3": "Warning"}
RAW = "there is no other way with Gloo"


class Gloo(Product):
    """Deployments as entries in a Gateway that somebody else made."""

    name = "gloo"
    title = "Gloo Edge"
    kinds = (GATEWAY,)
    shared = True
    speaks = True
    makes = False

    def object_name(self, intent: Intent) -> str:
        """The Gateway it is attached to; Gloo's own is ``gateway-proxy``."""
        refs = intent.scope.refs
        if len(refs) > 1 or any(ref.kind != "Gateway" or ref.section for ref in refs):
            raise DeployError(
                "Gloo Edge puts filters into one of its Gateways", do="pass on='Gateway/gateway-proxy'"
            )
        return refs[0].name if refs else "gateway-proxy"

    def gaps(self, intent: Intent) -> Iterator[Gap]:
        """Environment, reloading, pull secrets, plain addresses, the phase of statistics, and more."""
        yield from common(intent, self.title, raw=RAW)
        plugin, source = intent.plugin, intent.source
        if plugin.environment or intent.host_env:
            yield Gap("environment", f"{self.title} has none", "put the values into the configuration")
        if plugin.failure_policy == "reload":
            yield Gap("failure policy", f"{self.title} knows closed and open only", "choose one of them")
        if intent.pull_secret or intent.pull_always:
            yield Gap("pull secret and policy", f"{self.title} sets them for its cache as a whole")
        if intent.phase == "stats":
            yield Gap("phase", f"{self.title} has no stage for statistics", "use authn, authz or none")
        if source and source.url.startswith(("http:", "https:")):
            yield Gap("module", f"{self.title} takes images and files of the proxy only", "push it")
        try:
            plugin.configuration.decode()
        except UnicodeDecodeError:
            yield Gap("configuration", f"{self.title} carries text only", "encode it, in base64 for example")
        yield from scope(intent, self.title, ("refs",))

    def notes(self, intent: Intent) -> Iterator[str]:
        """What Gloo cannot promise."""
        source = intent.source
        yield "Gloo Edge runs Wasm filters in its Enterprise edition only"
        if source and source.is_image:
            yield "Gloo Edge names images by tag: the digest does not pin it"
            if source.layout != "solo":
                yield f"Gloo Edge's cache was made for the layout 'solo'; this image has {source.layout!r}"

    def spec(self, intent: Intent, kind: Kind) -> Json:  # noqa: ARG002 there is one kind
        """The part of the Gateway that this filter needs."""
        return {"httpGateway": {"options": {"wasm": {"filters": [self._entry(intent)]}}}}

    def entries(self, spec: Json) -> list[Json]:
        """The filters of the Gateway in their order."""
        options = spec.setdefault("httpGateway", {}).setdefault("options", {})
        found: list[Json] = options.setdefault("wasm", {}).setdefault("filters", [])
        return found

    def conditions(self, live: Json) -> tuple[Condition, ...]:
        """Gloo's own states, of each of its controllers."""
        found = []
        for who, status in ((live.get("status") or {}).get("statuses") or {}).items():
            state = STATES.get(str(status.get("state", "")), str(status.get("state", "")))
            good = {"Accepted": "True", "Warning": "True", "Rejected": "False"}.get(state, "Unknown")
            found.append(Condition("Accepted", good, state, str(status.get("reason", "")) or str(who)))
        return tuple(found)

    def pods(self, live: Json) -> PodQuery:
        """The proxies of its namespace."""
        return PodQuery("gloo=gateway-proxy", live["metadata"]["namespace"], "gateway-proxy", 8081, 19000)

    def _entry(self, intent: Intent) -> Json:
        plugin, source = intent.plugin, intent.source
        assert source is not None
        entry: Json = {"name": intent.object_name, "vmType": "V8"}
        entry |= (
            {"image": source.image} if source.is_image else {"filePath": source.url.removeprefix("file://")}
        )
        if plugin.root_id:
            entry["rootId"] = plugin.root_id
        if plugin.configuration:
            entry["config"] = {"@type": STRING, "value": plugin.configuration.decode()}
        if plugin.failure_policy == "open":
            entry["failOpen"] = True
        if intent.phase:
            entry["filterStage"] = {"stage": STAGES[intent.phase], "predicate": "During"}
        return entry
