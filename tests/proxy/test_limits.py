"""Limits end what a filter does not end by itself, and Ctrl-C ends it at once."""

from __future__ import annotations

import _thread
import signal
import threading
import time

import pytest

from wasmhub_magics.build import build_module
from wasmhub_magics.errors import HostError, ModuleError, StartError
from wasmhub_magics.http import Request, Response
from wasmhub_magics.plugin import Limits, Plugin
from wasmhub_magics.proxy import Grpc, GrpcReply
from wasmhub_magics.proxy.foreign import ForeignFunctions

QUICK = Limits(callback_seconds=0.15)


@pytest.mark.parametrize("command", ["spin", "logspin"])
def test_an_endless_loop_is_stopped_and_the_policy_acts(run, puppet, command):
    exchange = run(puppet(f"request_headers {command}", limits=QUICK)).send()
    assert (exchange.response.status, exchange.details) == (503, "wasm_fail_stream")
    trap = next(line.message for line in exchange.log if line.level == "error")
    assert "stopped after 0.15 s in proxy_on_request_headers (limit callback_seconds)" in trap


def test_an_endless_loop_at_the_start_is_a_start_error(run, puppet):
    with pytest.raises(StartError, match="limit callback_seconds"):
        run(puppet("configure spin", limits=QUICK))


def test_many_quick_callbacks_may_take_longer_than_one(run, puppet):
    proxy = run(puppet("", limits=Limits(callback_seconds=0.05)), trace=False)
    start, n = time.perf_counter(), 0
    while time.perf_counter() - start < 0.3:
        n += proxy.loop(Request(), 2000).n
    assert proxy.send().response.status == 200
    assert n > 0


def test_a_callback_that_waits_for_the_processor_is_not_stopped(run, puppet, monkeypatch):
    def waiting(*_):
        time.sleep(0.5)
        return 0, b""

    monkeypatch.setattr(ForeignFunctions, "call", waiting)
    slow = puppet("request_headers foreign expr_create true", limits=Limits(callback_seconds=0.2))
    exchange = run(slow).send()
    assert exchange.response.status == 200
    assert "foreign -> 0 " in [line.message for line in exchange.log]


def test_a_memory_bomb_meets_the_limit(run, puppet):
    proxy = run(puppet("request_headers bomb", limits=Limits(memory_bytes=4 << 20)))
    exchange = proxy.send()
    assert exchange.response.status == 503
    assert "limit memory_bytes" in exchange.log[-1].message
    assert proxy.memory[0] <= 4 << 20


def test_a_module_that_starts_above_its_limit_is_refused(run, puppet):
    with pytest.raises(ModuleError, match="memory_bytes"):
        run(puppet("", limits=Limits(memory_bytes=1 << 16)))


GREEDY = """
#include "proxy_wasm.h"
static char bytes[1 << 16];
pw_action proxy_on_request_headers(uint32_t context, uint32_t count, bool end) {
  uint32_t queue = 0;
  proxy_register_shared_queue("q", 1, &queue);
  for (;;) {
    proxy_send_local_response(200, "", 0, bytes, AS_REPLY, NULL, 0, -1);
    proxy_enqueue_shared_queue(queue, bytes, AS_MESSAGE);
  }
}
"""


@pytest.mark.parametrize(("reply", "message"), [(0, 0), (1 << 16, 0), (0, 1 << 16)])
def test_a_filter_that_asks_for_ever_more_fails_and_the_proxy_does_not(run, reply, message):
    source = GREEDY.replace("AS_REPLY", str(reply)).replace("AS_MESSAGE", str(message))
    plugin = Plugin(
        build_module(source, "c", "greedy").module, name="greedy", limits=Limits(callback_seconds=0.6)
    )
    proxy = run(plugin, trace=False)
    exchange = proxy.send()
    assert (exchange.outcome, exchange.details) == ("complete", "wasm_fail_stream")
    assert proxy.send().details == "wasm_fail_stream"


SLOW_TIMER = """
#include "proxy_wasm.h"
pw_action proxy_on_request_headers(uint32_t context, uint32_t count, bool end) {
  proxy_set_effective_context(1);
  proxy_set_tick_period_milliseconds(1);
  return PW_PAUSE;
}
void proxy_on_tick(uint32_t context) {
  for (volatile uint32_t n = 0; n < 20000000; n++) {}
}
"""
SLOW_QUEUE = """
#include "proxy_wasm.h"
static uint32_t queue;
bool proxy_on_configure(uint32_t context, uint32_t size) {
  return proxy_register_shared_queue("q", 1, &queue) == 0;
}
pw_action proxy_on_request_headers(uint32_t context, uint32_t count, bool end) {
  for (int i = 0; i < 9000; i++) proxy_enqueue_shared_queue(queue, "x", 1);
  return PW_CONTINUE;
}
void proxy_on_queue_ready(uint32_t context, uint32_t token) {
  for (volatile uint32_t n = 0; n < 20000000; n++) {}
}
"""


@pytest.mark.parametrize("source", [SLOW_TIMER, SLOW_QUEUE])
def test_callbacks_that_take_too_long_together_are_stopped_too(run, source):
    limits = Limits(callback_seconds=60, exchange_seconds=0.5)
    proxy = run(Plugin(build_module(source, "c", "slow").module, name="slow", limits=limits), clock=1e9)
    traps = [line.message for line in proxy.send().log if line.level == "error"]
    assert "the callbacks of this exchange took 0.5 s together (limit exchange_seconds)" in traps[0]
    assert len(traps) == 1


BUSY = """
#include "proxy_wasm.h"
pw_action proxy_on_request_headers(uint32_t context, uint32_t count, bool end) {
  for (;;) {
    proxy_log(PW_LOG_INFO, "seven", 5);
  }
}
"""


@pytest.mark.parametrize("trace", [False, True])
def test_a_callback_is_stopped_where_all_it_did_is_whole(run, trace):
    module = build_module(BUSY, "c", "busy").module
    plugin = Plugin(module, name="busy", limits=Limits(callback_seconds=0.01, log_bytes=64 << 20))
    exchange = run(plugin, trace=trace, clock=1e9).send()
    assert {line.message for line in exchange.log[:-1]} == {"seven"}
    assert "limit callback_seconds" in exchange.log[-1].message
    assert exchange.log[-1].message.splitlines()[-1].endswith("proxy_on_request_headers")
    assert len(list(exchange.trace)) == trace


@pytest.mark.parametrize("fuel", range(20_000, 21_000, 97))
def test_a_callback_whose_fuel_runs_out_leaves_all_it_did_whole(run, fuel):
    module = build_module(BUSY, "c", "busy").module
    exchange = run(Plugin(module, name="busy", limits=Limits(fuel=fuel)), clock=1e9).send()
    assert {line.message for line in exchange.log[:-1]} == {"seven"}
    told = f"stopped after {fuel} instructions in proxy_on_request_headers (limit fuel)"
    assert told in exchange.log[-1].message
    (callback,) = exchange.trace
    assert callback.trapped
    assert all(call.result == 0 for call in callback.calls[:-1])
    assert len(callback.calls) > 1
    assert exchange.timing.fuel > fuel


EXITING = """
(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "malloc") (param i32) (result i32) (i32.const 0))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (loop $again CALL (br $again)) (unreachable)))
"""


@pytest.mark.parametrize(
    ("call", "result"),
    [("(call $exit (i32.const 0))", 0), ("(drop (call $log (i32.const 0) (i32.const 0) (i32.const 0)))", 10)],
)
def test_fuel_never_runs_out_in_a_call_that_is_refused_or_does_nothing(run, call, result):
    module = build_module(EXITING.replace("CALL", call), "wat", "exiting").module
    for fuel in range(6_000, 24_000, 61):
        limits = Limits(fuel=fuel)
        allowed = ("proxy_on_request_headers", "proc_exit")
        plugin = Plugin(module, name="exiting", limits=limits, allowed_capabilities=allowed)
        (callback,) = run(plugin, clock=1e9).send().trace
        assert callback.trapped
        assert [call.result for call in callback.calls] == [result] * len(callback.calls)
    assert len(callback.calls) > 2


ENDLESS_ALLOCATOR = """
(module
  (import "env" "proxy_get_header_map_value" (func $get (param i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 16) ":path")
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (loop $again (br $again)) (unreachable))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (call $get (i32.const 0) (i32.const 16) (i32.const 5) (i32.const 0) (i32.const 4))))
"""


@pytest.mark.parametrize("limits", [Limits(callback_seconds=0.05), Limits(fuel=1_000_000)])
def test_an_allocator_without_end_is_stopped_too(run, limits):
    module = build_module(ENDLESS_ALLOCATOR, "wat", "endless").module
    exchange = run(Plugin(module, name="endless", limits=limits)).send()
    assert "proxy_on_memory_allocate" in exchange.log[-1].message
    assert "(limit " in exchange.log[-1].message


MANY_HEADERS = """
#include "proxy_wasm.h"
static char pairs[1 << 26], *end_of_pairs;
bool proxy_on_configure(uint32_t context, uint32_t size) {
  uint32_t n = 3000000, one = 1;
  char *sizes = pairs + 4, *at = sizes + 8 * n;
  __builtin_memcpy(pairs, &n, 4);
  for (uint32_t i = 0; i < n; i++) {
    __builtin_memcpy(sizes + 8 * i, &one, 4);
    __builtin_memcpy(sizes + 8 * i + 4, &one, 4);
    __builtin_memcpy(at, "x\\0001", 4);
    at += 4;
  }
  end_of_pairs = at;
  return true;
}
pw_action proxy_on_request_headers(uint32_t context, uint32_t count, bool end) {
  proxy_set_header_map_pairs(PW_REQUEST_HEADERS, pairs, end_of_pairs - pairs);
  for (;;) {
  }
}
"""


@pytest.fixture
def many_headers(monkeypatch):
    """A filter that makes one long host call, and a watchdog that ends it as soon as it may."""
    for name in ("PATIENCE_TICKS", "TICK_SECONDS"):
        monkeypatch.setattr(f"wasmhub_magics.proxy.engine.{name}", 0)
    limits = Limits(callback_seconds=60, exchange_seconds=0.001)
    return Plugin(build_module(MANY_HEADERS, "c", "many").module, name="many", limits=limits)


def test_a_long_host_call_is_not_stopped_in_its_middle(run, many_headers):
    exchange = run(many_headers).send()
    assert "limit exchange_seconds" in exchange.log[-1].message
    (callback,) = exchange.trace
    assert [call.status for call in callback.calls] == ["Ok"]


def test_a_host_call_that_goes_on_long_after_the_time_is_told_and_the_next_send_starts_anew(
    run, many_headers, monkeypatch
):
    monkeypatch.setattr("wasmhub_magics.proxy.engine.HOST_SECONDS", 0)
    proxy = run(many_headers)
    with pytest.raises(HostError, match="after a filter's time was up"):
        proxy.send()
    monkeypatch.undo()
    assert "limit exchange_seconds" in proxy.send().log[-1].message


BRIEF = """
#include "proxy_wasm.h"
pw_action proxy_on_request_body(uint32_t context, uint32_t size, bool end) { return PW_CONTINUE; }
"""


def test_short_callbacks_without_host_calls_are_stopped_when_they_take_too_long_together(run):
    limits = Limits(exchange_seconds=0.001, body_bytes=1 << 23)
    proxy = run(Plugin(build_module(BRIEF, "c", "brief").module, name="brief", limits=limits), trace=False)
    exchange = proxy.send(Request("POST", "/", body="x" * 4_000_000, chunks=[1] * 4_000_000))
    assert exchange.log[0].message.startswith("Function: proxy_on_request_body failed: stopped in")
    assert "(limit exchange_seconds)" in exchange.log[0].message


def test_a_filter_starts_anew_however_busy_other_proxies_were(run, puppet):
    script = "request_headers flood 600000\nrequest_headers trap\nvm_start flood 600000"
    policy = {"failure_policy": "reload", "reload_seconds": 0.001}
    proxy = run(puppet(script, limits=Limits(exchange_seconds=0.8), **policy))
    proxy.send()
    start, busy = time.perf_counter(), run("", trace=False)
    while time.perf_counter() - start < 1:
        busy.loop(Request(), 10_000)
    assert not any("limit exchange_seconds" in line.message for line in proxy.send().log)


SWELLING = """
#include "proxy_wasm.h"
static char bytes[1 << 20];
pw_action proxy_on_response_body(uint32_t context, uint32_t size, bool end) {
  while (proxy_set_buffer_bytes(PW_RESPONSE_BODY, UINT32_MAX, 0, bytes, sizeof bytes) == 0) {}
  return PW_CONTINUE;
}
"""


def test_a_body_that_swells_until_the_host_is_full_is_told_as_that_and_the_next_send_starts_anew(run):
    module = build_module(SWELLING, "c", "swelling").module
    proxy = run(Plugin(module, name="swelling", limits=Limits(callback_seconds=30)), trace=False)
    with pytest.raises(HostError, match="the filters hold more than fits"):
        proxy.send()
    assert proxy.send(upstream=Response(204)).response.status == 204


CHATTY = """
#include "proxy_wasm.h"
pw_action proxy_on_request_headers(uint32_t context, uint32_t count, bool end) {
  uint32_t token = 0;
  proxy_grpc_stream("rpc", 3, "s", 1, "m", 1, "", 0, &token);
  while (proxy_grpc_send(token, "x", 1, 0) == 0) {}
  return PW_CONTINUE;
}
"""


def test_a_stream_of_messages_without_end_is_cut_off_and_told(run):
    plugin = Plugin(build_module(CHATTY, "c", "chatty").module, name="chatty")
    proxy = run(plugin, clusters={"rpc": Grpc(GrpcReply(b"yes"))}, trace=False)
    for _ in range(2):
        exchange = proxy.send()
        assert exchange.outcome == "complete"
        assert any("more than 10000 gRPC messages in one exchange" in each for each in exchange.warnings)


def test_a_log_flood_is_cut_and_counted(run, puppet):
    exchange = run(puppet("request_headers flood 1000", limits=Limits(log_bytes=2000))).send()
    assert sum(len(line.message) for line in exchange.log) <= 2000
    assert any("log lines" in warning and "limit log_bytes" in warning for warning in exchange.warnings)
    assert exchange.response.status == 200


def test_fuel_is_counted_exactly(run, puppet):
    proxy = run(puppet(""), fuel=True, clock=0, seed=1, trace=False)
    first, second, third = (proxy.send().timing.fuel for _ in range(3))
    assert first > 0
    assert second == third


def test_fuel_can_be_limited(run, puppet):
    exchange = run(puppet("request_headers spin", limits=Limits(fuel=1_000_000))).send()
    assert exchange.response.status == 503
    assert "limit fuel" in exchange.log[-1].message


def test_stack_overflow_is_a_trap_of_the_filter(run):
    exchange = run("request_headers recurse").send()
    assert (exchange.response.status, exchange.details) == (503, "wasm_fail_stream")


def interrupted_after(seconds, work):
    main = threading.main_thread().ident
    timer = threading.Timer(seconds, lambda: signal.pthread_kill(main, signal.SIGINT))
    timer.start()
    start = time.monotonic()
    try:
        with pytest.raises(KeyboardInterrupt):
            work()
    finally:
        timer.cancel()
        timer.join()
    return time.monotonic() - start


def test_ctrl_c_ends_a_filter_at_once_and_a_second_send_works(run, puppet):
    proxy = run(puppet("request_body spin", limits=Limits(callback_seconds=60)))
    assert interrupted_after(0.2, lambda: proxy.send(Request("POST", "/", body="x"))) < 10
    exchange = proxy.send()
    assert exchange.response.status == 200
    assert exchange.log[0].message == "context_create 2 1 0"


def test_ctrl_c_ends_a_loop_and_a_start(run, puppet):
    proxy = run(puppet(""))
    assert interrupted_after(0.2, lambda: proxy.loop(n=1 << 40)) < 10
    assert proxy.send().response.status == 200
    assert (
        interrupted_after(0.2, lambda: run(puppet("configure spin", limits=Limits(callback_seconds=60)))) < 10
    )


def test_an_interrupt_without_a_signal_is_seen_too(run, puppet):
    proxy = run(puppet("request_headers spin", limits=Limits(callback_seconds=60)))
    timer = threading.Timer(0.2, _thread.interrupt_main)
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        proxy.send()
    timer.join()


def test_ctrl_c_in_an_upstream_function_leaves_the_proxy_usable(run):
    proxy = run("")
    interrupted_after(0.2, lambda: proxy.send(upstream=lambda request: time.sleep(30)))
    assert proxy.send().response.status == 200


def test_threads_may_share_a_proxy(run):
    proxy = run("")
    statuses = []

    def work():
        statuses.extend(proxy.send().response.status for _ in range(10))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert statuses == [200] * 40
