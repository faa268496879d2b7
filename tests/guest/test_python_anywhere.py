"""What a Python filter does, the same in the embedded proxy and in the real Envoy."""

from __future__ import annotations

from typing import Any

import pytest

from wasmhub_magics.errors import StartError, WasmhubError
from wasmhub_magics.http import Request, Response


def test_headers_are_read_set_added_and_removed(start_anywhere: Any) -> None:
    proxy = start_anywhere(
        """
        def on_request_headers(ctx):
            headers = ctx.request.headers
            headers["x-greeting"] = "hello " + headers.get("X-User", "stranger")
            headers.add("x-tag", "a")
            headers.add("x-tag", "b")
            del headers["x-secret"]
            ctx.request.path = "/v2" + ctx.request.path
            ctx.method = ctx.request.method

        def on_response_headers(ctx):
            ctx.response.headers = {"x-only": "this", "x-method": ctx.method}
            ctx.response.status = 202
        """
    )
    exchange = proxy.send(Request("DELETE", "/a", {"x-user": "ada", "x-secret": "s"}))
    seen = exchange.upstream_request
    assert (seen.path, seen.headers["x-greeting"]) == ("/v2/a", "hello ada")
    assert seen.headers.getall("x-tag") == ("a", "b")
    assert "x-secret" not in seen.headers
    assert exchange.response.status == 202
    assert exchange.response.headers["x-method"] == "DELETE"


def test_a_value_that_is_not_utf8_travels_unharmed(start_anywhere: Any) -> None:
    proxy = start_anywhere(
        """
        def on_request_headers(ctx):
            ctx.request.headers["x-copy"] = ctx.request.headers["x-raw"]
            ctx.request.headers["x-bytes"] = b"\\xfe"
            pairs = [pair for pair in ctx.request.headers.items() if pair[0] == "x-raw"]
            log(repr(ctx.request.headers.get_bytes("x-raw")), len(pairs[0][1]))
        """
    )
    exchange = proxy.send(Request("GET", "/", {"x-raw": "é\udcff!"}))
    assert exchange.upstream_request.headers["x-copy"] == "é\udcff!"
    assert exchange.upstream_request.headers["x-bytes"] == "\udcfe"
    assert exchange.log[0].message == "b'\\xc3\\xa9\\xff!' 3"


def test_a_whole_body_is_rewritten_in_both_directions(start_anywhere: Any) -> None:
    proxy = start_anywhere(
        """
        def on_request_headers(ctx):
            del ctx.request.headers["content-length"]

        def on_request_body(ctx):
            if not ctx.end_of_stream:
                return ctx.PAUSE
            ctx.request.body = bytes(reversed(ctx.request.body))

        def on_response_headers(ctx):
            del ctx.response.headers["content-length"]

        def on_response_body(ctx):
            if not ctx.end_of_stream:
                return ctx.BUFFER
            ctx.response.prepend_body("<")
            ctx.response.append_body(b">\\0\\xff")
        """
    )
    answer = Response(200, {"content-length": "6"}, b"answer", chunks=[2, 2])
    exchange = proxy.send(Request("POST", "/", {}, b"\xffabc\0", chunks=[2]), upstream=answer)
    assert exchange.upstream_request.body == b"\0cba\xff"
    assert exchange.response.body == b"<answer>\0\xff"


def test_a_filter_answers_by_itself(start_anywhere: Any) -> None:
    proxy = start_anywhere(
        """
        def on_configure(ctx):
            ctx.token = ctx.config["token"]

        def on_request_headers(ctx):
            if ctx.request.headers.get("x-token") != ctx.root.token:
                return ctx.respond(403, [("x-a", "1"), ("x-a", "2")], "who?", details="no token")
        """,
        {"token": "sesame"},
    )
    refused = proxy.send(Request("GET", "/"))
    assert (refused.response.status, refused.response.body) == (403, b"who?")
    assert refused.response.headers.getall("x-a") == ("1", "2")
    assert refused.details == "no_token"
    assert refused.upstream_request is None
    assert proxy.send(Request("GET", "/", {"x-token": "sesame"})).response.status == 200


def test_an_exception_is_logged_with_the_lines_of_the_cell(start_anywhere: Any) -> None:
    proxy = start_anywhere(
        """
        def helper(headers):
            return headers["x-count"] + 1

        def on_request_headers(ctx):
            return helper(ctx.request.headers)
        """
    )
    exchange = proxy.send(Request("GET", "/", {"x-count": "1"}))
    assert exchange.response.status == 503
    assert exchange.log[0].level == "error"
    assert exchange.log[0].message.splitlines() == [
        "Traceback (most recent call last):",
        '  File "cell", line 6, in on_request_headers',
        '  File "cell", line 3, in helper',
        "TypeError: unsupported types for __add__: 'str', 'int'",
    ]


def test_a_refused_configuration_keeps_the_filter_from_starting(start_anywhere: Any) -> None:
    source = """
        def on_configure(ctx):
            return "token" in ctx.config
        """
    start_anywhere(source, {"token": 1})
    with pytest.raises(WasmhubError, match="on_configure"):
        start_anywhere(source, {})


def test_the_log_can_read_both_messages(start_anywhere: Any) -> None:
    proxy = start_anywhere(
        """
        def on_log(ctx):
            log.warn(ctx.request.headers[":path"], ctx.response.status)
        """
    )
    exchange = proxy.send(Request("GET", "/late"), upstream=Response(404))
    assert ("warn", "/late 404") in [(line.level, line.message) for line in exchange.log]


def test_properties_have_the_types_that_python_gives_them(start_anywhere: Any) -> None:
    proxy = start_anywhere(
        """
        def on_request_headers(ctx):
            values = [ctx.property(name) for name in ("request.path", "request.method", "no.such")]
            log(values, type(ctx.property("source.port")), ctx.property("request", "path", raw=True))
            ctx.set_property("tenant", b"blue")

        def on_response_headers(ctx):
            log(ctx.property("tenant"), ctx.property("response.code"))
        """
    )
    log = [line.message for line in proxy.send(Request("GET", "/p")).log]
    assert log[0] == "['/p', 'GET', None] <class 'int'> b'/p'"
    assert log[1].startswith("blue ")


def test_output_is_logged_line_by_line(start_anywhere: Any) -> None:
    proxy = start_anywhere(
        """
        import sys

        def on_request_headers(ctx):
            print("one", 2, end=" ")
            print([3], "né", sep="-")
            print("a\\nb", end="")
            print("bad", file=sys.stderr)
        """
    )
    lines = [(line.level, line.message) for line in proxy.send(Request()).log]
    assert sorted(lines) == [("error", "bad"), ("info", "a"), ("info", "b"), ("info", "one 2 [3]-né")]


def test_a_start_that_fails_says_why(start: Any) -> None:
    with pytest.raises(StartError) as caught:
        start("import requests\n")
    assert 'File "cell", line 2, in <module>' in str(caught.value)
    assert "ImportError: no module named 'requests'" in str(caught.value)
