"""Python filters that call out, keep time, count and share, in the embedded proxy and in Envoy."""

from __future__ import annotations

import pytest

from wasmhub_magics.http import Request, Response
from wasmhub_magics.proxy import Failure

GATE = """
    def on_request_headers(ctx):
        return ctx.call("auth", "/check", "POST", {"x-path": ctx.request.path}, "who?", then=checked)

    def checked(ctx, answer):
        log(answer.status, answer.headers.get("x-user"), answer.body)
        if answer.status != 200:
            return ctx.respond(403, body="no")
        ctx.request.headers["x-user"] = answer.headers["x-user"]
        ctx.resume_request()
    """


def auth(request):
    if request.headers["x-path"] == "/secret":
        return Response(401)
    return Response(200, [("x-user", "ada")], request.body)


def test_a_request_waits_for_a_call(start_anywhere):
    proxy = start_anywhere(GATE, clusters={"auth": auth})
    exchange = proxy.send(Request("POST", "/items", body="a body"))
    assert exchange.upstream_request.headers["x-user"] == "ada"
    assert exchange.upstream_request.body == b"a body"
    assert exchange.log[0].message == "200 ada b'who?'"
    assert [(call.cluster, call.request.method, call.request.body) for call in exchange.calls] == [
        ("auth", "POST", b"who?")
    ]
    assert proxy.send(Request("GET", "/secret")).response.status == 403


@pytest.mark.parametrize(("kind", "status"), [("refused", "503"), ("closed", "503"), ("broken", "None")])
def test_a_failing_cluster_has_a_status_or_none(start_anywhere, kind, status):
    exchange = start_anywhere(GATE, clusters={"auth": Failure(kind)}).send()
    assert exchange.response.status == 403
    assert exchange.log[0].message.startswith(status)


def test_a_cluster_that_is_not_there_is_an_error_in_words(start_anywhere):
    exchange = start_anywhere(GATE).send()
    assert exchange.response.status == 503
    assert "the cluster auth cannot be called: there is no such cluster" in exchange.log[0].message


def test_an_answer_cannot_be_read_or_written_elsewhere(start_anywhere):
    exchange = start_anywhere(
        """
        def on_request_headers(ctx):
            return ctx.call("auth", then=lambda ctx, answer: use(ctx, answer))

        def use(ctx, answer):
            ctx.answer = answer
            try:
                answer.headers["a"] = "b"
            except HostError as error:
                log(error)
            ctx.resume_request()

        def on_response_headers(ctx):
            log(ctx.answer.status, ctx.answer.body)
            try:
                ctx.answer.headers["a"]
            except HostError as error:
                log(error)
        """,
        clusters={"auth": Response(200, body="x")},
    ).send()
    words = "the headers of an answer cannot be used here: they can be read only"
    assert [line.message[: len(words)] for line in exchange.log] == [words, "None b''", words]


def test_a_callback_that_raises_is_a_trap_with_a_traceback(start_anywhere):
    exchange = start_anywhere(
        """
        def on_request_headers(ctx):
            ctx.call("auth", then=lambda ctx, answer: 1 / 0)
            return ctx.PAUSE
        """,
        clusters={"auth": Response(200)},
    ).send()
    assert exchange.outcome == "paused"
    assert any("ZeroDivisionError" in line.message for line in exchange.log)


def test_metrics_shared_data_and_queues(start_anywhere):
    proxy = start_anywhere(
        """
        jobs = queue("jobs")

        def on_request_headers(ctx):
            counter("n").add(3)
            counter("n").add()
            gauge("g").set(10)
            gauge("g").add(-3)
            histogram("h").record(5)
            shared["key"] = "one"
            value, number = shared.read("key")
            log(value, shared.cas("key", b"two", number), shared.cas("key", b"three", number), shared["key"])
            log(shared.get("none", 7), "none" in shared, shared.update("key", lambda old: old + b"!"))
            jobs.put("first")
            jobs.put(b"second")
            log(counter("n").value, gauge("g").value, queue("jobs") is jobs)

        def on_queue(ctx):
            log(ctx.queue.name, ctx.queue.get(), ctx is ctx.root)

        def on_log(ctx):
            log(jobs.get())
        """
    )
    exchange = proxy.send()
    assert [line.message for line in exchange.log] == [
        "b'one' True False b'two'",
        "7 False b'two!'",
        "4 7 True",
        "jobs b'first' True",
        "jobs b'second' True",
        "None",
    ]
    assert {name: proxy.metrics[name] for name in ("n", "g")} == {"n": 4, "g": 7}


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ('counter("n").add(0)', "ValueError: a counter only grows"),
        ('counter("n").set(1)', "AttributeError"),
        ('shared["none"]', "KeyError: none"),
        ('shared["a"] = 1', "TypeError: a value must be bytes or str, not int"),
        ('queue("none", "nobody")', "HostError: the queue none: nobody has made it"),
    ],
)
def test_mistakes_are_told_in_words(start, line, error):
    exchange = start(f"def on_request_headers(ctx):\n    {line}\n").send()
    assert error in exchange.log[0].message


def test_a_timer_runs_and_stops(start):
    proxy = start(
        """
        left = 3

        def on_configure(ctx):
            ctx.tick(0.5)

        def on_tick(ctx):
            global left
            left -= 1
            log(left)
            if not left:
                ctx.tick(0)
        """
    )
    assert [line.message for line in proxy.tick(1.2).log] == ["2", "1"]
    assert [line.message for line in proxy.tick(10).log] == ["0"]


def test_calls_keep_no_memory(start):
    proxy = start(GATE, clusters={"auth": Response(200, [("x-user", "ada")])})
    proxy.loop(n=200)
    loop = proxy.loop(n=2000)
    assert loop.memory_before == loop.memory_after
    assert loop.host_before == loop.host_after


AWAITING = """
    async def on_request_headers(ctx):
        first = ctx.call("auth", "/check", "POST", {"x-path": ctx.request.path}, "who?")
        second = ctx.call("auth", "/again", headers={"x-path": "/"})
        answer = await first
        again = await second
        log(answer.status, answer.headers.get("x-user"), answer.body)
        log(again.headers["x-user"], "x-user" in again.headers)
        if answer.status != 200:
            return ctx.respond(403, body="no")
        ctx.request.headers["x-user"] = answer.headers["x-user"]

    async def on_response_headers(ctx):
        if ctx.response.status == 200:
            ctx.response.headers["x-body"] = (await asked(ctx)).body

    async def asked(ctx):
        return await ctx.call("auth", "/", headers={"x-path": "/"}, body="from a function")
    """


def test_a_callback_can_await_calls(start_anywhere):
    proxy = start_anywhere(AWAITING, clusters={"auth": auth})
    exchange = proxy.send(Request("POST", "/items", body="a body"))
    assert exchange.upstream_request.headers["x-user"] == "ada"
    assert exchange.upstream_request.body == b"a body"
    assert exchange.log[0].message == "200 ada b'who?'"
    assert exchange.log[1].message == "ada True"
    assert exchange.response.headers["x-body"] == "from a function"
    refused = proxy.send(Request("GET", "/secret"))
    assert (refused.response.status, refused.upstream_request) == (403, None)


@pytest.mark.parametrize(("kind", "status"), [("refused", "503"), ("broken", "None")])
def test_an_awaited_call_that_fails_has_a_status_or_none(start_anywhere, kind, status):
    exchange = start_anywhere(
        """
        async def on_request_headers(ctx):
            answer = await ctx.call("auth")
            ctx.request.headers["x-status"] = str(answer.status)
        """,
        clusters={"auth": Failure(kind)},
    ).send()
    assert exchange.upstream_request.headers["x-status"] == status


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("await asyncio.sleep(1)", "asyncio.sleep cannot be used in a filter: await ctx.call(...)"),
        ("await forever()", "a filter can await calls of ctx.call only"),
        ("return await ctx.call('auth')", "on_request_headers must return None, ctx.CONTINUE"),
        ("(await ctx.call('auth')).nothing", "AttributeError"),
    ],
)
def test_a_mistake_around_an_await_is_told_in_words(start, body, error):
    forever = "def forever():\n    yield 1\n\n"
    source = f"import asyncio\n\n{forever}async def on_request_headers(ctx):\n    {body}\n"
    exchange = start(source, clusters={"auth": Response(200)}).send()
    assert error in exchange.log[0].message


def test_a_call_that_nobody_awaits_is_told_in_words(start):
    exchange = start(
        "def on_request_headers(ctx):\n    return ctx.call('auth')\n", clusters={"auth": Response(200)}
    ).send()
    assert "on_request_headers must wait for the call" in exchange.log[0].message


def test_a_timer_can_await(start):
    proxy = start(
        """
        def on_configure(ctx):
            ctx.tick(1)

        async def on_tick(ctx):
            answer = await ctx.call("keys")
            log(answer.body)
        """,
        clusters={"keys": Response(200, body="k1")},
    )
    assert [line.message for line in proxy.tick(2.5).log] == ["b'k1'", "b'k1'"]


def test_awaiting_keeps_no_memory(start):
    proxy = start(
        """
        async def on_request_headers(ctx):
            answer = await ctx.call("auth")
            ctx.request.headers["x-user"] = answer.headers["x-user"]
        """,
        clusters={"auth": Response(200, [("x-user", "ada")])},
    )
    proxy.loop(n=200)
    loop = proxy.loop(n=2000)
    assert loop.memory_before == loop.memory_after


def test_bytes_from_the_proxy_equal_and_hash_like_any_other(start):
    exchange = start(
        """
        def on_request_headers(ctx):
            given = ctx.configuration
            log(given == b"sesame", given.decode() == "sesame", {b"sesame": 1}.get(given))
        """,
        "sesame",
    ).send()
    assert exchange.log[0].message == "True True 1"


def test_base64_knows_the_alphabet_of_urls(start):
    exchange = start(
        """
        import base64

        def on_request_headers(ctx):
            log(base64.urlsafe_b64encode(b"\\xfb\\xff?a"))
            log(base64.urlsafe_b64decode("-_8_YQ=="), base64.b64decode("+/8/YQ=="))
            try:
                base64.b64decode("a")
            except ValueError as error:
                log(error)
        """
    ).send()
    assert exchange.log[0].message == "b'-_8_YQ=='"
    assert exchange.log[1].message == "b'\\xfb\\xff?a' b'\\xfb\\xff?a'"
    assert "this is no base64" in exchange.log[2].message
