"""Bodies and trailers travel in frames, and a filter can hold, change and add them."""

from __future__ import annotations

import pytest

from wasmhub_magics.http import Request, Response
from wasmhub_magics.plugin import Limits


def lines(exchange, start):
    return [line.message for line in exchange.log if line.message.startswith(start)]


def test_each_frame_is_a_callback_and_an_empty_one_ends_the_body(run):
    exchange = run("").send(Request("POST", "/", body="one two", chunks=[4]))
    assert lines(exchange, "request_body") == [
        "request_body 2 4 0",
        "request_body 2 3 0",
        "request_body 2 0 1",
    ]


def test_a_request_without_a_body_has_no_body_callback(run):
    exchange = run("").send()
    assert lines(exchange, "request_headers")[0].endswith(" 1")
    assert not lines(exchange, "request_body")


def test_trailers_end_a_body_that_has_them(run):
    exchange = run("").send(Request("POST", "/", body="x", trailers={"x-sum": "1"}))
    assert lines(exchange, "request_")[-1] == "request_trailers 2 1 0"
    assert exchange.upstream_request.trailers == {"x-sum": "1"}


def test_a_held_body_grows_until_it_is_let_go(run):
    script = "request_body return 1\nrequest_body body 0 0 100\nrequest_end return 0"
    exchange = run(script).send(Request("POST", "/", body="onetwo", chunks=[3]))
    assert lines(exchange, "body") == ["body -> 0 one", "body -> 0 onetwo", "body -> 0 onetwo"]
    assert exchange.upstream_request.body == b"onetwo"


@pytest.mark.parametrize(
    ("write", "body"),
    [
        ("0 0 <", b"<abc"),
        ("0 100 new", b"new"),
        ("0 1 A", b"Abc"),
        ("3 0 >", b"abc>"),
        ("1 1 -", b"abc"),
    ],
)
def test_a_held_body_is_written_at_its_ends_only(run, write, body):
    script = f"request_body return 1\nrequest_end putbody 0 {write}\nrequest_end return 0"
    exchange = run(script).send(Request("POST", "/", body="abc"))
    assert exchange.upstream_request.body == body
    assert lines(exchange, "putbody") == [f"putbody -> {2 if write.startswith('1 1') else 0}"]


def test_a_response_body_can_be_replaced(run):
    script = "response_body return 1\nresponse_end putbody 1 0 1000 replaced\nresponse_end return 0"
    assert run(script).send(upstream=Response(200, body="abc", chunks=[1, 1])).response.body == b"replaced"


def test_the_next_filter_sees_a_changed_body_in_one_piece(run, puppet):
    first = puppet("request_body return 1\nrequest_end return 0", name="first", vm_id="1")
    exchange = run(first, puppet("", name="second", vm_id="2")).send(
        Request("POST", "/", body="abc", chunks=[1, 1])
    )
    second = [
        line.message for line in exchange.log if line.plugin == "second" and "request_body" in line.message
    ]
    assert second == ["request_body 2 3 1"]


def test_trailers_can_be_added_at_the_end_of_a_body(run):
    script = "request_end add 1 x-sum 7\nresponse_end add 3 x-late 8"
    exchange = run(script).send(Request("POST", "/", body="a", chunks=[]))
    assert exchange.upstream_request.trailers == {"x-sum": "7"}
    assert exchange.response.trailers == {"x-late": "8"}


def test_a_body_out_of_its_phase_reads_empty_and_refuses_writing(run):
    exchange = run(
        "request_headers body 0 0 9\nrequest_headers putbody 0 0 0 x\nrequest_headers body 4 0 9"
    ).send()
    assert lines(exchange, "body") == ["body -> 0 ", "body -> 1 "]
    assert lines(exchange, "putbody") == ["putbody -> 2"]


def test_the_plugin_configuration_is_readable_at_the_start_only(run):
    proxy = run("configure body 7 0 4\nrequest_headers body 7 0 4\nrequest_headers body 6 0 4")
    assert "body -> 0 conf" in [line.message for line in proxy.log]
    assert lines(proxy.send(), "body") == ["body -> 1 ", "body -> 0 "]


def test_a_held_request_body_over_the_limit_is_refused(run, puppet):
    plugin = puppet("request_body return 1", limits=Limits(body_bytes=1000))
    exchange = run(plugin).send(Request("POST", "/", body="x" * 2000, chunks=[500] * 3))
    assert (exchange.response.status, exchange.details) == (413, "request_payload_too_large")
    assert exchange.upstream_request is None


def test_a_held_response_over_the_limit_is_an_error_or_a_reset_where_its_headers_are_gone(run, puppet):
    limits = Limits(body_bytes=1000)
    upstream = Response(200, body="x" * 2000)
    late = run(puppet("response_body return 1", limits=limits)).send(upstream=upstream)
    assert (late.response, late.outcome) == (None, "reset")
    exchange = run(puppet("response_headers return 3", limits=limits)).send(upstream=upstream)
    assert (exchange.response.status, exchange.details) == (500, "response_payload_too_large")


def test_a_body_that_streams_through_may_be_larger_than_the_limit(run, puppet):
    plugin = puppet("", limits=Limits(body_bytes=1000))
    exchange = run(plugin).send(
        Request("POST", "/", body="x" * 5000), upstream=Response(200, body="y" * 5000)
    )
    assert len(exchange.upstream_request.body) == len(exchange.response.body) == 5000


def test_a_peer_whose_body_is_held_over_the_watermark_is_not_read_on(run, puppet):
    plugin = puppet("request_body return 2\nrequest_end return 0", limits=Limits(body_bytes=1000))
    exchange = run(plugin).send(Request("POST", "/", body="x" * 4000, chunks=[1500] * 2))
    assert exchange.outcome == "paused"
    assert any("no longer read" in warning for warning in exchange.warnings)


def test_a_head_request_gets_no_body(run):
    exchange = run("").send(Request("HEAD", "/"), upstream=Response(200, body="abc"))
    assert exchange.response.body == b""
