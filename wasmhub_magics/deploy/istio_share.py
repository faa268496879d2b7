"""A share of the requests under Istio: one place in the chain runs two versions."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import DeployError
from .cluster import MANAGER, Json, Kind
from .envoyjson import remote_filter
from .intent import Intent
from .product import PodQuery, Split
from .seen import Seen
from .shares import access_log, composite, noted

__all__ = ["ENVOY_FILTER", "discovery", "istio_split"]

ENVOY_FILTER = Kind("networking.istio.io", "v1alpha3", "EnvoyFilter", "envoyfilters")
TYPE = "type.googleapis.com/"
HTTP_CONNECTION_MANAGER = (
    TYPE + "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
)
HTTP = "envoy.filters.network.http_connection_manager"


def discovery() -> Json:
    """How a proxy of Istio gets an extension whose module its agent fetches."""
    return {
        "config_source": {"ads": {}, "initial_fetch_timeout": "0s", "resource_api_version": "V3"},
        "type_urls": [
            TYPE + "envoy.extensions.filters.http.wasm.v3.Wasm",
            # what the agent puts there where the module cannot be fetched
            TYPE + "envoy.extensions.filters.http.rbac.v3.RBAC",
        ],
    }


def istio_split(live: Json, stables: Sequence[str], intent: Intent, percent: int, pods: PodQuery) -> Split:
    """The EnvoyFilter for a filter that stands in the chain under one of the names ``stables``.

    Which one depends on the release of Istio; where none is there, nothing is changed and no request of the
    new version will be seen.
    """
    if intent.pull_secret:
        raise DeployError(
            "a canary of Istio cannot pull with a secret: its EnvoyFilter hands none to the agent",
            do="deploy without a canary, or from a registry without login",
        )
    name = f"wasmhub-canary-{intent.object_name}"
    new = f"{name}.{_short(intent)}"
    patches: list[Json] = [
        {
            "applyTo": "EXTENSION_CONFIG",
            "match": {"context": "ANY"},
            "patch": {"operation": "ADD", "value": {"name": new, "typed_config": remote_filter(intent)}},
        },
        {
            "applyTo": "NETWORK_FILTER",
            "match": {"context": "ANY", "listener": {"filterChain": {"filter": {"name": HTTP}}}},
            "patch": {
                "operation": "MERGE",
                "value": {"typed_config": {"@type": HTTP_CONNECTION_MANAGER, "access_log": [access_log()]}},
            },
        },
    ]
    for stable in stables:
        place = {"filterChain": {"filter": {"name": HTTP, "subFilter": {"name": stable}}}}
        both = composite(
            stable,
            {"name": stable, "config_discovery": discovery()},
            {"name": new, "config_discovery": discovery()},
            percent,
        )
        patches.append(
            {
                "applyTo": "HTTP_FILTER",
                "match": {"context": "ANY", "listener": place},
                "patch": {"operation": "REPLACE", "value": both},
            }
        )
    spec = {key: live["spec"][key] for key in ("workloadSelector", "targetRefs") if key in live["spec"]}
    chosen = (live["spec"].get("selector") or {}).get("matchLabels")
    if chosen:
        spec["workloadSelector"] = {"labels": chosen}
    manifest: Json = {
        "apiVersion": ENVOY_FILTER.api_version,
        "kind": ENVOY_FILTER.kind,
        "metadata": {"name": name, "labels": {"app.kubernetes.io/managed-by": MANAGER}},
        # after all others, so that it finds the filter in its place
        "spec": {**spec, "priority": 2**30, "configPatches": patches},
    }

    def read(line: str) -> Seen | None:
        return next(filter(None, (noted(line, stable, new) for stable in stables)), None)

    return Split(((ENVOY_FILTER, manifest),), pods, read)


def _short(intent: Intent) -> str:
    assert intent.source is not None
    return intent.source.module_digest.removeprefix("sha256:")[:12]
