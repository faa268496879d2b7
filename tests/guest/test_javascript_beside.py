"""JavaScript filters that call out, keep time, count and share, in the embedded proxy and in Envoy."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from wasmhub_magics.build import BuildOptions, build_module
from wasmhub_magics.envoy import EnvoyProxy
from wasmhub_magics.http import Request, Response
from wasmhub_magics.plugin import Plugin
from wasmhub_magics.proxy import Failure, Proxy

GATE = """
    async function onRequestHeaders(ctx) {
      const options = { method: "POST", headers: { "x-path": ctx.request.path }, body: "who?" };
      const answer = await ctx.call("auth", "/check", options);
      log(answer.status, answer.headers.get("x-user"), answer.body.text());
      if (answer.status !== 200) return ctx.respond(403, {}, "no");
      ctx.request.headers.set("x-user", answer.headers.get("x-user"));
    }
    """


def auth(request):
    if request.headers["x-path"] == "/secret":
        return Response(401)
    return Response(200, [("x-user", "ada")], request.body)


@pytest.fixture(params=[Proxy, EnvoyProxy], ids=["embedded", "envoy"])
def start(request: pytest.FixtureRequest) -> Iterator[Callable[..., Any]]:
    """Start a filter in the embedded proxy, and in the real Envoy."""
    started: list[Any] = []

    def start(source: str, **options: Any) -> Any:
        text = textwrap.dedent(source).lstrip("\n")
        module = build_module(text, "javascript", options=BuildOptions(first_line=2)).module
        started.append(request.param(Plugin(module, "filter"), **options))
        return started[-1]

    yield start
    for proxy in started:
        proxy.close()


def test_a_request_waits_for_a_call(start):
    proxy = start(GATE, clusters={"auth": auth})
    exchange = proxy.send(Request("POST", "/items", body="a body"))
    assert exchange.upstream_request.headers["x-user"] == "ada"
    assert exchange.upstream_request.body == b"a body"
    assert exchange.log[0].message == "200 ada who?"
    assert [(call.cluster, call.request.method, call.request.body) for call in exchange.calls] == [
        ("auth", "POST", b"who?")
    ]
    refused = proxy.send(Request("GET", "/secret"))
    assert (refused.response.status, refused.upstream_request) == (403, None)


@pytest.mark.parametrize(("kind", "status"), [("refused", "503"), ("closed", "503"), ("broken", "null")])
def test_a_failing_cluster_has_a_status_or_null(start, kind, status):
    exchange = start(GATE, clusters={"auth": Failure(kind)}).send()
    assert exchange.response.status == 403
    assert exchange.log[0].message.startswith(status)


def test_calls_can_be_awaited_together_and_in_the_response(start):
    exchange = start(
        """
        async function onResponseHeaders(ctx) {
          const asked = ["one", "two"].map((name) => ctx.call("words", "/" + name));
          const answers = await Promise.all(asked);
          ctx.response.headers.set("x-words", answers.map((answer) => answer.body.text()).join(" "));
        }
        """,
        clusters={"words": lambda request: Response(200, body=request.path.upper())},
    ).send()
    assert exchange.response.headers["x-words"] == "/ONE /TWO"


def test_a_promise_that_needs_no_call_acts_at_once(start):
    proxy = start(
        """
        async function onRequestHeaders(ctx) {
          await null;
          if (ctx.request.path === "/no") return ctx.respond(403);
          ctx.request.headers.set("x-seen", "yes");
        }
        """
    )
    assert proxy.send().upstream_request.headers["x-seen"] == "yes"
    assert proxy.send(Request("GET", "/no")).response.status == 403


def test_an_error_after_the_wait_is_told_and_fails_the_request(start):
    exchange = start(
        """
        async function onRequestHeaders(ctx) {
          const answer = await ctx.call("auth");
          answer.nothing.at(1);
        }
        """,
        clusters={"auth": Response(200)},
    ).send()
    assert exchange.outcome == "paused"
    assert "cell:4:" in exchange.log[0].message


def test_a_cluster_that_is_not_there_is_an_error_in_words(start):
    exchange = start(GATE).send()
    assert exchange.response.status == 503
    assert "the cluster auth cannot be called: there is no such cluster" in exchange.log[0].message


def test_metrics_shared_data_and_queues(start):
    proxy = start(
        """
        function onRequestHeaders(ctx) {
          counter("hits").add();
          counter("hits").add(2);
          gauge("open").set(5);
          gauge("open").add(-2);
          histogram("sizes").record(2 ** 33);
          log(counter("hits").value, gauge("open").value);
          const more = (old) => (old ? old.text() : "") + "x";
          log(shared.has("k"), shared.get("k"), shared.update("k", more).length);
          const [value, version] = shared.read("k");
          log(value.text(), shared.cas("k", "a", version + 7), shared.cas("k", "new", version));
          log(shared.get("k").text());
          queue("jobs").put("one");
          queue("jobs").put(new Uint8Array([0, 255]));
        }
        function onQueue(ctx) {
          let job, seen = [];
          while ((job = ctx.queue.get())) seen.push([...job]);
          if (seen.length) shared.set("seen", JSON.stringify(seen));
        }
        function onResponseHeaders(ctx) {
          let job;
          while ((job = queue("jobs").get())) log("left", job.length);
        }
        """
    )
    lines = [line.message for line in proxy.send().log]
    assert lines[:3] == ["3 3", "false null 1", "x false true"]
    assert proxy.metrics["hits"] == 3
    assert proxy.metrics["open"] == 3


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ('counter("a").add(0)', "the metric a cannot be changed by 0"),
        ('gauge("a").set(0.5)', "cannot be changed by 0.5"),
        ("ctx.tick(-1)", "a timer needs seconds, not -1"),
        ('queue("q", "nobody")', "the queue q: nobody has made it"),
        ('ctx.foreign("nothing")', "the foreign function nothing"),
        ('shared.set("k", 5)', "a value must be a string or bytes, not 5"),
    ],
)
def test_mistakes_are_told_in_words(start, code, words):
    exchange = start(
        f"function onRequestHeaders(ctx) {{ try {{ {code}; }} catch (e) {{ log(e.message); }} }}"
    ).send()
    assert words in exchange.log[0].message


def test_a_timer_runs_and_stops():
    source = """
    let ticks = 0;
    function onConfigure(ctx) { ctx.tick(0.5); }
    async function onTick(ctx) {
      ticks++;
      const answer = await ctx.call("clock", "/" + ticks);
      log(answer.body.text());
      if (ticks === 3) ctx.tick(0);
    }
    """
    module = build_module(textwrap.dedent(source), "javascript").module
    with Proxy(Plugin(module, "filter"), clusters={"clock": lambda r: Response(200, body=r.path)}) as proxy:
        assert [line.message for line in proxy.tick(5).log] == ["/1", "/2", "/3"]


def test_calls_keep_no_memory():
    module = build_module(textwrap.dedent(GATE), "javascript").module
    with Proxy(Plugin(module, "filter"), clusters={"auth": Response(200, [("x-user", "ada")])}) as proxy:
        proxy.loop(n=500)
        loop = proxy.loop(n=2000)
    assert loop.memory_before == loop.memory_after
