"""Envoy Gateway: ``EnvoyExtensionPolicy``, one for each thing that filters are attached to."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

from ..errors import DeployError
from .cluster import Cluster, Json, Kind
from .gaps import common, layout, scope
from .gateway_share import POLICY, ROUTE, code_name, gateway_split
from .intent import Gap, Intent
from .placed import bare
from .product import Condition, PodQuery, Product, Split, conditions

__all__ = ["EnvoyGateway"]

ATTACHABLE = ("Gateway", "ListenerSet", "HTTPRoute", "GRPCRoute", "UDPRoute", "TCPRoute", "TLSRoute")
GRPC_ROUTE = Kind("gateway.networking.k8s.io", "v1", "GRPCRoute", "grpcroutes")
OWNER = "gateway.envoyproxy.io/owning-gateway-"
RAW = "there is no other way with Envoy Gateway"


class EnvoyGateway(Product):
    """Deployments as entries of a policy's list, since Envoy Gateway heeds one policy per attachment."""

    name = "envoy-gateway"
    title = "Envoy Gateway"
    kinds = (POLICY,)
    shared = True
    speaks = True
    splits = (POLICY, ROUTE)

    def object_name(self, intent: Intent) -> str:
        """One policy for all filters on the same thing."""
        if len(intent.scope.refs) != 1:
            raise DeployError(
                "Envoy Gateway has to be told what the filter belongs to",
                do="pass on='Gateway/NAME' or on='HTTPRoute/NAME' (--on), one of them",
            )
        ref = intent.scope.refs[0]
        return "-".join(filter(None, ("wasmhub", ref.kind.lower(), ref.name, ref.section)))

    def gaps(self, intent: Intent) -> Iterator[Gap]:
        """Values in the environment, reloading after a failure, phases, and text configuration."""
        yield from common(intent, self.title, raw=RAW)
        try:
            intent.value  # noqa: B018 asked whether it is one
        except ValueError:
            yield Gap("configuration", f"{self.title} carries a JSON value only", "make it JSON")
        if intent.plugin.environment:
            yield Gap(
                "environment",
                f"{self.title} hands on variables of the proxy only and sets no values",
                "put the values into the configuration, or name variables of the proxy with host_env=",
            )
        if intent.plugin.failure_policy == "reload":
            yield Gap("failure policy", f"{self.title} knows closed and open only", "choose one of them")
        if intent.phase:
            yield Gap(
                "phase", f"{self.title} sets the order of kinds of filters in EnvoyProxy", "use priority"
            )
        if intent.source and intent.source.url.startswith("file:"):
            yield Gap("module", f"{self.title} fetches images and http(s) addresses only", "push it")
        yield from layout(intent, self.title)
        yield from scope(intent, self.title, ("refs",))
        for ref in intent.scope.refs:
            if ref.kind not in ATTACHABLE:
                yield Gap(
                    "attachment",
                    f"{self.title} cannot attach to {ref}",
                    f"use one of {', '.join(ATTACHABLE)}",
                )

    def notes(self, intent: Intent) -> Iterator[str]:
        """Who fetches."""
        if intent.source and intent.source.is_image:
            yield "the controller fetches the image, not the proxy: it must reach the registry"

    def spec(self, intent: Intent, kind: Kind) -> Json:  # noqa: ARG002 there is one kind
        """The policy with this filter alone."""
        ref = intent.scope.refs[0]
        target: Json = {"group": ref.group, "kind": ref.kind, "name": ref.name}
        if ref.section:
            target["sectionName"] = ref.section
        return {"targetRefs": [target], "wasm": [self._entry(intent)]}

    def entries(self, spec: Json) -> list[Json]:
        """The filters of the policy in their order."""
        found: list[Json] = spec.setdefault("wasm", [])
        return found

    def conditions(self, live: Json) -> tuple[Condition, ...]:
        """What is said for each Gateway above it."""
        ancestors = (live.get("status") or {}).get("ancestors") or []
        return conditions(live, [c for ancestor in ancestors for c in ancestor.get("conditions") or []])

    def ahead(self, manifest: Json, entry: Json, cluster: Cluster) -> tuple[tuple[Kind, Json], ...]:
        """The same filter on a route of its own that no request takes.

        Envoy (1.40, ``createWasm``) names the VM of a module that it has yet to fetch by the VM's id alone,
        and Envoy Gateway's id is the place in the policy: as long as a VM lives under that name, its code is
        taken for the new one. Of a module that was fetched before, Envoy makes a VM of its own. So proxies
        fetch it here first; what serves meanwhile is not touched.
        """
        parents = self._parents(manifest["spec"]["targetRefs"][0], cluster)
        if not parents:
            return ()
        name = f"wasmhub-fetch-{code_name(entry)}"
        path = {"type": "Exact", "value": f"/wasmhub-{secrets.token_hex(16)}"}
        nowhere = {"type": "RequestRedirect", "requestRedirect": {"hostname": "wasmhub.invalid"}}
        rule = {"matches": [{"path": path}], "filters": [nowhere]}
        target = {"group": ROUTE.group, "kind": ROUTE.kind, "name": name}
        policy = {"targetRefs": [target], "wasm": [entry]}
        return (
            (ROUTE, {**bare(ROUTE, name, {}), "spec": {"parentRefs": parents, "rules": [rule]}}),
            (POLICY, {**bare(POLICY, name, {}), "spec": policy}),
        )

    def _parents(self, ref: Json, cluster: Cluster) -> list[Json]:
        """The Gateways whose proxies run what is attached there."""
        if ref["kind"] == "Gateway":
            return [{key: ref[key] for key in ("name", "sectionName") if key in ref}]
        kind = {"HTTPRoute": ROUTE, "GRPCRoute": GRPC_ROUTE}.get(ref["kind"])
        live = None if kind is None else cluster.get(kind, ref["name"])
        return [] if live is None else list((live.get("spec") or {}).get("parentRefs") or [])

    def pods(self, live: Json) -> PodQuery:
        """The proxies of the Gateway; of a route its Gateways are not looked up."""
        refs = (live.get("spec") or {}).get("targetRefs") or [{}]
        labels = [f"{OWNER}namespace={live['metadata']['namespace']}"]
        if refs[0].get("kind") == "Gateway":
            labels.append(f"{OWNER}name={refs[0].get('name', '')}")
        return PodQuery(",".join(labels), container="envoy", port=19001, admin=19000)

    def split(self, live: Json, kind: Kind, intent: Intent, percent: int, cluster: Cluster) -> Split:  # noqa: ARG002
        """Copies of the routes for a share of the requests, with a policy that has the new version."""
        return gateway_split(live, self._entry(intent), percent, cluster, self.pods(live))

    def _entry(self, intent: Intent) -> Json:
        plugin, source = intent.plugin, intent.source
        assert source is not None
        code: Json = {"pullPolicy": "Always"} if intent.pull_always else {}
        if source.is_image:
            image: Json = {"url": source.image}
            if source.sha256:
                image["sha256"] = source.sha256
            if intent.pull_secret:
                image["pullSecretRef"] = {"kind": "Secret", "name": intent.pull_secret}
            code |= {"type": "Image", "image": image}
        else:
            code |= {"type": "HTTP", "http": {"url": source.url, "sha256": source.sha256}}
        entry: Json = {"name": intent.object_name, "code": code}
        if plugin.root_id:
            entry["rootID"] = plugin.root_id
        value = intent.value
        if value is not None:
            entry["config"] = value
        if plugin.failure_policy == "open":
            entry["failOpen"] = True
        if intent.host_env:
            entry["env"] = {"hostKeys": list(intent.host_env)}
        return entry
