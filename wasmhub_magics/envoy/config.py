"""Envoy's configuration as plain JSON values; nothing here touches a file or a process.

Shapes: ``envoy.config.bootstrap.v3.Bootstrap`` and what it names. All addresses are loopback. Listeners
ask for port 0 unless told otherwise, so that two Envoys never race for one.
"""

from __future__ import annotations

import base64
import ipaddress
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeAlias

from ..http import Response
from ..plugin import Plugin

__all__ = [
    "Json",
    "bootstrap",
    "cluster",
    "echo_in_envoy",
    "fixed_in_envoy",
    "resource",
    "slot",
    "wasm_filter",
]

Json: TypeAlias = dict[str, Any]

HOST = "127.0.0.1"
TYPE = "type.googleapis.com/"
WASM = TYPE + "envoy.extensions.filters.http.wasm.v3.Wasm"
NOTHING = TYPE + "envoy.extensions.filters.http.header_mutation.v3.HeaderMutation"
BYTES = TYPE + "google.protobuf.BytesValue"
HTTP1 = {"enable_trailers": True}
HTTP2 = {"allow_metadata": True}
ROUTER = {
    "name": "envoy.filters.http.router",
    "typed_config": {"@type": TYPE + "envoy.extensions.filters.http.router.v3.Router"},
}
POLICIES = {"closed": "FAIL_CLOSED", "open": "FAIL_OPEN", "reload": "FAIL_RELOAD"}
ACCESS = {
    "port": "%DOWNSTREAM_DIRECT_REMOTE_PORT%",
    "details": "%RESPONSE_CODE_DETAILS%",
    "flags": "%RESPONSE_FLAGS%",
    "request_id": "%REQ(X-REQUEST-ID)%",
    "at": "%START_TIME%",
    "method": "%REQ(:METHOD)%",
    "path": "%REQ(:PATH)%",
    "status": "%RESPONSE_CODE%",
    "micros": "%COMMON_DURATION(DS_RX_BEG:DS_TX_END:us)%",
}
MAX_BODY = 64 << 20


def wasm_filter(plugin: Plugin, code: Path, vm_id: str) -> Json:
    """The ``Wasm`` HTTP filter of a plugin whose module lies in the file ``code``."""
    config: Json = {
        "name": plugin.name,
        "root_id": plugin.root_id,
        "failure_policy": POLICIES[plugin.failure_policy],
        "vm_config": {
            "vm_id": vm_id,
            "runtime": "envoy.wasm.runtime.v8",
            "code": {"local": {"filename": str(code)}},
        },
    }
    if plugin.configuration:
        config["configuration"] = _bytes(plugin.configuration)
    if plugin.vm_configuration:
        config["vm_config"]["configuration"] = _bytes(plugin.vm_configuration)
    if plugin.environment:
        config["vm_config"]["environment_variables"] = {"key_values": dict(plugin.environment)}
    if plugin.failure_policy == "reload":
        config["reload_config"] = {"backoff": {"base_interval": f"{plugin.reload_seconds:.3f}s"}}
    if plugin.allowed_capabilities:
        allowed: Json = {name: {} for name in plugin.allowed_capabilities}
        config["capability_restriction_config"] = {"allowed_capabilities": allowed}
    if plugin.allow_on_headers_stop_iteration:
        config["allow_on_headers_stop_iteration"] = True
    return {"@type": WASM, "config": config}


def slot(name: str, path: Path) -> Json:
    """A place in the filter chain whose filter comes from an ECDS file and can be swapped."""
    return {
        "name": name,
        "config_discovery": {
            "config_source": {"path_config_source": {"path": str(path)}, "resource_api_version": "V3"},
            "type_urls": [WASM, NOTHING],
        },
    }


def resource(name: str, version: str, typed_config: Json | None) -> Json:
    """The content of an ECDS file; without a filter it puts one into the slot that does nothing."""
    return {
        "version_info": version,
        "resources": [
            {
                "@type": TYPE + "envoy.config.core.v3.TypedExtensionConfig",
                "name": name,
                "typed_config": typed_config or {"@type": NOTHING},
            }
        ],
    }


def bootstrap(
    filters: Iterable[Json],
    upstream: Json,
    *,
    port: int = 0,
    buffer_bytes: int = 1 << 20,
    access_log: bool = False,
    extra: Iterable[Json] = (),
    clusters: Iterable[Json] = (),
    split: Path | None = None,
) -> Json:
    """The whole configuration: listener ``main`` with the filters, ``barrier`` without, one cluster, admin.

    ``extra`` are listeners inside Envoy, for an upstream that needs no other process; ``clusters`` are more
    clusters, which filters can call. ``split`` is a directory: routes are then read from ``routes.json`` in
    it, and what it does with requests is noted in ``arms.log`` there.
    """
    routes = [{"match": {"prefix": "/"}, "route": {"cluster": "upstream", "timeout": "0s"}}]
    main = _connection_manager("main", [*filters, ROUTER], routes)
    if access_log:
        main["access_log"] = [
            {
                "name": "envoy.access_loggers.stdout",
                "typed_config": {
                    "@type": TYPE + "envoy.extensions.access_loggers.stream.v3.StdoutAccessLog",
                    "log_format": {"json_format": ACCESS},
                },
            }
        ]
    if split is not None:
        from .split import divided

        main = divided(main, split)
    barrier = _connection_manager("barrier", [ROUTER], [_direct(200)])
    return {
        "node": {"id": "wasmhub", "cluster": "wasmhub"},
        "admin": {"address": _address(0)},
        "layered_runtime": {"layers": [{"name": "admin", "admin_layer": {}}]},
        "bootstrap_extensions": [
            {
                "name": "envoy.bootstrap.internal_listener",
                "typed_config": {
                    "@type": TYPE + "envoy.extensions.bootstrap.internal_listener.v3.InternalListener"
                },
            }
        ],
        "static_resources": {
            "listeners": [
                {**_listener("main", main, buffer_bytes), "address": _address(port)},
                {**_listener("barrier", barrier, buffer_bytes), "address": _address(0)},
                *extra,
            ],
            "clusters": [{**upstream, "per_connection_buffer_limit_bytes": buffer_bytes}, *clusters],
        },
    }


def cluster(
    host: str = "", port: int = 0, *, listener: str = "", name: str = "upstream", http2: bool = False
) -> Json:
    """A cluster with one endpoint: a host and port, or a listener inside the same Envoy."""
    protocol: Json = {"http2_protocol_options": HTTP2} if http2 else {"http_protocol_options": HTTP1}
    if listener:
        address: Json = {"envoy_internal_address": {"server_listener_name": listener}}
    else:
        address = {"socket_address": {"address": host, "port_value": port}}
    return {
        "name": name,
        "type": "STATIC" if listener or _is_number(host) else "STRICT_DNS",
        "connect_timeout": "2s",
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}],
        },
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": TYPE + "envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": protocol,
            }
        },
    }


def echo_in_envoy() -> Json:
    """A listener that answers as the ``echo`` upstream does, without a process of its own."""
    return _script(
        "function envoy_on_request(h)\n"
        "  local kind = h:headers():get('content-type') or 'application/octet-stream'\n"
        "  local body = h:body()\n"
        "  if body == nil or body:length() == 0 then\n"
        "    h:respond({[':status'] = '200', ['content-type'] = 'text/plain'},\n"
        "      'hello from the upstream\\n')\n"
        "  else\n"
        "    h:respond({[':status'] = '200', ['content-type'] = kind}, body:getBytes(0, body:length()))\n"
        "  end\n"
        "end\n"
    )


def fixed_in_envoy(response: Response) -> Json:
    """A listener that gives this answer after it has read the whole request; trailers are not sent."""
    values: dict[bytes, list[bytes]] = {b":status": [str(response.status).encode()]}
    for name, value in response.headers.encode():
        values.setdefault(name, []).append(value)
    table = ", ".join(
        f"[{_lua(name)}] = {{{', '.join(map(_lua, many))}}}"
        if len(many) > 1
        else f"[{_lua(name)}] = {_lua(*many)}"
        for name, many in values.items()
    )
    body = _lua(response.body) if response.body else "nil"
    return _script(f"function envoy_on_request(h)\n  h:body()\n  h:respond({{{table}}}, {body})\nend\n")


def _script(source: str) -> Json:
    lua = {
        "name": "envoy.filters.http.lua",
        "typed_config": {
            "@type": TYPE + "envoy.extensions.filters.http.lua.v3.Lua",
            "default_source_code": {"inline_string": source},
        },
    }
    manager = _connection_manager("upstream", [lua, ROUTER], [_direct(500)])
    return {**_listener("upstream", manager, MAX_BODY), "internal_listener": {}}


def _connection_manager(name: str, filters: list[Json], routes: list[Json]) -> Json:
    return {
        "@type": TYPE + "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": name,
        "codec_type": "AUTO",
        "http_protocol_options": HTTP1,
        "http2_protocol_options": HTTP2,
        "stream_idle_timeout": "0s",
        "delayed_close_timeout": "0.2s",
        "route_config": {
            "name": name,
            "virtual_hosts": [{"name": name, "domains": ["*"], "routes": routes}],
        },
        "http_filters": filters,
    }


def _listener(name: str, manager: Json, buffer_bytes: int) -> Json:
    chain = {"filters": [{"name": "http", "typed_config": manager}]}
    listener: Json = {
        "name": name,
        "per_connection_buffer_limit_bytes": buffer_bytes,
        "filter_chains": [chain],
    }
    if name != "upstream":
        # Else a second Envoy would share the port instead of reporting that it is in use.
        listener["enable_reuse_port"] = False
    return listener


def _direct(status: int) -> Json:
    return {"match": {"prefix": "/"}, "direct_response": {"status": status}}


def _address(port: int) -> Json:
    return {"socket_address": {"address": HOST, "port_value": port}}


def _bytes(value: bytes) -> Json:
    return {"@type": BYTES, "value": base64.b64encode(value).decode()}


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _lua(raw: bytes) -> str:
    return '"' + "".join(f"\\{byte:03d}" for byte in raw) + '"'
