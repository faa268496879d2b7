"""A sweep of rates against the real Envoy, and where its knee is."""

from __future__ import annotations

import re

import pytest

from wasmhub_magics.errors import RequestError
from wasmhub_magics.http import Request, Response
from wasmhub_magics.latency import Point, Sweep, sweep
from wasmhub_magics.plugin import Plugin

MS = 1e6


def points(*told: tuple[float, float, float], filtered: bool = True) -> tuple[Point, ...]:
    return tuple(Point(rate, reached, p99 / 4, p99, 0, filtered) for rate, reached, p99 in told)


def test_the_knee_is_the_last_rate_before_latencies_run_away() -> None:
    rising = points((100, 100, MS), (200, 200, 2 * MS), (400, 399, 4 * MS), (800, 800, 40 * MS))
    assert Sweep("f", "GET /", rising).knee() == 400
    assert Sweep("f", "GET /", rising, factor=100).knee() == 800


def test_the_knee_is_the_last_rate_that_was_kept() -> None:
    lost = points((100, 100, MS), (200, 150, MS))
    assert Sweep("f", "GET /", lost).knee() == 100
    assert Sweep("f", "GET /", points((100, 10, MS))).knee() is None
    assert "no rate was kept" in str(Sweep("f", "GET /", points((100, 10, MS))))


def test_text_and_picture_hold_every_rate_of_both_sides() -> None:
    both = points((100, 100, MS), (200, 150, 9 * MS)) + points((100, 100, MS), (200, 200, MS), filtered=False)
    told = Sweep("f<b>", "GET /", both)
    html = told._repr_mimebundle_()["text/html"]
    assert "<svg" in html
    assert "f<b>" not in html
    assert str(told).count("with the filter") >= 2
    assert "not kept" in str(told)
    assert re.search(r"knee with the filter lies above 100 ", str(told))
    assert "stroke-dasharray" in html  # told apart without colour


def test_rates_rise_until_a_server_that_is_too_slow_loses_them(adder: Plugin) -> None:
    import time

    def slow(_request: Request) -> Response:
        time.sleep(0.02)
        return Response(200)

    seen: list[Point] = []
    found = sweep(adder, upstream=slow, start=20, growth=8, steps=4, seconds=0.5, progress=seen.append)
    rates = [point.rate for point in found.side(filtered=True)]
    assert rates == sorted(rates)
    assert rates[0] == 20
    assert len(seen) == len(found.points)
    assert {point.filtered for point in found.points} == {True, False}
    last = found.side(filtered=True)[-1]
    assert not last.kept or last.rate == 20 * 8**3


def test_a_sweep_that_does_not_rise_is_refused(adder: Plugin) -> None:
    with pytest.raises(RequestError):
        sweep(adder, growth=1)
