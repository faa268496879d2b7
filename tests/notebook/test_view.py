"""How an exchange looks, with exchanges made by hand."""

from __future__ import annotations

from wasmhub_magics.http import Headers, Request, Response
from wasmhub_magics.proxy.exchange import Exchange, LogLine, Timing
from wasmhub_magics.proxy.view import compared, exchange_html, exchange_text


def exchange(**changes: object) -> Exchange:
    request = Request("GET", "/items", {"x-user": "ada"})
    response = Response(200, {"server": "upstream"}, b"hello")
    values: dict[str, object] = {
        "request": request,
        "response": response,
        "received": request,
        "upstream_request": request,
        "upstream_response": response,
        "timing": Timing(12_345, 678),
    }
    return Exchange(**(values | changes))  # type: ignore[arg-type]


def test_what_changed_is_marked_line_by_line() -> None:
    assert compared([("a", "1"), ("b", "2")], [("a", "1"), ("b", "3"), ("c", "4")]) == [
        (" ", "a", "1"), ("-", "b", "2"), ("+", "b", "3"), ("+", "c", "4"),
    ]  # fmt: skip


def test_repeated_headers_are_compared_one_by_one() -> None:
    assert compared([("a", "1"), ("a", "1")], [("a", "1")]) == [(" ", "a", "1"), ("-", "a", "1")]


def test_the_text_tells_status_changes_body_log_and_cost() -> None:
    changed = Request("GET", "/items", {"x-user": "ada", "x-greeting": "hello"})
    text = exchange_text(
        exchange(upstream_request=changed, log=(LogLine("info", "greeting"),), warnings=("careful",))
    )
    for part in (
        "GET /items -> 200 OK", "12.3 µs", "678 instructions", "+ x-greeting: hello", "    hello",
        "[info] greeting", "warning: careful",
    ):  # fmt: skip
        assert part in text


def test_nothing_of_a_message_becomes_markup() -> None:
    bad = "<script>alert(1)</script>"
    shown = exchange_html(
        exchange(
            request=Request("GET", "/" + bad.replace(" ", ""), {"x-a": bad}),
            received=Request("GET", "/", {"x-a": bad}),
            response=Response(200, {"x-b": bad}, bad),
            log=(LogLine("error", bad),),
            warnings=(bad,),
            details=bad,
        )
    )
    assert "<script" not in shown
    assert "&lt;script&gt;" in shown


def test_bytes_that_are_no_text_are_shown_and_break_nothing() -> None:
    odd = Headers.decode([(b"x-raw", b"\xff\xfe")])
    made = exchange(response=Response(200, odd, b"\x00\xff"), received=Request("GET", "/", odd))
    exchange_html(made).encode()
    text = exchange_text(made)
    text.encode()
    assert "00 ff" in text
    assert "\\xff\\xfe" in text


def test_a_long_body_is_cut_and_the_rest_counted() -> None:
    assert "1,000 characters more" in exchange_text(exchange(response=Response(200, {}, "x" * 5000)))


def test_an_answer_of_the_filter_itself_says_that_the_upstream_was_not_asked() -> None:
    made = exchange(
        upstream_request=None, upstream_response=None, response=Response(403, {"x-why": "rule"}, "no")
    )
    assert "403 Forbidden" in exchange_text(made)
    assert "the filter answered by itself" in exchange_text(made)
    assert "x-why" in exchange_text(made)
    assert "not asked" in exchange_html(made)


def test_a_filter_that_failed_is_not_said_to_have_answered() -> None:
    made = exchange(
        upstream_request=None,
        upstream_response=None,
        response=Response(503, {"server": "envoy", "x-own": "1"}),
        details="wasm_fail_stream",
        log=(LogLine("error", "Traceback\n  line 3"),),
    )
    text = exchange_text(made)
    assert "the filter failed" in text
    assert "x-own: 1" in text
    assert "server" not in text
    assert "    [error] Traceback\n      line 3" in text
    assert "wh-fail" in exchange_html(made)


def test_a_paused_stream_says_so() -> None:
    made = exchange(response=None, upstream_request=None, upstream_response=None, outcome="paused")
    assert "paused" in exchange_text(made)
    assert "paused" in exchange_html(made)


def test_an_exchange_shows_itself() -> None:
    assert "GET /items -> 200 OK" in repr(exchange())
    assert "wh-exchange" in exchange()._repr_html_()


def test_what_the_proxy_itself_adds_is_not_said_to_be_the_filters() -> None:
    seen = Request(
        "GET", "/items", {"x-user": "ada", "x-envoy-expected-rq-timeout-ms": "15000", "x-new": "1"}
    )
    made = exchange(upstream_request=seen, response=Response(200, {"server": "envoy", "date": "today"}))
    text = exchange_text(made)
    assert "+ x-new: 1" in text
    assert "x-envoy" not in text
    assert "server" not in text
    shown = exchange_html(made)
    assert "headers +1" in shown
    assert "title='set by the proxy itself'><b>date</b>: today" in shown
