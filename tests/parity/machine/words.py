"""What random cases are made of: names, values, bodies and paths of properties."""

from __future__ import annotations

__all__ = [
    "BODIES",
    "BODY",
    "CALLBACKS",
    "HEADERS",
    "NAMES",
    "PLACES",
    "PROPERTIES",
    "PSEUDO",
    "PSEUDO_OF",
    "READ_ONLY",
    "TRAILERS",
    "VALUES",
]

NAMES = (
    *(
        "x-a",
        "x-b",
        "X-Mixed-Case",
        "accept",
        "user-agent",
        "content-type",
        "cookie",
        "set-cookie",
        "via",
        "te",
    ),
    *("x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-request-id", "authorization", "referer"),
    *(
        "cache-control",
        "accept-encoding",
        "origin",
        "grpc-status",
        "grpc-message",
        "location",
        "etag",
        "vary",
    ),
    *(
        "x-envoy-upstream-service-time",
        "x-envoy-attempt-count",
        "x-envoy-decorator-operation",
        "grpc-timeout",
    ),
    *(
        "proxy-status",
        "server",
        "date",
        "x-envoy-original-path",
        "x-envoy-max-retries",
        "if-none-match",
        "age",
    ),
    *("x-envoy-retry-on", "x-client-trace-id", "range", "forwarded", "x-" + "n" * 40),
)
PSEUDO = (":path", ":method", ":authority", ":scheme", ":status", "host", "Host", ":protocol")
PSEUDO_OF = {
    "0": (":path", ":method", ":authority", ":scheme", "host", "Host"),
    "1": (),
    "2": (":status",),
    "3": (),
}
READ_ONLY = ("content-length", "transfer-encoding", "connection", "", "x probe", "x-absent")
VALUES = (
    "1",
    "2",
    "v",
    "a, b",
    "",
    "MiXeD",
    "\xc3\xa9t\xc3\xa9",
    "x" * 300,
    "text/plain",
    "a=1; b=2",
    "trailers",
)
BODIES = (
    "hello",
    "",
    "a",
    "The quick brown fox jumps over the lazy dog",
    "\0\xff\x80 binary \n",
    "!300",
    "!5000",
    "!24000",
)
PROPERTIES = (
    *(
        "request.path",
        "request.url_path",
        "request.host",
        "request.scheme",
        "request.method",
        "request.headers",
    ),
    *("request.headers.x-a", "request.headers.X-A", "request.headers.user-agent", "request.headers.absent"),
    *("request.headers_bytes", "request.referer", "request.useragent", "request.id", "request.protocol"),
    *(
        "request.query",
        "request.size",
        "request.total_size",
        "request",
        "request.nothing",
        "request.path.more",
    ),
    *("response.code", "response.code_details", "response.flags", "response.grpc_status", "response.headers"),
    *("response.headers.x-a", "response.headers.content-type", "response.trailers", "response.trailers.x-t"),
    *(
        "response.size",
        "response",
        "response.nothing",
        "source",
        "source.nothing",
        "destination",
        "connection",
    ),
    *("connection.mtls", "connection.requested_server_name", "connection.tls_version"),
    *("connection.subject_local_certificate", "connection.subject_peer_certificate"),
    *("connection.dns_san_local_certificate", "connection.dns_san_peer_certificate"),
    *("connection.uri_san_local_certificate", "connection.uri_san_peer_certificate"),
    *("connection.sha256_peer_certificate_digest", "connection.transport_failure_reason"),
    *("connection.termination_details", "upstream", "upstream.tls_version", "upstream.num_endpoints"),
    *("upstream.subject_local_certificate", "upstream.subject_peer_certificate", "upstream.nothing"),
    *("upstream.dns_san_local_certificate", "upstream.uri_san_peer_certificate"),
    *("upstream.sha256_peer_certificate_digest", "upstream.transport_failure_reason"),
    *("upstream.request_attempt_count", "upstream.locality", "metadata", "metadata.filter_metadata"),
    *("metadata.filter_metadata.x", "filter_state", "filter_state.wasm.mine", "filter_state.nothing"),
    *("upstream_filter_state", "xds", "xds.cluster_name", "xds.cluster_metadata", "xds.route_name"),
    *(
        "xds.route_metadata",
        "xds.virtual_host_name",
        "xds.virtual_host_metadata",
        "xds.upstream_host_metadata",
    ),
    *("xds.filter_chain_name", "xds.listener_metadata", "xds.listener_direction", "xds.nothing"),
    *("xds.upstream_host_locality_metadata", "plugin_name", "plugin_root_id", "plugin_name.more", "node"),
    *(
        "cluster_name",
        "listener_direction",
        "mine",
        "mine.more",
        "nothing",
        "",
        ".",
        "request..path",
        "request.",
    ),
)
# Times, and what comes from this machine: their size is compared.
PLACES = (
    *("request.time", "request.duration", "source.address", "source.port", "destination.address"),
    *("destination.port", "connection.id", "connection_id", "upstream.address", "upstream.port"),
    *(
        "upstream.local_address",
        "upstream.cx_pool_ready_duration",
        "response.backend_latency",
        "plugin_vm_id",
    ),
    *("response.headers_bytes", "response.total_size"),
)
HEADERS, BODY, TRAILERS = "hH", "bB", "tT"
CALLBACKS = "hbtHBTld"
