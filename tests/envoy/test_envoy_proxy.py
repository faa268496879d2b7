"""What a request meets in the real Envoy."""

import os
import threading
import time

import pytest

from wasmhub_magics.envoy import EnvoyProxy
from wasmhub_magics.errors import EnvoyError, EnvoyRejected, RequestError
from wasmhub_magics.http import Headers, Request, Response
from wasmhub_magics.module import Module
from wasmhub_magics.plugin import Limits, Plugin

TRAP = "unreachable"
COUNT = """
  (global.set $count (i32.add (global.get $count) (i32.const 1)))
  (i32.store8 (i32.const 8) (i32.add (i32.const 48) (global.get $count)))
  (drop (call $log (i32.const 2) (i32.const 8) (i32.const 1)))
"""
FRAME = """
  (i32.store8 (i32.const 8) (i32.add (i32.const 48) (local.get 1)))
  (i32.store8 (i32.const 9) (i32.add (i32.const 48) (local.get 2)))
  (drop (call $log (i32.const 2) (i32.const 8) (i32.const 2)))
"""


def messages(exchange):
    return [line.message for line in exchange.log]


def test_a_header_that_is_added_reaches_the_upstream(envoy, plugin):
    envoy.swap([plugin(request_headers='ADD(0, "x-greeting", "hello")')])
    exchange = envoy.send(
        Request("GET", "/items?id=1", [("x-user", "ada"), ("x-twice", "1"), ("x-twice", "2")])
    )
    seen = exchange.upstream_request
    assert seen.path == "/items?id=1"
    assert seen.authority == "localhost"
    assert seen.headers["x-greeting"] == "hello"
    assert seen.headers.getall("x-twice") == ("1", "2")
    assert exchange.request_changes == (("+", "x-greeting", "hello"),)
    assert exchange.details == "via_upstream"
    assert exchange.engine == "envoy"
    assert exchange.timing.total_ns > 0


def test_a_header_that_is_added_to_the_response_reaches_the_client(envoy, plugin):
    envoy.swap([plugin(response_headers='ADD(2, "x-seen", "yes")')])
    exchange = envoy.send(Request(), upstream=Response(404, [("content-type", "text/x")], "gone"))
    assert exchange.response.status == 404
    assert exchange.response.body == b"gone"
    assert exchange.response.headers["x-seen"] == "yes"
    assert exchange.upstream_response.status == 404
    assert ("+", "x-seen", "yes") in exchange.response_changes


def test_the_received_request_has_the_headers_that_envoy_adds(envoy, plugin):
    envoy.swap([])
    exchange = envoy.send(Request(headers={"x-user": "ada"}))
    assert [name for name, _ in exchange.received.headers.pairs] == [
        "x-user",
        "x-forwarded-proto",
        "x-request-id",
    ]
    assert exchange.received.headers == exchange.upstream_request.headers.without("host")


def test_each_data_frame_is_one_body_callback_in_both_directions(envoy, plugin):
    envoy.swap([plugin(request_body=FRAME, response_body=FRAME.replace("48", "64", 1))])
    for _ in range(5):
        exchange = envoy.send(
            Request("POST", "/", body="abcdefgh", chunks=(1, 2, 3)),
            upstream=Response(200, body="12345", chunks=(3,)),
        )
        assert messages(exchange) == ["10", "20", "30", "20", "01", "C0", "B0", "@1"]
        assert exchange.upstream_request.body == b"abcdefgh"
        assert exchange.response.body == b"12345"


def test_trailers_travel_in_both_directions(envoy, plugin):
    envoy.swap([])
    exchange = envoy.send(
        Request("POST", "/", body="abc", trailers={"x-sum": "6"}),
        upstream=Response(200, body="def", trailers=[("grpc-status", "0"), ("x-end", "yes")]),
    )
    assert exchange.upstream_request.trailers == Headers({"x-sum": "6"})
    assert exchange.response.trailers == Headers([("grpc-status", "0"), ("x-end", "yes")])


def test_trailers_travel_without_a_body(envoy, plugin):
    envoy.swap([])
    exchange = envoy.send(Request("POST", "/", trailers={"x-sum": "0"}))
    assert exchange.upstream_request.body == b""
    assert exchange.upstream_request.trailers == Headers({"x-sum": "0"})


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        (Request("HEAD"), Response(200, [("content-length", "5")], "hello")),
        (Request("GET"), Response(204)),
        (Request("GET"), Response(304, [("etag", '"1"')])),
        (Request("GET"), Response(200)),
    ],
)
def test_answers_without_a_body_arrive(envoy, request_, answer):
    envoy.swap([])
    exchange = envoy.send(request_, upstream=answer)
    assert exchange.response.status == answer.status
    assert exchange.response.body == b""


def test_a_body_of_several_megabytes_comes_back_whole(envoy, plugin):
    envoy.swap([])
    body = os.urandom(3 << 20)
    exchange = envoy.send(Request("POST", "/", body=body, chunks=(1, 70_000, 1 << 20)))
    assert exchange.response.body == body
    assert exchange.upstream_request.body == body


def test_a_request_with_its_own_content_length_is_framed_by_it(envoy, plugin):
    envoy.swap([])
    exchange = envoy.send(Request("POST", "/", {"content-length": "3"}, "abc"))
    assert exchange.upstream_request.headers["content-length"] == "3"
    assert exchange.upstream_request.body == b"abc"


def test_header_bytes_that_are_not_utf8_survive(envoy, plugin):
    envoy.swap([])
    odd = Headers.decode([(b"x-odd", b"caf\xe9")])
    exchange = envoy.send(Request("GET", "/", odd), upstream=Response(200, odd))
    assert exchange.upstream_request.headers["x-odd"] == odd["x-odd"]
    assert exchange.response.headers["x-odd"] == odd["x-odd"]


def test_a_filter_that_answers_by_itself_leaves_the_upstream_alone(envoy, plugin):
    reply = "(drop (call $reply (i32.const 403) {0} {0} {0} (i32.const -1)))".format(
        "(i32.const 0) (i32.const 0)"
    )
    envoy.swap([plugin(request_headers=reply + "(return (i32.const 1))")])
    exchange = envoy.send(Request())
    assert exchange.response.status == 403
    assert exchange.upstream_request is None
    assert exchange.upstream_response is None


def test_log_lines_belong_to_their_exchange_and_the_last_callback_is_among_them(envoy, plugin):
    envoy.swap([plugin(request_headers='LOG("in")', log='LOG("done")')])
    for _ in range(20):
        exchange = envoy.send(Request())
        assert [(line.level, line.message, line.plugin) for line in exchange.log] == [
            ("info", "in", "probe"),
            ("info", "done", "probe"),
        ]


def test_a_message_of_several_lines_is_one_log_line(envoy, plugin):
    text = r"Traceback\n  File <cell>, line 2\n\nKeyError: x\n"
    forged = r"[2026-01-01][1][info][wasm] wasm log probe: forged\n>|<|error|wasm|1|x"
    envoy.swap([plugin(request_headers=f'LOG("{text}") LOG("{forged}") LOG("")')])
    assert messages(envoy.send(Request())) == [
        "Traceback\n  File <cell>, line 2\n\nKeyError: x\n",
        forged.replace(r"\n", "\n"),
        "",
    ]


def test_lines_of_the_start_come_once_though_envoy_configures_several_machines(plugin):
    with EnvoyProxy([plugin(vm_start='LOG("start")', configure='LOG("configured")')]) as proxy:
        assert [line.message for line in proxy.log] == ["start", "configured"]
        proxy.send(Request())
        assert len(proxy.log) == 2


def test_a_flood_of_log_lines_is_cut_and_told(envoy, plugin):
    flood = """(local $left i32) (local.set $left (i32.const 25000))
      (loop $again
        (drop (call $log (i32.const 2) (i32.const 4096) (i32.const 900)))
        (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))"""
    envoy.swap([plugin(request_headers=flood, log='LOG("the end")')])
    exchange = envoy.send(Request())
    assert exchange.response.status == 200
    assert exchange.log[-1].message == "the end"
    assert len(exchange.log) < 25_001
    assert exchange.warnings == (f"{25_001 - len(exchange.log)} log lines were dropped: there were too many",)


def test_filters_run_in_order_and_in_reverse_for_the_response(envoy, plugin):
    chain = [
        plugin(name, request_headers=f'LOG("{name} in")', response_headers=f'LOG("{name} out")')
        for name in ("first", "second")
    ]
    envoy.swap(chain)
    exchange = envoy.send(Request())
    assert messages(exchange) == ["first in", "second in", "second out", "first out"]
    assert [line.plugin for line in exchange.log] == ["first", "second", "second", "first"]


def test_a_trap_answers_503_and_closed_stays_closed(envoy, plugin):
    envoy.swap([plugin(request_headers=TRAP)])
    first, second = envoy.send(Request()), envoy.send(Request())
    assert (first.response.status, first.details) == (503, "wasm_fail_stream")
    assert [(line.level, line.plugin) for line in first.log] == [("error", "probe")]
    assert first.log[0].message.startswith("Function: proxy_on_request_headers failed: Uncaught RuntimeError")
    assert (second.response.status, second.upstream_request) == (503, None)


def test_a_trap_of_an_open_filter_lets_later_requests_pass(envoy, plugin):
    envoy.swap([plugin(request_headers=TRAP, options={"failure_policy": "open"})])
    assert envoy.send(Request()).response.status == 503
    assert envoy.send(Request()).response.status == 200


def test_a_swap_heals_a_trapped_filter(envoy, plugin):
    trapping = plugin(request_headers=f"(if (i32.eqz (global.get $count)) (then {COUNT} {TRAP}))")
    envoy.swap([trapping])
    assert envoy.send(Request()).response.status == 503
    envoy.swap([plugin()])
    assert envoy.send(Request()).response.status == 200


def test_a_paused_stream_ends_with_the_timeout(envoy, plugin):
    envoy.swap([plugin(request_headers="(return (i32.const 1))")])
    exchange = envoy.send(Request("POST", "/", body="x" * (4 << 20)))
    assert exchange.outcome == "paused"
    assert exchange.response is None
    assert exchange.upstream_request is None
    assert exchange.warnings == ()
    assert exchange.details == ""


def test_a_stream_that_a_filter_closes_is_reset(envoy, plugin):
    envoy.swap([plugin(request_headers="(drop (call $close (i32.const 0)))")])
    exchange = envoy.send(Request())
    assert exchange.outcome == "reset"
    assert exchange.response is None


def test_an_endless_loop_ends_with_the_timeout_and_the_next_request_gets_a_new_envoy(plugin):
    loop = plugin(request_headers='(if (i32.eqz (local.get 2)) (then (loop (br 0)))) LOG("through")')
    with EnvoyProxy([loop], timeout=0.5) as proxy:
        before = proxy.pid
        exchange = proxy.send(Request("POST", "/", body="not the end of the stream"))
        assert exchange.outcome == "paused"
        assert "did not return" in exchange.warnings[0]
        assert not proxy.running
        after = proxy.send(Request())
        assert after.response.status == 200
        assert messages(after) == ["through"]
        assert proxy.pid != before


def test_what_the_upstream_raises_comes_out_of_send(envoy, plugin):
    envoy.swap([])
    with pytest.raises(ZeroDivisionError):
        envoy.send(Request(), upstream=lambda _: 1 / 0)
    with pytest.raises(RequestError, match="not a Response"):
        envoy.send(Request(), upstream=lambda _: "text")
    assert envoy.send(Request()).response.status == 200


@pytest.mark.parametrize(
    "request_",
    [
        Request("GET", "/ü"),
        Request("POST", "/", {"content-length": "2"}, "abc"),
        Request("POST", "/", {"content-length": "3"}, "abc", trailers={"x": "1"}),
        Request("GET", "/", {"bad:name": "x"}),
    ],
)
def test_a_request_that_http1_cannot_carry_is_refused(envoy, request_):
    with pytest.raises(RequestError):
        envoy.send(request_)


def test_an_upstream_response_that_http1_cannot_carry_is_refused(envoy):
    envoy.swap([])
    with pytest.raises(RequestError, match=r"HTTP/1\.1"):
        envoy.send(Request(), upstream=Response(200, {"content-length": "2"}, "abc"))


def test_a_body_beyond_the_limit_that_a_filter_holds_back_is_refused_by_envoy(plugin):
    holding = plugin(request_body="(return (i32.const 1))", options={"limits": Limits(body_bytes=10_000)})
    with EnvoyProxy([holding], timeout=1) as proxy:
        exchange = proxy.send(Request("POST", "/", body=b"x" * 50_000))
        assert exchange.response.status == 413
        assert exchange.details == "request_payload_too_large"


def test_the_configuration_reaches_the_filter_byte_for_byte(plugin):
    show = """
      (drop (call $get (i32.const 7) (i32.const 0) (local.get 1) (i32.const 8) (i32.const 12)))
      (drop (call $log (i32.const 3) (i32.load (i32.const 8)) (i32.load (i32.const 12))))
    """
    with EnvoyProxy([plugin(configure=show, options={"configuration": b'{"k":"\xc3\xa9"}'})]) as proxy:
        assert [(line.level, line.message) for line in proxy.log] == [("warn", '{"k":"é"}')]


def test_a_swap_is_live_when_it_returns(envoy, plugin):
    for number in range(10):
        swap = envoy.swap([plugin(request_headers=f'ADD(0, "x-version", "{number}")')])
        assert swap.seconds > 0
        assert envoy.send(Request()).upstream_request.headers["x-version"] == str(number)


def test_each_swap_gives_the_same_filter_a_fresh_virtual_machine(envoy, plugin):
    counting = plugin(request_headers=COUNT)
    seen = []
    for _ in range(2):
        envoy.swap([counting])
        seen.append([*messages(envoy.send(Request())), *messages(envoy.send(Request()))])
    assert seen == [["1", "2"], ["1", "2"]]


@pytest.mark.parametrize("policy", ["closed", "open"])
def test_a_filter_that_envoy_refuses_leaves_the_old_ones_serving(envoy, plugin, policy):
    good = plugin("good", request_headers='ADD(0, "x-version", "good")')
    refusing = plugin(
        "bad", configure='LOG("no such key") (return (i32.const 0))', options={"failure_policy": policy}
    )
    envoy.swap([good, good])
    with pytest.raises(EnvoyRejected, match="proxy_on_configure refused") as caught:
        envoy.swap([plugin("new", request_headers='ADD(0, "x-version", "new")'), refusing])
    assert "no such key" in str(caught.value)
    assert envoy.plugins == (good, good)
    assert envoy.send(Request()).upstream_request.headers.getall("x-version") == ("good", "good")


def test_a_chain_longer_than_the_room_is_refused_with_the_remedy(envoy, plugin):
    with pytest.raises(EnvoyError, match="slots=4"):
        envoy.swap([plugin()] * 4)


def test_a_filter_that_does_not_start_is_refused_at_the_start(plugin):
    with pytest.raises(EnvoyRejected, match="trapped"):
        EnvoyProxy([plugin("bad", vm_start=TRAP)])
    with pytest.raises(EnvoyRejected, match="no ABI version"):
        EnvoyProxy([Plugin(Module(b"\0asm\x01\0\0\0"), name="empty")])


def test_a_filter_whose_configuration_never_ends_is_given_up(plugin):
    endless = plugin("endless", configure="(loop (br 0))")
    with EnvoyProxy([plugin(request_headers='LOG("old")')], start_timeout=1) as proxy:
        with pytest.raises(EnvoyRejected, match=r"endless .* is not configured after 1 s"):
            proxy.swap([endless])
        assert messages(proxy.send(Request())) == ["old"]
    with pytest.raises(EnvoyError, match=r"not ready after \d+ s, of which it has worked"):
        EnvoyProxy([endless], start_timeout=1)


def test_an_interrupted_swap_keeps_the_old_filter(envoy, plugin, monkeypatch):
    old = plugin("old", request_headers='ADD(0, "x-version", "old")')
    new = plugin("new", request_headers='ADD(0, "x-version", "new")')
    envoy.swap([old])

    def interrupt(_):
        monkeypatch.undo()
        raise KeyboardInterrupt

    monkeypatch.setattr(envoy._server.barrier, "wait", interrupt)
    with pytest.raises(KeyboardInterrupt):
        envoy.swap([new])
    assert envoy.plugins == (old,)
    assert envoy.send(Request()).upstream_request.headers["x-version"] == "old"


def test_an_upstream_that_sends_through_its_own_proxy_is_told_so(envoy):
    envoy.swap([])
    with pytest.raises(EnvoyError, match="waits for its upstream"):
        envoy.send(Request(), upstream=lambda _: envoy.send(Request()).response)


def test_threads_may_send_at_the_same_time(envoy, plugin):
    envoy.swap([plugin(request_headers='LOG("one")')])
    wrong = []

    def work(number):
        for _ in range(10):
            exchange = envoy.send(Request("POST", f"/{number}", body=str(number)))
            if (exchange.response.text, exchange.upstream_request.path, len(exchange.log)) != (
                str(number),
                f"/{number}",
                1,
            ):
                wrong.append(exchange)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_stats_and_admin_tell_what_envoy_knows(envoy, plugin):
    envoy.swap([])
    before = envoy.stats("http.main.")["http.main.downstream_rq_completed"]
    envoy.send(Request())
    assert envoy.stats("http.main.")["http.main.downstream_rq_completed"] == before + 1
    assert '"version"' in envoy.admin("/server_info")
    with pytest.raises(EnvoyError, match="404"):
        envoy.admin("/no-such-page")


def test_an_envoy_that_was_killed_is_started_again(plugin):
    with EnvoyProxy([plugin(request_headers='ADD(0, "x-here", "1")')]) as proxy:
        os.kill(proxy.pid, 9)
        while proxy.running:
            time.sleep(0.01)
        assert proxy.send(Request()).upstream_request.headers["x-here"] == "1"


def test_a_closed_proxy_says_so_and_leaves_nothing_behind(plugin):
    proxy = EnvoyProxy([plugin()])
    pid, directory = proxy.pid, proxy._server.process.directory
    assert directory.exists()
    proxy.close()
    proxy.close()
    assert not directory.exists()
    with pytest.raises(ProcessLookupError):
        os.killpg(pid, 0)
    with pytest.raises(EnvoyError, match="closed"):
        proxy.send(Request())
    assert "stopped" in repr(proxy)
