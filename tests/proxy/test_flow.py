"""Answers, pauses and ends of streams, with one filter and with several."""

from __future__ import annotations

import pytest

from wasmhub_magics.errors import ProxyError
from wasmhub_magics.http import Request, Response
from wasmhub_magics.proxy import Proxy


def lines(exchange, start=""):
    return [line.message for line in exchange.log if line.message.startswith(start)]


def test_filters_run_in_order_on_the_way_in_and_in_reverse_on_the_way_out(run, puppet):
    chain = [puppet("", name=name, vm_id=name) for name in ("a", "b", "c")]
    exchange = run(*chain).send()
    order = [(line.plugin, line.message.split(" ")[0]) for line in exchange.log]
    assert [p for p, phase in order if phase == "request_headers"] == ["a", "b", "c"]
    assert [p for p, phase in order if phase == "response_headers"] == ["c", "b", "a"]
    ends = [(p, phase) for p, phase in order if phase in ("log", "done", "delete")]
    assert ends == [(p, "log") for p in "abc"] + [(p, phase) for p in "abc" for phase in ("done", "delete")]


def test_a_filter_can_answer_by_itself(run):
    exchange = run("request_headers reply 418 -1 short_and_stout I am a teapot").send()
    assert (exchange.response.status, exchange.response.body) == (418, b"I am a teapot")
    assert exchange.response.headers["content-type"] == "text/plain"
    assert exchange.response.headers["content-length"] == "13"
    assert exchange.response.headers["x-from"] == "you"
    assert (exchange.upstream_request, exchange.upstream_response) == (None, None)
    assert exchange.details == "short_and_stout"
    assert len(lines(exchange, "response_headers")) == 1


def test_an_answer_to_a_grpc_request_is_trailers_only(run):
    request = Request("POST", "/s/m", [("content-type", "application/grpc")], b"x")
    response = run("request_headers reply 403 7 no keep out%").send(request).response
    assert (response.status, response.body) == (200, b"")
    assert response.headers["grpc-status"] == "7"
    assert response.headers["grpc-message"] == "keep out%25"


def test_filters_after_the_one_that_answers_only_log(run, puppet):
    chain = [
        puppet("request_headers reply 403 -1 no", name="first", vm_id="1"),
        puppet("", name="second", vm_id="2"),
    ]
    exchange = run(*chain).send()
    second = [line.message.split(" ")[0] for line in exchange.log if line.plugin == "second"]
    assert second == ["context_create", "log", "done", "delete"]


def test_an_answer_on_the_way_back_bypasses_the_filters(run):
    exchange = run("response_headers reply 502 -1 bad gateway").send()
    assert (exchange.response.status, exchange.response.body) == (502, b"gateway")
    assert len(lines(exchange, "response_headers")) == 1


def test_an_answer_after_the_response_has_started_resets_the_stream(run):
    exchange = run("response_body reply 502 -1 bad gateway").send()
    assert (exchange.response, exchange.outcome) == (None, "reset")


@pytest.mark.parametrize("value", [1, 3, 4, 9])
def test_pausing_in_the_request_headers_keeps_the_upstream_unasked(run, value):
    exchange = run(f"request_headers return {value}").send(Request("POST", "/", body="x"))
    assert (exchange.outcome, exchange.response, exchange.upstream_request) == ("paused", None, None)
    assert not lines(exchange, "request_body")
    assert [line.split(" ")[0] for line in lines(exchange)[-3:]] == ["log", "done", "delete"]


def test_two_in_the_request_headers_goes_on(run):
    assert run("request_headers return 2").send().outcome == "complete"


def test_with_stop_iteration_allowed_the_body_still_arrives_and_headers_can_be_changed(run, puppet):
    script = (
        "request_headers return 1\nrequest_body set 0 x-late yes\nrequest_body return 1\nrequest_end return 0"
    )
    plugin = puppet(script, allow_on_headers_stop_iteration=True)
    exchange = run(plugin).send(Request("POST", "/", body="abc"))
    assert exchange.upstream_request.headers["x-late"] == "yes"
    assert exchange.upstream_request.body == b"abc"


@pytest.mark.parametrize("phase", ["request_body", "request_trailers", "response_headers", "response_body"])
def test_a_stream_can_be_paused_for_ever_in_every_phase(run, phase):
    trailers = {"x-t": "1"} if phase == "request_trailers" else ()
    exchange = run(f"{phase} return 1").send(Request("POST", "/", body="x", trailers=trailers))
    assert exchange.outcome == "paused"
    assert exchange.response is None


def test_a_stream_can_be_continued_by_the_callback_that_pauses_it(run):
    script = "{0}_headers continue {1}\n{0}_headers return 1\n"
    script = script.format("request", 0) + script.format("response", 1)
    exchange = run(script).send(upstream=Response(200))
    assert (exchange.outcome, exchange.response.status) == ("complete", 200)


def test_continuing_a_response_that_is_not_paused_breaks_it_as_in_envoy(run):
    exchange = run("response_headers continue 1").send()
    assert exchange.outcome == "reset"
    assert any("not paused" in warning for warning in exchange.warnings)


@pytest.mark.parametrize(("stream", "status"), [(0, 0), (1, 0), (2, 0), (3, 12), (4, 2)])
def test_continue_answers_as_envoy_does(run, stream, status):
    exchange = run(f"log continue {stream}").send()
    assert lines(exchange, "continue") == [f"continue -> {status}"]


def test_closing_a_stream_resets_it(run):
    exchange = run("request_headers close 0").send()
    assert (exchange.outcome, exchange.response, exchange.details) == ("reset", None, "wasm_close_stream")
    assert lines(exchange, "log") == ["log 2 0 0"]


def test_the_effective_context_must_be_alive_and_ends_with_the_callback(run):
    script = "request_headers context 99\nrequest_headers context 1\nrequest_headers get 0 :path\n"
    exchange = run(script).send(Request("POST", "/", body="x"))
    assert lines(exchange, "context ") == ["context -> 2", "context -> 0"]
    assert lines(exchange, "get")[0] == "get :path -> 2 "


def test_plugins_of_one_vm_share_it_and_have_contexts_of_their_own(run, puppet):
    proxy = run(puppet("", name="a", vm_id="x"), puppet("", name="b", vm_id="x"))
    created = [line.message for line in proxy.log if line.message.startswith("context_create")]
    assert created == ["context_create 1 0 0", "context_create 2 0 0"]
    assert lines(proxy.send(), "context_create") == [
        "context_create 3 1 0",
        "context_create 4 2 0",
    ]


def test_an_upstream_function_gets_what_the_filters_made_of_the_request(run):
    seen = []

    def upstream(request):
        seen.append(request)
        return Response(201, [("x-up", "1")], request.body.upper())

    exchange = run("request_headers set 0 :path /new", upstream=upstream).send(
        Request("POST", "/old", body="abc")
    )
    assert (seen[0].path, seen[0].body, exchange.response.body) == ("/new", b"abc", b"ABC")
    assert exchange.response.status == 201


def test_what_an_upstream_function_raises_comes_out_and_the_proxy_goes_on(run):
    def upstream(request):
        raise ZeroDivisionError("in the upstream")

    proxy = run("")
    with pytest.raises(ZeroDivisionError, match="in the upstream"):
        proxy.send(upstream=upstream)
    assert proxy.send().response.status == 200


def test_an_upstream_function_that_sends_through_its_own_proxy_is_told_so(run):
    proxy = run("")
    with pytest.raises(ProxyError, match="waits for its upstream"):
        proxy.send(upstream=lambda request: proxy.send(request).response)
    assert proxy.send().response.status == 200


def test_a_closed_proxy_refuses_requests_and_closes_twice():
    proxy = Proxy([])
    assert proxy.send(upstream=Response(204)).response.status == 204
    proxy.close()
    proxy.close()
    with pytest.raises(ProxyError, match="closed"):
        proxy.send()


@pytest.mark.parametrize("phase", ["request_headers", "request_body", "response_headers"])
def test_why_a_stream_ends_is_known_in_the_callback_that_closes_it(run, phase):
    script = f"{phase} close 0\n{phase} prop response.code_details"
    exchange = run(script).send(Request("POST", body=b"a"))
    said = [line.message for line in exchange.log if line.message.startswith("prop ")]
    known = "via_upstream" if phase == "response_headers" else "wasm_close_stream"
    assert said == [f"prop response.code_details -> 0 {known}"] * len(said)
    assert said
    assert exchange.outcome == "reset"
