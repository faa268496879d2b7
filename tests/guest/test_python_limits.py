"""Mistakes and hunger: each ends in a clear line of the log, never in silence and never in a hang."""

from __future__ import annotations

from typing import Any

import pytest

from wasmhub_magics.build.build import build_module
from wasmhub_magics.errors import StartError
from wasmhub_magics.guest.python import embed
from wasmhub_magics.http import Request, Response
from wasmhub_magics.module import Module
from wasmhub_magics.plugin import Limits, Plugin
from wasmhub_magics.proxy import Proxy


def errors(exchange: Any) -> str:
    return "\n".join(line.message for line in exchange.log if line.level == "error")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("return 'abc'", "TypeError: on_request_headers must return None"),
        ("return True", "TypeError: on_request_headers must return None"),
        ("ctx.request.headers['x'] = 5", "TypeError: the value of a header must be str, not int"),
        ("ctx.request.headers['x'] = 'a\\r\\nb: c'", "ValueError: a header cannot hold a line break"),
        ("ctx.request.headers['x']", "KeyError: x"),
        ("ctx.response.headers['x']", "in on_response_headers only"),
        ("ctx.request.body = b'x'", "in on_request_body only"),
        ("ctx.respond(99)", "ValueError: a response needs a status"),
        ("ctx.request.user = 1", "keep what you need in attributes of ctx"),
        ("import sys; sys.exit(1)", "a filter cannot exit"),
        ("raise SystemExit", "a filter cannot exit"),
        ("import time; time.sleep(1)", "a filter cannot sleep"),
        ("open('/etc/passwd')", "OSError"),
        ("f = lambda n: f(n + 1); f(0)", "RuntimeError: maximum recursion depth exceeded"),
        ("exec('x = = 1')", "SyntaxError"),
        ("[].pop()", "IndexError"),
    ],
)
def test_a_mistake_is_told_with_its_line(start: Any, body: str, said: str) -> None:
    proxy = start(f"def on_request_headers(ctx):\n    {body}\n")
    exchange = proxy.send(Request("GET", "/"), upstream=Response(200))
    assert exchange.response.status == 503
    assert said in errors(exchange)
    assert said.startswith("TypeError: on_") or 'File "cell", line 3, in' in errors(exchange)


@pytest.mark.parametrize("hunger", ["x = [x]", "x = x + x", "x.append('x' * 100000)", "x.append(bytes(9))"])
def test_a_filter_that_eats_all_memory_is_told_so(hunger: str) -> None:
    source = f"def on_request_headers(ctx):\n    x = [1]\n    while True:\n        {hunger}\n"
    plugin = Plugin(Module(embed(source, memory_limit=8 << 20)), "hungry", limits=Limits(callback_seconds=20))
    with Proxy(plugin, Response(200)) as proxy:
        exchange = proxy.send(Request())
    assert exchange.response.status == 503
    assert "out of memory: the filter has reached its limit" in errors(exchange)
    assert "MemoryError" in errors(exchange)
    assert proxy.plugins == (plugin,)


def test_a_filter_can_go_on_after_a_memory_error() -> None:
    source = """
def on_request_headers(ctx):
    try:
        x = "x" * (1 << 30)
    except MemoryError:
        ctx.request.headers["x-full"] = "yes"
"""
    with Proxy(Plugin(Module(embed(source)), "careful")) as proxy:
        for _ in range(3):
            exchange = proxy.send(Request())
            assert exchange.upstream_request.headers["x-full"] == "yes"
        assert max(proxy.memory) < 4 << 20


def test_an_endless_loop_is_ended_by_the_proxy() -> None:
    source = "def on_request_headers(ctx):\n    while True:\n        pass\n"
    plugin = Plugin(Module(embed(source)), "endless", limits=Limits(callback_seconds=0.2))
    with Proxy(plugin, Response(200)) as proxy:
        assert proxy.send(Request()).response.status == 503


def test_memory_stays_flat_over_many_requests(start: Any) -> None:
    proxy = start(
        """
        import json, re

        def on_request_headers(ctx):
            ctx.kept = "k" * 500
            data = json.loads('{"a": [1, 2, {"b": "c"}], "n": %d}' % ctx.id)
            ctx.request.headers["x-n"] = re.sub("[0-9]", "#", json.dumps(data))
            ctx.names = [name for name, value in ctx.request.headers.items()]

        def on_response_headers(ctx):
            ctx.response.headers["x-names"] = ",".join(ctx.names)
        """
    )
    request = Request("GET", "/", {"x-user": "ada"})
    proxy.loop(request, 500, upstream=Response(200))
    before = proxy.memory
    proxy.loop(request, 20_000, upstream=Response(200))
    assert proxy.memory == before
    assert max(before) < 4 << 20


def test_an_exception_inside_the_callback_frees_what_it_held(start: Any) -> None:
    proxy = start(
        """
        def on_request_headers(ctx):
            try:
                ctx.data = [0] * 1000
                ctx.request.headers["none"]
            except KeyError as error:
                ctx.request.headers["x-error"] = repr(error)
        """
    )
    proxy.loop(Request(), 500, upstream=Response(200))
    before = proxy.memory
    proxy.loop(Request(), 5_000, upstream=Response(200))
    assert proxy.memory == before


def test_a_source_with_an_error_that_only_micropython_sees_does_not_start(start: Any) -> None:
    with pytest.raises(StartError, match=r'File "cell", line 4(?s:.*)SyntaxError'):
        start(
            """
            x = 1

            y = (*[x], 2)
            """
        )


def test_time_and_chance_repeat_with_a_seed(start: Any) -> None:
    source = """
        import random, time

        def on_request_headers(ctx):
            log(time.time(), random.random(), random.randint(1, 1000000))
        """
    said = [
        start(source, clock=1_700_000_000, seed=seed).send(Request()).log[0].message for seed in (1, 1, 2)
    ]
    assert said[0] == said[1] != said[2]
    assert said[0].startswith("1700000000")


def test_two_plugins_in_one_machine_keep_their_configurations_apart() -> None:
    source = """
count = 0
def on_request_headers(ctx):
    global count
    count += 1
    ctx.request.headers.add("x-config", "%s %d" % (ctx.config, count))
"""
    module = build_module(source, "python").module
    chain = [Plugin(module, name, configuration=name.encode(), vm_id="one") for name in ("a", "b")]
    with Proxy(chain) as proxy:
        sent = [proxy.send(Request()).upstream_request.headers.getall("x-config") for _ in range(2)]
    assert sent == [("a 1", "b 2"), ("a 3", "b 4")]
