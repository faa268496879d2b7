"""The trace: callbacks, host calls, log lines in place, and what each callback changed."""

from __future__ import annotations

from wasmhub_magics.build import build_module
from wasmhub_magics.http import Request, Response
from wasmhub_magics.plugin import Plugin
from wasmhub_magics.proxy import Delay, GrpcReply, Histogram

REQUEST = Request("POST", "/a", {"x-a": "old", "x-keep": "1"}, "body", trailers={"x-t": "1"})


def callback(exchange, name):
    return next(c for c in exchange.trace if c.name == f"proxy_on_{name}")


def test_a_callback_shows_what_it_changed_in_the_headers(run):
    script = """request_headers set 0 x-a new
        request_headers add 0 x-b 1
        request_headers del 0 x-request-id
        request_headers get 0 :path
        response_headers add 2 x-c 2"""
    exchange = run(script).send(REQUEST.replace(headers={"x-a": "old", "x-request-id": "7"}))
    (change,) = callback(exchange, "request_headers").changes
    assert change.what == "request headers"
    assert change.lines == (
        ("-", "x-a", "old"),
        ("-", "x-request-id", "7"),
        ("+", "x-a", "new"),
        ("+", "x-b", "1"),
    )
    (change,) = callback(exchange, "response_headers").changes
    assert str(change) == "response headers: + x-c: 2"


def test_a_callback_shows_what_it_changed_in_a_body_and_in_trailers(run):
    script = "request_body putbody 0 0 99 other\nrequest_trailers set 1 x-t 2\nrequest_trailers size 1"
    exchange = run(script).send(REQUEST)
    (change,) = callback(exchange, "request_body").changes
    assert (change.before.body, change.after.body) == (b"body", b"other")
    assert [c.what for c in callback(exchange, "request_trailers").changes] == ["request trailers"]


def test_what_is_written_back_as_it_was_is_no_change(run):
    exchange = run("request_headers set 0 x-a old\nrequest_headers size 0").send(
        Request(headers={"x-a": "old"})
    )
    assert callback(exchange, "request_headers").changes == ()


def test_what_a_trap_left_changed_is_shown(run):
    exchange = run("request_headers add 0 x-b 1\nrequest_headers trap").send(REQUEST)
    trapped = callback(exchange, "request_headers")
    assert trapped.trapped
    assert trapped.changes[0].lines == (("+", "x-b", "1"),)


def test_log_lines_stand_in_their_place(run):
    trace = run("request_headers get 0 :path\nrequest_headers log 3 careful").send(REQUEST).trace
    names = [call.log_line or call.name for call in callback_of(trace, "request_headers").calls]
    assert names == [
        "[info] request_headers 2 8 0",
        "proxy_get_header_map_value",
        "[info] get :path -> 0 /a",
        "[warn] careful",
    ]
    assert "    [warn] careful" in str(trace)


def callback_of(trace, name):
    return next(c for c in trace if c.name == f"proxy_on_{name}")


def test_the_timeline_shows_changes_and_nothing_of_them_is_markup(run):
    trace = run("request_headers add 0 x-b <i>1</i>").send(REQUEST).trace
    shown = trace._repr_html_()
    assert "data-mark='+'" in shown
    assert "&lt;i&gt;1&lt;/i&gt;" in shown
    assert "<i>1</i>" not in shown


def test_the_same_seed_and_clock_give_the_same_bytes(run):
    script = """request_headers time
        request_headers call auth 50 :method=GET;:path=/;:authority=a -
        create prop request.id"""

    def once():
        proxy = run(script, clock=1_700_000_000, seed=7, clusters={"auth": Delay(0.02)})
        exchanges = [
            proxy.send(REQUEST, upstream=lambda request: Response(200, body=request.body)) for _ in range(3)
        ]
        return [(e.trace.raw, e.log, e.response, e.upstream_request, e.timing, e.details) for e in exchanges]

    assert once() == once()


def test_the_state_tells_timers_pending_calls_and_all_that_is_kept(run):
    script = """configure tick 500
        configure define 0 hits
        configure define 2 sizes
        configure record 6 3
        configure setdata k 0 v
        configure register q
        request_headers increment 4 2
        request_headers enqueue 1 m
        request_headers grpcstream watch -"""
    proxy = run(script, clusters={"watch": GrpcReply(status=None)})
    proxy.send()
    state = proxy.state
    assert [(t.plugin, t.period, t.due) for t in state.timers] == [("puppet", 0.5, 0.5)]
    assert [(p.kind, p.cluster, p.token, p.due) for p in state.pending] == [("gRPC stream", "watch", 6, None)]
    assert dict(state.metrics) == {"hits": 2, "sizes": Histogram(1, 3, (3,))}
    assert (state.shared_data, state.queues) == ({"": {"k": b"v"}}, {"": {"q": (b"m",)}})
    for shown in (repr(state), state._repr_html_()):
        assert all(word in shown for word in ("hits", "sizes", "every 0.5 s", "watch", "gRPC stream"))


def test_a_callback_inside_of_a_host_call_is_told_before_the_one_around_it(run):
    script = "request_headers dns 127.0.0.1\nrequest_headers get 0 :path\non_dns body 8 0 20"
    trace = run(script).send().trace
    inner, outer = (
        next(c for c in trace.callbacks if c.name == name)
        for name in ("envoy_on_resolve_dns", "proxy_on_request_headers")
    )
    assert trace.callbacks.index(inner) < trace.callbacks.index(outer)
    assert "proxy_get_buffer_bytes" in [call.name for call in inner.calls]
    assert [call.name for call in outer.calls if call.name != "proxy_log"][-2:] == [
        "envoy_resolve_dns",
        "proxy_get_header_map_value",
    ]


CALLER = """
#include "proxy_wasm.h"
pw_action proxy_on_request_headers(uint32_t context, uint32_t count, bool end) {
  static const pw_header headers[] = {{":method", "GET"}, {":path", "/check"}, {":authority", "auth"}};
  uint32_t token;
  pw_http_call("auth", headers, 3, "hi", 1000, &token);
  return PW_CONTINUE;
}
"""


def test_headers_among_the_arguments_are_shown_as_people_write_them(run):
    plugin = Plugin(build_module(CALLER, "c", "caller").module, name="caller")
    exchange = run(plugin, clusters={"auth": Response(200)}).send()
    (call,) = callback(exchange, "request_headers").calls
    headers = "{:method: GET, :path: /check, :authority: auth}"
    shown = f"upstream='auth', headers={headers}, body='hi', trailers='', timeout_ms=1000"
    assert str(call) == f"proxy_http_call({shown}) -> Ok"
