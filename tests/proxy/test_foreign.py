"""Foreign functions: what Envoy offers besides the ABI."""

from __future__ import annotations

import pytest


def said(exchange, word):
    return [line.message for line in exchange.log if line.message.startswith(word)]


@pytest.mark.parametrize("text", ["", "x", "hello hello hello hello", "abcdefghij klmnop" * 2000])
def test_what_is_compressed_can_be_uncompressed(run, text):
    (line,) = said(run(f"request_headers roundtrip {text}").send(), "compress")
    assert line == f"compress -> 0 uncompress -> 0 {text}"


def test_what_is_no_zlib_stream_is_refused(run):
    assert said(run("request_headers foreign uncompress nothing").send(), "foreign") == ["foreign -> 3 "]


def test_filter_state_can_be_read_as_a_property(run):
    script = "request_headers state envoy.string abc\nrequest_headers state envoy.upstream.dynamic_port 080"
    assert said(run(script).send(), "state") == [
        "state envoy.string -> 0 -> 0 abc",
        "state envoy.upstream.dynamic_port -> 0 -> 0 80",
    ]


def test_filter_state_of_an_unknown_kind_or_shape_is_refused(run):
    script = """request_headers state nothing x
        request_headers state envoy.upstream.dynamic_port x
        request_headers state envoy.other x
        request_headers foreign set_envoy_filter_state x"""
    exchange = run(script).send()
    assert said(exchange, "state") == [
        "state nothing -> 1 -> 1 ",
        "state envoy.upstream.dynamic_port -> 2 -> 1 ",
        "state envoy.other -> 1 -> 1 ",
    ]
    assert said(exchange, "foreign") == ["foreign -> 2 "]
    assert "envoy.other" in exchange.warnings[0]


def test_a_function_that_nobody_has_is_not_found(run):
    assert said(run("request_headers foreign nothing x").send(), "foreign") == ["foreign -> 1 "]
