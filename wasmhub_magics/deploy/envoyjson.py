"""Envoy's own configuration of a filter that is fetched from somewhere."""

from __future__ import annotations

from pathlib import Path

from ..envoy.config import wasm_filter
from ..plugin import Plugin
from .cluster import Json
from .intent import Intent

__all__ = ["fetched", "remote_filter", "text_config"]

STRING = "type.googleapis.com/google.protobuf.StringValue"


def remote_filter(intent: Intent, cluster: str = "_") -> Json:
    """The ``Wasm`` filter of an intent that a proxy fetches from its source.

    ``cluster`` is where a plain Envoy finds the host of the address; Istio's agent fetches by itself.
    """
    source = intent.source
    assert source is not None
    made = text_config(wasm_filter(intent.plugin, Path("-"), intent.plugin.vm_id or f"{intent.name}"))
    vm = made["config"]["vm_config"]
    vm["code"] = fetched(source.url, source.sha256, cluster)
    if intent.host_env:
        vm.setdefault("environment_variables", {})["host_env_keys"] = list(intent.host_env)
    return made


def fetched(url: str, sha256: str, cluster: str, seconds: int = 30) -> Json:
    """Code that is fetched: with retries, since Envoy itself tries once more and then gives up for good."""
    return {
        "remote": {
            "http_uri": {"uri": url, "cluster": cluster, "timeout": f"{seconds}s"},
            "sha256": sha256,
            "retry_policy": {
                "num_retries": 10,
                "retry_back_off": {"base_interval": "1s", "max_interval": "10s"},
            },
        }
    }


def text_config(made: Json) -> Json:
    """The same filter with configurations as text where they are text, for people to read."""
    import base64

    config = made["config"]
    for holder in (config, config["vm_config"]):
        if "configuration" in holder:
            raw = base64.b64decode(holder["configuration"]["value"])
            try:
                holder["configuration"] = {"@type": STRING, "value": raw.decode()}
            except UnicodeDecodeError:
                continue
    return made


def unshared_vm(plugin: Plugin) -> str:
    """The VM id that gives each version of a plugin a virtual machine of its own."""
    return plugin.vm_id or f"{plugin.name}-{plugin.module.digest.removeprefix('sha256:')[:12]}"
