"""Header maps behave as Envoy's do."""

from __future__ import annotations

import string

import pytest

from wasmhub_magics.build import build_module
from wasmhub_magics.http import Request, Response
from wasmhub_magics.plugin import Plugin
from wasmhub_magics.proxy import Proxy


def lines(exchange, start):
    return [line.message for line in exchange.log if line.message.startswith(start)]


def test_a_header_that_is_added_reaches_the_upstream(run):
    exchange = run("request_headers add 0 X-Greeting hello").send(Request())
    assert exchange.upstream_request.headers["x-greeting"] == "hello"


def test_a_filter_sees_pseudo_headers_first_and_what_the_connection_manager_adds_last(run):
    exchange = run("request_headers pairs 0", seed=1).send(Request("GET", "/a?b=1", [("X-User", "ada")]))
    names = [pair.partition("=")[0] for pair in lines(exchange, "pairs")[0].split(" ")[3:]]
    assert names == [
        ":authority",
        ":path",
        ":method",
        ":scheme",
        "x-user",
        "x-forwarded-proto",
        "x-request-id",
    ]


def test_headers_of_the_connection_never_reach_a_filter(run):
    request = Request("GET", "/", [("connection", "close"), ("keep-alive", "1"), ("x-envoy-retry-on", "5xx")])
    received = run("").send(request).received.headers
    assert set(received) == {"x-forwarded-proto", "x-request-id"}


def test_a_request_id_of_the_client_is_kept(run):
    assert run("").send(Request(headers={"x-request-id": "mine"})).received.headers["x-request-id"] == "mine"


@pytest.mark.parametrize(
    ("name", "joined"),
    [("user-agent", True), ("accept", True), ("x-own", False), ("cookie", False), ("content-type", True)],
)
def test_inline_headers_join_their_values_and_others_repeat(run, name, joined):
    proxy = run(f"request_headers add 0 {name} one\nrequest_headers add 0 {name} two")
    values = proxy.send(Request()).upstream_request.headers.getall(name)
    assert values == (("one,two",) if joined else ("one", "two"))


def test_white_space_around_a_value_does_not_survive_the_wire(run):
    exchange = run("").send(Request(headers={"x-pad": " \ta b "}), upstream=Response(200, {"x-back": " c "}))
    assert exchange.received.headers["x-pad"] == "a b"
    assert exchange.upstream_request.headers["x-pad"] == "a b"
    assert exchange.response.headers["x-back"] == "c"


def test_replacing_removes_all_entries_and_moves_the_header_to_the_end(run):
    request = Request(headers=[("x-a", "1"), ("x-a", "2"), ("x-b", "3")])
    pairs = run("request_headers set 0 x-a new").send(request).upstream_request.headers.pairs
    own = [pair for pair in pairs if pair[0] in ("x-a", "x-b")]
    assert own == [("x-b", "3"), ("x-a", "new")]


def test_host_is_another_name_of_the_authority(run):
    exchange = run("request_headers get 0 Host\nrequest_headers set 0 host other.com").send(
        Request(authority="example.com")
    )
    assert lines(exchange, "get") == ["get Host -> 0 example.com"]
    assert exchange.upstream_request.authority == "other.com"


def test_a_missing_header_is_not_found_and_a_wrong_map_is_a_bad_argument(run):
    exchange = run(
        "request_headers get 0 nope\nrequest_headers get 8 nope\nrequest_headers get 2 nope"
    ).send()
    assert lines(exchange, "get") == ["get nope -> 1 ", "get nope -> 2 ", "get nope -> 2 "]


def test_request_headers_are_gone_in_the_response(run):
    exchange = run(
        "response_headers get 0 :path\nresponse_headers pairs 0\nresponse_headers add 0 a b"
    ).send()
    assert lines(exchange, "get") == ["get :path -> 2 "]
    assert lines(exchange, "pairs") == ["pairs -> 0"]
    assert lines(exchange, "add") == ["add a -> 2"]


def test_headers_can_be_read_but_not_written_when_the_stream_is_logged(run):
    exchange = run("log get 0 :method\nlog get 2 :status\nlog get 0 nope\nlog add 0 a b").send()
    assert lines(exchange, "get") == ["get :method -> 0 GET", "get :status -> 0 200", "get nope -> 1 "]
    assert lines(exchange, "add") == ["add a -> 2"]


def test_pairs_that_cannot_be_read_empty_the_map(run):
    exchange = run("request_headers setpairs 0 junk\nrequest_headers pairs 0").send()
    assert lines(exchange, "pairs") == ["pairs -> 0"]
    assert exchange.response.status == 404


def test_the_size_of_a_map_is_the_bytes_of_its_names_and_values(run):
    exchange = run("response_headers size 2").send(upstream=Response(200, [("x", "yz")]))
    expected = len(":status200xyzcontent-length0x-envoy-upstream-service-time0")
    assert lines(exchange, "size") == [f"size -> 0 {expected}"]


def test_the_response_gets_a_date_and_the_servers_name_after_all_filters(run):
    exchange = run("response_headers get 2 date\nresponse_headers get 2 server", clock=0).send()
    assert lines(exchange, "get") == ["get date -> 1 ", "get server -> 1 "]
    assert exchange.response.headers["date"] == "Thu, 01 Jan 1970 00:00:00 GMT"
    assert exchange.response.headers["server"] == "envoy"


def test_a_response_without_a_status_becomes_a_bad_gateway(run):
    exchange = run("response_headers del 2 :status").send()
    assert exchange.response.status == 502
    assert exchange.details.startswith("filter_removed_required_response_headers")


def test_a_request_without_a_method_never_leaves(run):
    exchange = run("request_headers del 0 :method").send()
    assert (exchange.response.status, exchange.upstream_request) == (503, None)
    assert exchange.details.startswith("filter_removed_required_request_headers")


def test_headers_that_are_no_text_survive(run):
    request = Request(headers=[("x-raw", b"\xff\xfe".decode("utf-8", "surrogateescape"))])
    assert run("").send(request).upstream_request.headers.encode()[0] == (b"x-raw", b"\xff\xfe")


@pytest.mark.parametrize(
    ("headers", "details"),
    [
        ([("x-big", "v" * 62_000)], "http1.headers_too_large"),
        ([(f"x-{n}", "v") for n in range(101)], "http1.too_many_headers"),
    ],
)
def test_oversized_headers_are_refused_before_any_filter(run, headers, details):
    exchange = run("").send(Request(headers=headers))
    assert (exchange.response.status, exchange.details) == (431, details)
    assert not lines(exchange, "request_headers")


@pytest.mark.parametrize("length", range(1, 41))
def test_names_become_small_and_values_stay_at_every_length(run, length):
    letters = (string.ascii_uppercase + "!-09^_`|~" + string.ascii_lowercase)[:length]
    proxy = run(f"request_headers add 0 {letters} {letters}\nrequest_headers get 0 {letters}")
    exchange = proxy.send(Request())
    assert exchange.upstream_request.headers[letters.lower()] == letters
    assert lines(exchange, "get")[0].endswith(letters)


def at_the_end_of_memory(length: int, name: str) -> Proxy:
    """A filter that adds a header made of the last bytes of its memory, and reads it back."""
    at = (1 << 16) - length
    text = f"""(module
      (import "env" "proxy_add_header_map_value"
        (func $add (param i32 i32 i32 i32 i32) (result i32)))
      (import "env" "proxy_get_header_map_value"
        (func $get (param i32 i32 i32 i32 i32) (result i32)))
      (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
      (memory (export "memory") 1)
      (data (i32.const {at}) "{name[:length]}")
      (data (i32.const 64) "found")
      (func (export "proxy_abi_version_0_2_1"))
      (func (export "malloc") (param i32) (result i32) (i32.const 1024))
      (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
        (drop (call $add (i32.const 0) (i32.const {at}) (i32.const {length})
          (i32.const {at}) (i32.const {length})))
        (if (i32.eqz (call $get (i32.const 0) (i32.const {at}) (i32.const {length})
          (i32.const 16) (i32.const 20)))
          (then (drop (call $log (i32.const 2) (i32.const 64) (i32.const 5)))))
        (drop (call $add (i32.const 0) (i32.const {at + 1}) (i32.const {length})
          (i32.const 64) (i32.const 5)))
        (i32.const 0)))"""
    return Proxy([Plugin(build_module(text, "wat", "end").module, name="end")])


@pytest.mark.parametrize("length", [1, 7, 8, 15, 16, 17, 30])
def test_texts_may_be_the_last_bytes_of_a_memory_and_none_may_reach_beyond(length):
    name = "abcdefghijklmnopqrstuvwxyzabcdefgh"[:length]
    with at_the_end_of_memory(length, name) as proxy:
        for _ in range(2):  # the proxy knows the memory's size from the second time on
            exchange = proxy.send(Request())
            assert exchange.upstream_request.headers.getall(name) == (name,)
            assert [line.message for line in exchange.log] == ["found"]
            assert "found" not in exchange.upstream_request.headers.values()


@pytest.mark.parametrize("script", ["", "response_headers add 2 x-own 1"])
@pytest.mark.parametrize("dated", [True, False])
def test_a_response_reaches_the_client_dated_and_without_a_word_about_its_connection(run, script, dated):
    sent = [("x-a", "1"), *[("date", "today")][:dated]]
    headers = run(script).send(Request(), upstream=Response(200, sent, b"body")).response.headers
    names = ["x-a", *["date"][:dated], "x-envoy-upstream-service-time", *["x-own"][: bool(script)]]
    assert list(headers) == [*names, *["date"][dated:], "server"]
    assert headers["server"] == "envoy"


@pytest.mark.parametrize("name", ["connection", "server", "proxy-connection", "upgrade"])
def test_what_a_filter_says_about_the_connection_does_not_reach_the_client(run, name):
    headers = run(f"response_headers add 2 {name} own").send(Request()).response.headers
    assert headers.getall(name) == (("envoy",) if name == "server" else ())


def test_a_status_that_a_filter_joins_another_to_is_none(run):
    exchange = run("response_headers add 2 :status 5").send(Request())
    assert (exchange.response.status, exchange.details.partition("{")[0]) == (
        502,
        "filter_removed_required_response_headers",
    )
