"""Timers: they go off on the proxy's own time line, without waiting."""

from __future__ import annotations

import pytest

from wasmhub_magics.errors import RequestError


def ticks(lines):
    return [line.message for line in lines if line.message.startswith("tick 1 ")]


def test_a_timer_goes_off_once_a_period_and_first_after_one(run):
    proxy = run("configure tick 1000")
    assert not ticks(proxy.tick(0.9).log)
    assert len(ticks(proxy.tick(0.2).log)) == 1
    assert len(ticks(proxy.tick(10).log)) == 10
    assert len(ticks(proxy.log)) == 11


def test_a_period_of_zero_stops_a_timer_and_a_new_one_starts_it_anew(run):
    proxy = run("configure tick 1000\non_tick tick 0\nrequest_headers tick 2000")
    assert len(ticks(proxy.tick(10).log)) == 1
    proxy.send()
    assert not ticks(proxy.tick(1.9).log)
    assert len(ticks(proxy.tick(10).log)) == 1


def test_timers_of_several_plugins_go_off_in_the_order_of_time(run, puppet):
    proxy = run(
        puppet("configure tick 300", "slow", vm_id="a"), puppet("configure tick 200", "quick", vm_id="b")
    )
    told = [line.plugin for line in proxy.tick(0.7).log if line.message.startswith("tick 1 ")]
    assert told == ["quick", "slow", "quick", "slow", "quick"]


def test_filters_see_the_time_that_has_gone_on(run):
    proxy = run("configure tick 1000\non_tick time", clock=100.0)
    assert [line.message for line in proxy.tick(2).log if line.message.startswith("time")] == [
        "time 101000",
        "time 102000",
    ]
    real = run("request_headers time\nrequest_headers return 0")
    before = real.send().log[2].message
    real.tick(3600)
    after = real.send().log[2].message
    assert int(after.split()[1]) - int(before.split()[1]) >= 3_600_000


def test_an_exchange_does_not_let_time_go_on_for_timers(run):
    proxy = run("configure tick 1")
    assert not ticks(proxy.send().log)


def test_a_timer_can_wake_a_paused_stream(run):
    exchange = run("""request_headers tick 100
        request_headers return 1
        on_tick context 2
        on_tick continue 0
        on_tick tick 0""").send()
    assert exchange.outcome == "complete"
    assert len([line for line in exchange.log if line.message.startswith("tick 1")]) == 1


def test_a_paused_stream_waits_five_seconds_for_a_timer(run):
    exchange = run("configure tick 1000\nrequest_headers return 1").send()
    assert exchange.outcome == "paused"
    assert len(ticks(exchange.log)) == 5


def test_a_trap_ends_the_timer_with_the_vm(run):
    proxy = run("configure tick 1000\non_tick trap")
    activity = proxy.tick(10)
    assert len([line for line in activity.log if "proxy_on_tick failed" in line.message]) == 1
    assert proxy.send().response.status == 503


def test_the_trace_shows_what_ran(run):
    activity = run("configure tick 1000").tick(1)
    assert [callback.name for callback in activity.trace] == ["proxy_on_tick"]


@pytest.mark.parametrize("seconds", [-1, float("inf"), float("nan")])
def test_time_goes_forward_only(run, seconds):
    with pytest.raises(RequestError):
        run("").tick(seconds)


def test_the_same_ticks_give_the_same_trace(run):
    script = "configure tick 250\non_tick time\nrequest_headers time"
    events = []
    for _ in range(2):
        proxy = run(script, clock=1_700_000_000, seed=7)
        events.append((proxy.tick(1).log, proxy.send().log, repr(proxy.tick(1).trace)))
    assert events[0] == events[1]
