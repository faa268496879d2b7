"""Every property in every phase: both proxies give the same."""

from __future__ import annotations

import pytest

from wasmhub_magics.http import Request, Response


def names(text):
    return text.split()


STEADY = names("""
request request.path request.url_path request.host request.scheme request.method request.headers.x-a
request.headers.X-A request.headers.x-none request.headers.x-a.more request.headers_bytes.more
request.referer request.useragent request.protocol request.query request.size request.nothing
request.path.more response response.code response.code_details response.flags response.grpc_status
response.headers.x-u response.headers.none response.trailers.x-t response.size response.nothing
response.code.more source source.nothing destination destination.nothing connection connection.mtls
connection.requested_server_name connection.tls_version connection.subject_local_certificate
connection.subject_peer_certificate connection.dns_san_local_certificate
connection.dns_san_peer_certificate connection.uri_san_local_certificate
connection.uri_san_peer_certificate connection.sha256_peer_certificate_digest
connection.peer_certificate connection.transport_failure_reason connection.termination_details
connection.nothing upstream upstream.num_endpoints upstream.tls_version
upstream.subject_local_certificate upstream.subject_peer_certificate
upstream.dns_san_local_certificate upstream.uri_san_peer_certificate
upstream.sha256_peer_certificate_digest upstream.transport_failure_reason
upstream.request_attempt_count upstream.nothing metadata metadata.filter_metadata.some
metadata.filter_metadata.some.key metadata.nothing filter_state filter_state.none
filter_state.wasm.mine upstream_filter_state upstream_filter_state.none xds xds.cluster_name
xds.route_name xds.virtual_host_name xds.filter_chain_name xds.listener_direction
xds.upstream_host_metadata xds.upstream_host_locality_metadata xds.nothing plugin_name
plugin_root_id plugin_vm_id plugin_name.more node cluster_name cluster_metadata route_name
route_metadata listener_direction listener_metadata upstream_host_metadata mine mine.more nothing
""")
CHANGING = names("""
request.headers request.headers_bytes request.id request.time request.duration request.total_size
response.headers response.headers_bytes response.trailers response.total_size
response.backend_latency source.address source.port destination.address destination.port
connection.id connection_id upstream.address upstream.port upstream.local_address
upstream.cx_pool_ready_duration
""")
# While a body comes these are there only where a connection to the upstream happened to be open.
POOLED = {"upstream_filter_state", "upstream.local_address", "upstream.cx_pool_ready_duration"}
REQUEST = Request("POST", "/a/b?c=d", {"x-a": "1", "user-agent": "me"}, "abc")
UPSTREAM = Response(201, {"x-u": "1"}, "answer", trailers={"x-t": "1"})


@pytest.mark.parametrize(
    "phase",
    ["request_headers", "request_body", "response_headers", "response_body", "response_trailers", "log"],
)
def test_both_proxies_give_the_same_properties(beside, phase):
    left_out = POOLED if phase == "request_body" else set()
    script = "\n".join(
        [
            "request_headers setprop mine value",
            *(f"{phase} prop {name}" for name in STEADY if name not in left_out),
            *(f"{phase} propsize {name}" for name in CHANGING if name not in left_out),
        ]
    )
    beside(script, [REQUEST], upstream=UPSTREAM, root_id="my_root", vm_id="my_vm")
