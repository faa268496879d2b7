"""A share of the requests under Envoy Gateway: routes like those that are there, with a policy of their own.

The copies ask one thing more of a request: that its ``x-request-id``, which the proxy makes up at random
before it chooses a route, begins in a certain way. A route that asks for more headers goes first, by the
rules of the Gateway API, so a share of the requests takes the copies, and the policy there has the new
version. Envoy takes new routes before it has fetched a new module: the copies are for no request until then.
"""

from __future__ import annotations

import copy
import hashlib
import json

from ..errors import DeployError
from .cluster import MANAGER, Cluster, Json, Kind
from .placed import bare
from .product import PodQuery, Split
from .seen import Seen
from .shares import HEADER, hex_pattern

__all__ = ["POLICY", "ROUTE", "code_name", "gateway_split"]

POLICY = Kind("gateway.envoyproxy.io", "v1alpha1", "EnvoyExtensionPolicy", "envoyextensionpolicies")
ROUTE = Kind("gateway.networking.k8s.io", "v1", "HTTPRoute", "httproutes")
OTHERS = (
    Kind("gateway.envoyproxy.io", "v1alpha1", "SecurityPolicy", "securitypolicies"),
    Kind("gateway.envoyproxy.io", "v1alpha1", "BackendTrafficPolicy", "backendtrafficpolicies"),
)
MILLISECOND = 1000
NEVER = "none"
MOST_TARGETS = 16


def gateway_split(live: Json, entry: Json, percent: int, cluster: Cluster, pods: PodQuery) -> Split:
    """Copies of the routes that a policy is in force on, and a policy on them with ``entry`` in its place.

    Raises DeployError where there is no such route, or one that a copy would not be like.
    """
    ref, mark = live["spec"]["targetRefs"][0], code_name(entry)
    routes = _routes(ref, live["metadata"]["name"], cluster)
    names = {route["metadata"]["name"]: f"wasmhub-canary-{mark}-{n}" for n, route in enumerate(routes)}
    waiting, working = (
        tuple((ROUTE, _copy(route, names[route["metadata"]["name"]], ref, lot)) for route in routes)
        for lot in (NEVER, hex_pattern(percent))
    )
    filters = [entry if each.get("name") == entry["name"] else each for each in live["spec"]["wasm"]]
    targets = [{"group": ROUTE.group, "kind": ROUTE.kind, "name": name} for name in names.values()]
    policy = bare(POLICY, f"wasmhub-canary-{mark}", {})
    policy["metadata"]["labels"] = {"app.kubernetes.io/managed-by": MANAGER}
    policy["spec"] = {"targetRefs": targets, "wasm": filters}
    space = live["metadata"]["namespace"]
    prefixes = {f"httproute/{space}/{old}/": "stable" for old in names}
    prefixes |= {f"httproute/{space}/{new}/": "canary" for new in names.values()}

    def read(line: str) -> Seen | None:
        """A line of the access log as Envoy Gateway has it where nothing else is said: one JSON object."""
        try:
            told = json.loads(line)
            name, status, took = str(told["route_name"]), int(told["response_code"]), int(told["duration"])
        except (ValueError, KeyError, TypeError):
            return None
        arm = next((arm for prefix, arm in prefixes.items() if name.startswith(prefix)), None)
        if arm is None:
            return None
        return Seen("canary" if arm == "canary" else "stable", status, took * MILLISECOND)

    return Split((*waiting, (POLICY, policy)), pods, read, MILLISECOND, working)


def _routes(ref: Json, policy: str, cluster: Cluster) -> list[Json]:
    """The routes of the namespace on which the policy is in force."""
    if ref["kind"] == ROUTE.kind and "sectionName" not in ref:
        live = cluster.get(ROUTE, ref["name"])
        found = [] if live is None else [live]
    elif ref["kind"] == "Gateway":
        every = [each for each in cluster.objects(ROUTE) if _parents(each, ref)]
        own = _targets(cluster.objects(POLICY))
        found = [each for each in every if each["metadata"]["name"] not in own]
    else:
        raise DeployError(
            f"Envoy Gateway can give no share of the requests of {ref['kind']}/{ref['name']} to a canary",
            do="a canary needs a filter that belongs to a Gateway or to an HTTPRoute as a whole",
        )
    if not 0 < len(found) <= MOST_TARGETS:
        raise DeployError(
            f"a canary needs 1 to {MOST_TARGETS} HTTPRoutes that meet the filter, and there are {len(found)}",
            where=f"{policy} in {cluster.place}",
            do="deploy without a canary",
        )
    for kind in OTHERS:
        alone = _targets(cluster.objects(kind)) & {each["metadata"]["name"] for each in found}
        if alone:
            # a copy without the policy that asks for a login would let everybody in
            raise DeployError(
                f"HTTPRoute {min(alone)} has a {kind.kind} of its own, which a copy of it would lack",
                where=cluster.place,
                do="let that policy choose by labels (targetSelectors), which copies have, or deploy at once",
            )
    return found


def _targets(policies: list[Json]) -> set[str]:
    """The routes that policies name."""
    refs = [
        ref
        for each in policies
        for ref in (*(each["spec"].get("targetRefs") or ()), each["spec"].get("targetRef") or {})
    ]
    return {ref["name"] for ref in refs if ref.get("kind") == ROUTE.kind}


def _parents(route: Json, ref: Json) -> list[Json]:
    """The references of a route that lead to the Gateway, or to the listener, that a policy is for."""
    section, space = ref.get("sectionName", ""), route["metadata"]["namespace"]
    found = [
        each
        for each in (route.get("spec") or {}).get("parentRefs") or []
        if each.get("kind", "Gateway") == "Gateway"
        and (each["name"], each.get("namespace", space)) == (ref["name"], space)
        and (not section or each.get("sectionName") in (None, section))
    ]
    return [{**each, "sectionName": section} if section else each for each in found]


def _copy(route: Json, name: str, ref: Json, pattern: str) -> Json:
    spec = copy.deepcopy(route["spec"])
    if ref["kind"] == "Gateway":
        spec["parentRefs"] = _parents(route, ref)
    wanted = {"type": "RegularExpression", "name": HEADER, "value": pattern}
    for rule in spec.get("rules") or []:
        every = rule.get("matches") or [{"path": {"type": "PathPrefix", "value": "/"}}]
        rule["matches"] = [{**each, "headers": [*(each.get("headers") or []), wanted]} for each in every]
    made = bare(ROUTE, name, {})
    labels = dict(route["metadata"].get("labels") or {})
    made["metadata"]["labels"] = {**labels, "app.kubernetes.io/managed-by": MANAGER}
    made["spec"] = spec
    return made


def code_name(entry: Json) -> str:
    """A short name of where an entry's module comes from and which it is."""
    code = entry.get("code") or {}
    told = [(code.get(kind) or {}).get(key, "") for kind in ("image", "http") for key in ("url", "sha256")]
    return hashlib.sha256("|".join(told).encode()).hexdigest()[:12]
