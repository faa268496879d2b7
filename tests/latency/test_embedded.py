"""What a filter's code costs in the embedded proxy: counts add up, fuel repeats, the baseline is cheaper."""

from __future__ import annotations

import signal
import threading
import time

import pytest

from wasmhub_magics.errors import ProxyError, RequestError
from wasmhub_magics.http import Request, Response
from wasmhub_magics.latency import bench
from wasmhub_magics.plugin import FailurePolicy, Limits, Plugin


def test_each_exchange_that_was_asked_for_is_timed_once(adder: Plugin) -> None:
    report = bench(adder, n=1003)
    assert report.engine == "embedded"
    assert report.unfiltered is not None
    assert report.exchanges == report.histogram.count == 1003
    assert report.unfiltered.exchanges == report.unfiltered.histogram.count == 1003
    assert sum(part.count for part in report.filtered.rounds) == 1003
    assert (report.name, report.digest) == ("adder", adder.module.digest)
    assert report.errors == 0


@pytest.mark.parametrize("n", [1, 3])
def test_a_few_exchanges_are_enough(adder: Plugin, n: int) -> None:
    report = bench(adder, n=n)
    assert report.histogram.count == n
    assert set(report._repr_mimebundle_()) > {"text/plain"}


def test_fuel_is_the_same_each_time_and_on_both_sides(adder: Plugin) -> None:
    first, again = bench(adder, n=8), bench(adder, n=800)
    assert first.fuel == again.fuel
    assert first.added_fuel == again.added_fuel
    assert first.added_fuel is not None
    assert first.added_fuel > 10 * 6
    assert bench([], n=8, baseline=False).fuel == pytest.approx(first.fuel - first.added_fuel)


def test_the_filter_costs_more_than_the_chain_without_it(adder: Plugin) -> None:
    report = bench(adder, n=20_000)
    assert report.unfiltered is not None
    assert report.added(50) > 0
    assert report.p50 / report.unfiltered.percentile(50) > 1.1
    assert report.unfiltered.per_second > report.per_second
    assert report.added_fuel > 0


def test_two_filters_cost_more_fuel_than_one(adder: Plugin) -> None:
    both = bench([adder, adder.replace(name="again")], n=8)
    assert both.name == "adder + again"
    assert both.added_fuel > bench(adder, n=8).added_fuel


def test_the_time_that_was_given_is_kept_roughly(adder: Plugin) -> None:
    report = bench(adder, seconds=0.4)
    assert report.exchanges > 100
    assert report.seconds < 4


def test_without_baseline_only_the_filter_runs(adder: Plugin) -> None:
    report = bench(adder, n=10, baseline=False)
    assert report.baseline is None
    assert report.added(50) is None


def test_an_upstream_function_is_asked_and_its_answer_used(adder: Plugin) -> None:
    seen: list[Request] = []

    def answer(request: Request) -> Response:
        seen.append(request)
        return Response(200, body=b"x" * 100)

    bench(adder, Request("POST", "/items", body=b"hello"), upstream=answer, n=500)
    assert len(seen) == 4  # before and after, on each side
    assert {request.body for request in seen} == {b"hello"}
    assert seen[0].headers.getall("x-added") == ("yes",) * 10


def test_memory_that_grows_with_each_request_is_called_a_leak(grower: Plugin, adder: Plugin) -> None:
    leaking = bench(grower, n=8000, baseline=False)
    assert leaking.memory.verdict == "growing"
    assert leaking.memory.slope == pytest.approx(65536 / 64, rel=0.1)
    assert "leaks" in str(leaking)
    assert bench(adder, n=800, baseline=False).memory.verdict == "flat"


@pytest.mark.parametrize("options", [{"n": 0}, {"n": -1}, {"seconds": 0}])
def test_options_that_measure_nothing_are_refused(adder: Plugin, options: dict[str, int]) -> None:
    with pytest.raises(RequestError, match="measure nothing"):
        bench(adder, **options)


def test_an_interrupt_ends_the_measurement_at_once(adder: Plugin) -> None:
    main = threading.main_thread().ident
    assert main is not None
    threading.Timer(0.5, signal.pthread_kill, [main, signal.SIGINT]).start()
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        bench(adder, seconds=60)
    assert time.monotonic() - start < 10
    assert bench(adder, n=10).histogram.count == 10


@pytest.mark.parametrize("policy", ["closed", "open", "reload"])
def test_a_filter_that_fails_is_not_measured(trapper: Plugin, policy: FailurePolicy) -> None:
    with pytest.raises(ProxyError, match="trapper fails on this request") as caught:
        bench(trapper.replace(failure_policy=policy), n=10)
    assert "unreachable" in caught.value.where


def test_a_filter_that_never_returns_is_not_measured(hanger: Plugin) -> None:
    start = time.monotonic()
    with pytest.raises(ProxyError, match="callback_seconds"):
        bench(hanger.replace(limits=Limits(callback_seconds=0.2)), n=10)
    assert time.monotonic() - start < 20


def test_a_filter_that_pauses_for_good_is_not_measured(pauser: Plugin) -> None:
    with pytest.raises(ProxyError, match="pauser leaves this request unanswered"):
        bench(pauser, n=10)


def test_a_filter_that_fails_on_the_way_is_found_out(late_trapper: Plugin) -> None:
    with pytest.raises(ProxyError, match="late_trapper fails on this request") as caught:
        bench(late_trapper, n=1000)
    assert "exchanges in a loop" in caught.value.where
