"""Properties, time and log levels."""

from __future__ import annotations

import pytest

from wasmhub_magics.errors import RequestError
from wasmhub_magics.http import Request


def told(run, phase, name, request=None, **options):
    exchange = run(f"{phase} prop {name}", **options).send(
        request
        or Request("GET", "/a/b?c=d", [("x-user", "ada"), ("user-agent", "me")], authority="example.com")
    )
    return next(line.message for line in exchange.log if line.message.startswith("prop")).partition(" -> ")[2]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("request.path", "0 /a/b?c=d"),
        ("request.url_path", "0 /a/b"),
        ("request.query", "0 c=d"),
        ("request.host", "0 example.com"),
        ("request.scheme", "0 http"),
        ("request.method", "0 GET"),
        ("request.headers.x-user", "0 ada"),
        ("request.headers.nope", "1 "),
        ("request.useragent", "0 me"),
        ("request.referer", "1 "),
        ("request.protocol", "0 HTTP/1.1"),
        ("request.size", "0 0"),
        ("request.duration", "1 "),
        ("response.code", "1 "),
        ("source.address", "0 127.0.0.1:50000"),
        ("source.port", "0 50000"),
        ("destination.address", "0 127.0.0.1:10000"),
        ("connection.mtls", "0 bytes 1"),
        ("xds.cluster_name", "0 upstream"),
        ("plugin_name", "0 puppet"),
        ("plugin_root_id", "0 "),
        ("nothing", "1 "),
    ],
)
def test_a_request_has_properties(run, name, value):
    assert told(run, "request_headers", name) == value


def test_properties_of_the_request_are_gone_in_the_response_and_back_in_the_log(run):
    assert told(run, "response_headers", "request.path") == "1 "
    assert told(run, "log", "request.path") == "0 /a/b?c=d"


def test_a_response_has_properties(run):
    assert told(run, "response_headers", "response.code") == "0 200"
    assert told(run, "log", "response.code_details") == "0 via_upstream"


def test_a_root_context_knows_its_plugin_and_no_request(run, puppet):
    proxy = run(
        puppet("create_root prop plugin_root_id\ncreate_root prop request.path", root_id="my_root", vm_id="v")
    )
    # The script is known from the configuration, which contexts can read while they start.
    props = [line.message for line in proxy.log if line.message.startswith("prop")]
    assert props == ["prop plugin_root_id -> 0 my_root", "prop request.path -> 1 "]


def test_a_property_that_is_set_can_be_read_back(run):
    exchange = run("request_headers setprop mine value\nlog prop mine\nlog prop other").send()
    messages = [line.message for line in exchange.log if "prop" in line.message]
    assert messages == ["setprop -> 0", "prop mine -> 0 value", "prop other -> 1 "]


def test_an_empty_path_cannot_be_read(run):
    assert told(run, "request_headers", "") == "3 "


def test_log_lines_carry_level_and_plugin(run, puppet):
    exchange = run(
        puppet("request_headers log 1 a\nrequest_headers log 5 b\nrequest_headers log 6 c", name="x")
    ).send()
    own = [(line.level, line.message, line.plugin) for line in exchange.log if len(line.message) == 1]
    assert own == [("debug", "a", "x"), ("critical", "b", "x")]
    assert "log -> 2" in [line.message for line in exchange.log]


def test_filters_of_abi_0_1_0_have_its_functions(run, old_puppet_module):
    from wasmhub_magics.plugin import Plugin

    script = b"request_headers get 0 nope\nrequest_headers return 1\nrequest_headers continue 0"
    exchange = run(Plugin(old_puppet_module, name="old", configuration=script)).send()
    messages = [line.message for line in exchange.log]
    assert "request_headers 2 6 9" in messages
    assert "get nope -> 0 " in messages
    assert "continue -> 0" in messages
    assert exchange.response.status == 200


@pytest.mark.parametrize(
    ("path", "given", "value"),
    [
        ("source.address", "10.1.2.3:4711", "0 10.1.2.3:4711"),
        ("connection.requested_server_name", "shop.example", "0 shop.example"),
        ("connection.mtls", True, "0 bytes 1"),
        ("source.port", 4711, "0 4711"),
        ("xds.route_name", "to-the-shop", "0 to-the-shop"),
        ("xds.cluster_name", b"shop", "0 shop"),
        ("metadata.filter_metadata.lb.stage", "canary", "0 canary"),
    ],
)
def test_the_driver_says_what_properties_are(run, path, given, value):
    assert told(run, "request_headers", path, properties={path: given}) == value
    assert told(run, "request_headers", "request.method", properties={path: given}) == "0 GET"


@pytest.mark.parametrize(
    "properties", [{"": "x"}, {"a..b": "x"}, {"[a": "x"}, {"a": 1.5}, {".a": "x"}, {"a.": "x"}]
)
def test_a_property_that_cannot_be_is_refused(run, properties):
    with pytest.raises(RequestError):
        run("request_headers prop a", properties=properties)
