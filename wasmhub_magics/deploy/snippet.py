"""Envoy's own configuration as text to paste: one filter, or a whole bootstrap that serves it."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..envoy import config
from ..errors import DeployError
from ..plugin import Plugin
from .cluster import Json
from .envoyjson import fetched, text_config, unshared_vm
from .plan import Plan, to_yaml

__all__ = ["Snippet"]


class Snippet:
    """A target that writes nothing: its plan is the text."""

    name = "snippet"

    def plan(
        self,
        plugin: Plugin,
        *,
        path: str = "",
        url: str = "",
        cluster: str = "",
        bootstrap: bool = False,
        upstream: str = "127.0.0.1:8080",
        port: int = 10000,
    ) -> Plan:
        """The filter as an element of ``http_filters``, or a ``bootstrap`` with it.

        The module is read from ``path`` on the proxy's machine, or fetched from ``url`` by way of ``cluster``
        (one is made for a bootstrap). Raises DeployError where neither is given.
        """
        if bool(path) == bool(url):
            raise DeployError(
                "a snippet has to say where the proxy finds the module",
                do="pass path= (a file on its machine) or url= (an http(s) address)",
            )
        plugin.module.check()
        element = {
            "name": plugin.name,
            "typed_config": wasm(plugin, path=path, url=url, cluster=cluster or "code"),
        }
        manifest: Json = element
        if bootstrap:
            host, _, number = upstream.rpartition(":")
            clusters = [_cluster(url)] if url else []
            manifest = config.bootstrap(
                [element], config.cluster(host, int(number)), port=port, clusters=clusters
            )
        notes = ["the path must be readable by the proxy"] if path else []
        return Plan(plugin.name, self.name, path or url, to_yaml(manifest), (), (), tuple(notes))


def wasm(plugin: Plugin, *, path: str = "", url: str = "", cluster: str = "") -> Json:
    """The ``Wasm`` filter with its module in a file, or fetched and compared with its own sha256."""
    made = text_config(config.wasm_filter(plugin, Path(path or "-"), unshared_vm(plugin)))
    if url:
        digest = plugin.module.digest.removeprefix("sha256:")
        made["config"]["vm_config"]["code"] = fetched(url, digest, cluster)
    return made


def _cluster(url: str) -> Json:
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    made: dict[str, Any] = config.cluster(parts.hostname or "", port, name="code")
    if parts.scheme == "https":
        kind = config.TYPE + "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext"
        made["transport_socket"] = {
            "name": "envoy.transport_sockets.tls",
            "typed_config": {"@type": kind, "sni": parts.hostname},
        }
    return made
