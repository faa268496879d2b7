"""Capability restriction, and names that are resolved: both proxies do the same."""

from __future__ import annotations

from wasmhub_magics.http import Request
from wasmhub_magics.proxy import Proxy

REQUESTS = [Request("POST", body="abc"), Request()]
BASE = ("proxy_log", "proxy_on_configure", "proxy_get_buffer_bytes", "proxy_on_context_create")
SCRIPT = """
configure getdata a
request_headers get 0 :path
request_headers add 0 a b
request_headers getdata b
request_headers grpc auth 0 - x
response_headers add 2 a b
"""


def test_both_proxies_refuse_what_is_not_on_the_list(beside):
    allowed = (*BASE, "proxy_on_request_headers", "proxy_add_header_map_value", "proxy_on_log")
    exchanges = beside(SCRIPT, REQUESTS, allowed_capabilities=allowed)
    messages = [line.message for line in exchanges[0][0].log]
    assert "add a -> 0" in messages
    assert "Attempted call to restricted proxy-wasm capability: proxy_get_header_map_value" in messages
    assert not any(message.startswith(("response_headers", "done")) for message in messages)


def test_an_empty_list_allows_everything(beside):
    exchanges = beside(SCRIPT, REQUESTS, allowed_capabilities=())
    assert not any("restricted" in line.message for line in exchanges[0][0].log)


def test_the_trace_shows_what_was_refused(puppet):
    plugin = puppet(SCRIPT, allowed_capabilities=(*BASE, "proxy_on_request_headers"))
    with Proxy(plugin) as embedded:
        calls = embedded.send(Request()).trace.host_calls
    refused = {call.name: call.status for call in calls if call.name != "proxy_log"}
    assert refused["proxy_get_header_map_value"] == refused["proxy_grpc_call"] == "InternalFailure"


DNS = """
request_headers dns %s
request_headers return 1
on_dns body 8 0 100
on_dns bodysize 8
on_dns stream
on_dns continue 0
"""


def test_a_name_that_nobody_knows_is_told_alike(beside):
    beside(DNS % "nothing.invalid", REQUESTS)


def test_a_number_is_its_own_address_and_is_told_inside_of_the_call(beside):
    exchanges = beside(DNS % "10.1.2.3", REQUESTS)
    messages = [line.message for line in exchanges[0][0].log]
    told = messages.index("resolved 1 2 19")
    assert messages[told + 1] == "body -> 0 \1|||||||10.1.2.3:0|"
    assert told < messages.index("dns -> 0 2")
