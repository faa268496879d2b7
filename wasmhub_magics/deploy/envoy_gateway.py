"""Envoy Gateway: ``EnvoyExtensionPolicy``, one for each thing that filters are attached to."""

from __future__ import annotations

from collections.abc import Iterator

from ..errors import DeployError
from .cluster import Json, Kind
from .gaps import common, layout, scope
from .intent import Gap, Intent
from .product import Condition, conditions

__all__ = ["POLICY", "EnvoyGateway"]

POLICY = Kind("gateway.envoyproxy.io", "v1alpha1", "EnvoyExtensionPolicy", "envoyextensionpolicies")
ATTACHABLE = ("Gateway", "ListenerSet", "HTTPRoute", "GRPCRoute", "UDPRoute", "TCPRoute", "TLSRoute")
RAW = "there is no other way with Envoy Gateway"


class EnvoyGateway:
    """Deployments as entries of a policy's list, since Envoy Gateway heeds one policy per attachment."""

    name = "envoy-gateway"
    title = "Envoy Gateway"
    kinds = (POLICY,)
    shared = True
    speaks = True

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
        # measured with Envoy Gateway 1.9.1 and Envoy 1.40: the VM's id is the place in the policy, and a VM
        # that runs under it is kept although the policy names another image
        yield "a proxy that runs this filter already may keep its old code until it is started again"

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
