"""Call-outs: requests of a filter's own, and how their answers come back."""

from __future__ import annotations

import pytest

from wasmhub_magics.errors import RequestError
from wasmhub_magics.http import Request, Response
from wasmhub_magics.plugin import Limits
from wasmhub_magics.proxy import Delay, Failure

HEADERS = ":method=GET;:path=/check;:authority=auth;x-one=1"
CONTINUE = "on_call stream\non_call continue 0"


def paused(cluster="auth", timeout=0, body="", then=CONTINUE):
    return f"request_headers call {cluster} {timeout} {HEADERS} - {body}\nrequest_headers return 1\n{then}"


def said(exchange, word):
    return [line.message for line in exchange.log if line.message.startswith(word)]


def test_a_paused_request_goes_on_when_the_answer_comes(run):
    asked = []

    def auth(request):
        asked.append(request)
        return Response(200, [("x-user", "ada")], b"yes")

    script = paused(body="who?", then="on_call get 6 x-user\non_call body 4 0 9\n" + CONTINUE)
    exchange = run(script, clusters={"auth": auth}).send()
    assert exchange.outcome == "complete"
    assert exchange.upstream_request is not None
    assert said(exchange, "get") == ["get x-user -> 0 ada"]
    assert said(exchange, "body") == ["body -> 0 yes"]
    assert (asked[0].method, asked[0].path, asked[0].authority, asked[0].body) == (
        *("GET", "/check", "auth"),
        b"who?",
    )
    assert asked[0].headers.pairs == (
        ("x-one", "1"),
        ("content-length", "4"),
        ("x-envoy-internal", "true"),
    )
    (call,) = exchange.calls
    assert (call.cluster, call.request, call.answer.body) == ("auth", asked[0], b"yes")


def test_the_answer_can_be_turned_into_a_local_reply(run):
    script = paused(then="on_call reply 403 -1 denied no\non_call stream\non_call reply 401 -1 denied no")
    exchange = run(script, clusters={"auth": Response(403)}).send()
    assert (exchange.response.status, exchange.response.body, exchange.details) == (401, b"no", "denied")
    assert exchange.upstream_request is None


def test_the_call_belongs_to_the_root_and_tokens_differ(run):
    script = f"request_headers call auth 0 {HEADERS} -\nrequest_headers call auth 0 {HEADERS} -"
    exchange = run(script, clusters={"auth": Response(200, body="abc", trailers={"x-t": "1"})}).send()
    assert said(exchange, "call ") == ["call -> 0 4", "call -> 0 8"]
    assert said(exchange, "called") == ["called 1 4 3 3 1", "called 1 8 3 3 1"]


@pytest.mark.parametrize(
    ("answer", "status", "body"),
    [
        (Failure("refused"), "503", "reset reason: remote connection failure"),
        (Failure("closed"), "503", "reset reason: connection termination"),
        (Failure("silent"), "504", "upstream request timeout"),
        (Delay(0.3), "504", "upstream request timeout"),
    ],
)
def test_a_cluster_that_fails_is_an_ordinary_answer(run, answer, status, body):
    script = paused(timeout=300, then="on_call get 6 :status\non_call body 4 0 200\n" + CONTINUE)
    exchange = run(script, clusters={"auth": answer}).send()
    assert said(exchange, "get") == [f"get :status -> 0 {status}"]
    assert said(exchange, "body")[0].endswith(body)
    assert exchange.outcome == "complete"


def test_an_answer_that_breaks_off_is_none_and_the_status_says_so(run):
    then = "on_call get 6 :status\non_call body 4 0 9\non_call status\n" + CONTINUE
    exchange = run(paused(then=then), clusters={"auth": Failure("broken")}).send()
    assert said(exchange, "called") == ["called 1 4 0 0 0"]
    assert said(exchange, "get") == ["get :status -> 2 "]
    assert said(exchange, "body") == ["body -> 1 "]
    assert said(exchange, "status") == ["status -> 0 11 reset"]


def test_a_cluster_that_never_answers_leaves_the_stream_paused(run):
    exchange = run(paused(), clusters={"auth": Failure("silent")}).send()
    assert exchange.outcome == "paused"
    assert "never answers" in exchange.warnings[0]


def test_late_answers_come_in_the_order_of_time_and_nobody_waits_for_them(run):
    calls = "\n".join(f"request_headers call {name} 0 {HEADERS} -" for name in ("slow", "quick"))
    script = f"{calls}\nrequest_headers return 1\non_call time\n{CONTINUE}\nconfigure tick 20000"
    clusters = {"slow": Delay(30), "quick": Delay(10)}
    exchange = run(script, clusters=clusters, clock=0.0).send()
    assert said(exchange, "called") == ["called 1 8 3 0 0", "called 1 4 3 0 0"]
    assert said(exchange, "time") == ["time 10000", "time 30000"]
    assert len(said(exchange, "tick 1")) == 1
    assert exchange.timing.total_ns < 1_000_000_000


def test_a_call_that_is_not_waited_for_is_answered_before_the_upstream_or_after_the_stream(run):
    script = f"request_headers call auth 0 {HEADERS} -\nlog call auth 0 {HEADERS} -\non_call stream"
    exchange = run(script, clusters={"auth": Response(200)}).send()
    lines = [line.message.partition(" ")[0] for line in exchange.log]
    assert lines.index("called") < lines.index("response_headers")
    assert lines[-2:] == ["called", "stream"]
    assert said(exchange, "stream") == ["stream -> 0", "stream -> 2"]


def test_a_call_in_the_response_can_pause_it(run):
    script = f"""response_headers call auth 0 {HEADERS} -
        response_headers return 1
        on_call stream
        on_call add 2 x-late yes
        on_call continue 1"""
    exchange = run(script, clusters={"auth": Response(200)}).send(Request("POST", body="x"))
    assert exchange.response.headers["x-late"] == "yes"
    assert exchange.response.body == b"answer"


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (f"nobody 100 {HEADERS} -", 2),
        (f"auth -1 {HEADERS} -", 2),
        ("auth 100 :method=GET;:path=/ -", 2),
        ("auth 100 :method=GET;:authority=a -", 2),
        ("auth 100 :path=/;:authority=a -", 2),
        ("auth 100 - -", 2),
        ("auth 100 :method=GET;:path=/;host= -", 0),
    ],
)
def test_a_call_that_lacks_something_is_refused_at_once(run, arguments, status):
    exchange = run(f"request_headers call {arguments}", clusters={"auth": Response(200)}).send()
    assert said(exchange, "call ")[0].startswith(f"call -> {status} ")
    assert len(exchange.calls) == (status == 0)


def test_nothing_of_an_answer_can_be_read_outside_its_callback(run):
    exchange = run("""request_headers get 6 :status
        request_headers pairs 6
        request_headers body 4 0 9
        request_headers add 6 a b
        request_headers status""").send()
    assert [line.message for line in exchange.log[2:7]] == [
        "get :status -> 2 ",
        "pairs -> 0",
        "body -> 1 ",
        "add a -> 2",
        "status -> 0 0 ",
    ]


def test_what_a_cluster_function_raises_comes_out_and_the_proxy_lives(run):
    def fail(request):
        raise LookupError(request.path)

    proxy = run(paused(), clusters={"auth": fail})
    with pytest.raises(LookupError, match="/check"):
        proxy.send()
    proxy.clusters["auth"] = Response(200)
    assert proxy.send().outcome == "complete"


def test_a_cluster_that_gives_no_answer_is_told_so(run):
    with pytest.raises(RequestError, match="cluster auth gave NoneType"):
        run(paused(), clusters={"auth": lambda request: None}).send()


def test_a_trap_in_the_callback_leaves_the_stream_paused(run):
    proxy = run(paused(then="on_call trap"), clusters={"auth": Response(200)})
    exchange = proxy.send()
    assert exchange.outcome == "paused"
    assert any("proxy_on_http_call_response failed" in line.message for line in exchange.log)


def test_a_timer_can_call_out(run):
    proxy = run(
        f"configure tick 1000\non_tick call auth 0 {HEADERS} -\non_call body 4 0 9",
        clusters={"auth": Response(200, body="keys")},
    )
    activity = proxy.tick(2)
    assert said(activity, "body") == ["body -> 0 keys"] * 2
    assert [call.cluster for call in activity.calls] == ["auth", "auth"]


def test_a_plugin_can_call_out_while_it_is_configured(run):
    proxy = run(
        f"configure call auth 0 {HEADERS} -\non_call body 4 0 9",
        clusters={"auth": Response(200, body="keys")},
    )
    assert proxy.log[-1].message == "body -> 0 keys"


@pytest.mark.parametrize("answer", [Response(200), lambda request: Response(200)], ids=["fixed", "function"])
def test_a_loop_answers_calls_as_well(run, answer):
    proxy = run("configure define 0 n\non_call increment 4 1\n" + paused(), clusters={"auth": answer})
    proxy.loop(n=50)
    assert proxy.metrics["n"] == 50


def test_a_peer_that_was_no_longer_read_is_read_again_after_the_resume(run, puppet):
    script = paused(then=CONTINUE)
    plugin = puppet(script, limits=Limits(body_bytes=1 << 20))
    request = Request("POST", body=b"x" * 3_000_000, chunks=[500_000] * 5)
    exchange = run(plugin, clusters={"auth": Response(200)}).send(request)
    assert any("no longer read" in warning for warning in exchange.warnings)
    assert len(exchange.upstream_request.body) == 3_000_000


def test_calls_without_end_are_given_up(run):
    script = f"request_headers call auth 0 {HEADERS} -\non_call call auth 0 {HEADERS} -"
    exchange = run(script, clusters={"auth": Response(200)}, trace=False).send()
    assert exchange.outcome == "complete"
    assert "more than 10000 messages, names and answers to calls" in exchange.warnings[0]


def test_the_text_of_an_exchange_names_its_calls(run):
    exchange = run(paused(), clusters={"auth": Response(200)}).send()
    assert "call of auth: GET /check -> 200" in repr(exchange)


def test_the_upstream_is_a_cluster_too(run):
    then = "on_call body 4 0 9\n" + CONTINUE
    assert said(run(paused("upstream", then=then)).send(), "body") == ["body -> 0 answer"]


def test_answers_and_failures_are_checked_where_they_are_made():
    with pytest.raises(RequestError):
        Delay(float("inf"))
    with pytest.raises(RequestError):
        Failure("other")
