"""Latency of the real Envoy: every request is counted, failures are said, nothing is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from wasmhub_magics.errors import RequestError
from wasmhub_magics.http import Request, Response
from wasmhub_magics.latency import Progress, bench_envoy, measure_envoy
from wasmhub_magics.plugin import Plugin

ROOT = Path(__file__).parent.parent.parent


def test_both_sides_get_the_same_number_of_requests_and_none_fails(adder: Plugin) -> None:
    report = bench_envoy(adder, Request("GET", "/items"), rate=100, seconds=1, rounds=2)
    assert report.engine == "envoy"
    assert report.corrected
    assert report.rate == 100
    assert report.unfiltered is not None
    assert report.exchanges == report.unfiltered.exchanges == 100
    assert report.errors == 0
    assert report.filtered.statuses == report.unfiltered.statuses == ((200, 100),)
    assert len(report.filtered.rounds) == len(report.unfiltered.rounds) == 2
    assert report.added(50) is not None
    assert "adder: latency in real Envoy" in str(report)
    assert len(report.filtered.cpu) == 2
    assert min(report.unfiltered.cpu) > 0
    assert "of Envoy a request" in str(report)


def test_the_filter_is_in_the_chain_on_one_side_only(trapper: Plugin) -> None:
    report = bench_envoy([trapper], rate=50, seconds=0.4, rounds=1)
    assert report.unfiltered is not None
    assert report.filtered.statuses == ((503, 20),)
    assert report.unfiltered.statuses == ((200, 20),)
    assert report.errors == report.filtered.errors == 20
    assert "FAILED     20 of 20" in str(report)


def test_the_upstream_may_be_a_response_or_a_function(adder: Plugin) -> None:
    fixed = bench_envoy(adder, upstream=Response(404), rate=50, seconds=0.4, rounds=1, baseline=False)
    assert fixed.filtered.statuses == ((404, 20),)
    assert fixed.errors == 0
    assert fixed.baseline is None
    seen: list[Request] = []

    def answer(request: Request) -> Response:
        seen.append(request)
        return Response(201)

    asked = bench_envoy(adder, upstream=answer, rate=50, seconds=0.4, rounds=1, baseline=False)
    assert asked.filtered.statuses == ((201, 20),)
    assert seen[-1].headers.getall("x-added") == ("yes",) * 10


def test_builds_take_turns_and_the_requests_of_a_mix_come_by_their_shares(
    adder: Plugin, lighter: Plugin
) -> None:
    seen: list[Request] = []

    def answer(request: Request) -> Response:
        seen.append(request)
        return Response(201 if request.body == b"item=7" else 200)

    mix = [(Request("GET", "/items"), 3.0), (Request("POST", "/orders", body=b"item=7"), 1.0)]
    told: list[Progress] = []
    old, new = measure_envoy(
        [[adder], [lighter]], upstream=answer, mix=mix, rate=80, seconds=0.5, rounds=1, progress=told.append
    )
    assert old.request == new.request == "mix of 75% GET /items, 25% POST /orders"
    assert old.filtered.statuses == new.filtered.statuses == ((200, 30), (201, 10))
    assert old.unfiltered == new.unfiltered
    assert old.exchanges == new.exchanges == 40
    assert {len(request.headers.getall("x-added")) for request in seen} == {0, 1, 10}
    assert len(told[-1].lines) == 3


@pytest.mark.parametrize("options", [{"rate": 0}, {"seconds": -1}, {"rounds": 0}])
def test_options_that_measure_nothing_are_refused(adder: Plugin, options: dict[str, int]) -> None:
    with pytest.raises(RequestError, match="measure nothing"):
        bench_envoy(adder, **options)


def test_an_interrupt_leaves_no_process_and_no_file_behind(tmp_path: Path) -> None:
    script = (
        "from wasmhub_magics.latency.envoy import bench_envoy; bench_envoy([], rate=50, seconds=60, rounds=1)"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
    child = subprocess.Popen([sys.executable, "-c", script], env=environment, stderr=subprocess.PIPE)
    try:
        until(lambda: len(running(tmp_path)) > 1 and any(tmp_path.glob("wasmhub-load-*")))
        child.send_signal(signal.SIGINT)
        _, error = child.communicate(timeout=20)
    finally:
        child.kill()
        child.wait()
    assert error.decode().rstrip().endswith("KeyboardInterrupt")
    until(lambda: not running(tmp_path) and not list(tmp_path.iterdir()))


def running(folder: Path) -> list[str]:
    """Processes that have this folder in their environment or command line."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            told = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        except OSError:
            continue
        if str(folder).encode() in told and int(process.name) != os.getpid():
            found.append(process.name)
    return found


def until(condition: object) -> None:
    deadline = time.monotonic() + 30
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, "it did not come about within 30 seconds"
        time.sleep(0.05)
