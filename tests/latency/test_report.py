"""The report: what it says in words, in a notebook, and as data."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from wasmhub_magics.latency import Comparison, Histogram, LatencyReport, Memory, Side
from wasmhub_magics.latency.units import duration, short, size
from wasmhub_magics.plugin import Plugin

DIGEST = "sha256:" + "ab" * 32
VEGA = "application/vnd.vegalite.v5+json"


def side(
    base: int, *, rounds: int = 3, fuel: float | None = 100, spread: float = 0.1, count: int = 3000
) -> Side:
    dice = random.Random(base)
    parts = tuple(
        Histogram.of(int(base * (1 + dice.expovariate(1 / spread))) for _ in range(count))
        for _ in range(rounds)
    )
    return Side(parts, rounds * count, 1e9 / base, 0, ((200, rounds * count),), fuel)


def report(**changes: object) -> LatencyReport:
    made = LatencyReport(
        "embedded", "greeter", DIGEST, "GET /items", side(900, fuel=3000), side(300, fuel=1000), seconds=1.0
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def test_added_is_what_the_filter_takes_more_than_the_baseline() -> None:
    made = report()
    assert made.unfiltered is not None
    assert made.added(50) == pytest.approx(made.p50 - made.unfiltered.percentile(50), rel=0.05)
    assert made.added(50) == pytest.approx(600, rel=0.2)
    assert made.added_fuel == 2000
    assert made.p50 < made.p90 < made.p99 < made.p999 <= made.max == made.histogram.max


def test_a_percentile_is_the_median_of_the_rounds_so_that_one_bad_round_does_not_decide() -> None:
    good, bad = Histogram.of([100] * 100), Histogram.of([90_000] * 100)
    made = Side((good, bad, good))
    assert made.percentile(50) == 100
    assert made.percentile(100) == 90_000


def test_what_disturbs_both_sides_of_a_round_drops_out_of_the_difference() -> None:
    levels = [100, 900, 200, 700, 150]
    base = Side(tuple(Histogram.of([level] * 100) for level in levels))
    made = report(filtered=Side(tuple(Histogram.of([level + 30] * 100) for level in levels)), unfiltered=base)
    assert made.added(50) == 30
    assert made.added_range(50) == (30, 30)
    assert report().added_range(50) is None


def test_processor_time_is_compared_round_by_round() -> None:
    with_filter, without = (
        replace(side(900), cpu=(5000.0, 90_000.0, 5200.0)),
        replace(side(300), cpu=(4000.0, 89_100.0, 4000.0)),
    )
    made = report(engine="envoy", filtered=with_filter, unfiltered=without)
    assert made.added_cpu == 1000
    assert "processor  5.2 µs of Envoy a request, 1 µs of it added by the filter" in str(made)
    assert report().added_cpu is None


def test_the_text_says_what_was_measured_on_both_sides() -> None:
    text = str(report(memory=Memory(tuple((n, 131072) for n in range(8)))))
    for word in (
        "greeter",
        "GET /items",
        "9,000 exchanges",
        "p50",
        "p99.9",
        "baseline",
        "added",
        "3,000 instr",
        "flat",
    ):
        assert word in text
    assert "FAILED" not in text


def test_failed_requests_are_counted_and_said() -> None:
    broken = replace(side(500), errors=17, statuses=((-1, 5), (200, 8983), (503, 12)))
    made = report(engine="envoy", filtered=broken, rate=500.0, corrected=True)
    assert made.errors == 17
    assert "FAILED     17 of 9,000" in str(made)
    assert "no answer: 5, 503: 12" in str(made)
    assert "500 requests a second" in str(made)
    assert "coordinated omission" in str(made)


def test_a_notebook_gets_chart_picture_and_text_and_no_html_that_would_hide_them() -> None:
    bundle = report()._repr_mimebundle_()
    assert set(bundle) == {VEGA, "image/svg+xml", "text/plain"}
    assert bundle["text/plain"] == str(report())
    json.dumps(bundle[VEGA], allow_nan=False)


def test_the_chart_has_the_percentile_axis_and_both_lines() -> None:
    chart = report()._repr_mimebundle_()[VEGA]
    assert chart["$schema"].endswith("/v5.json")
    assert chart["encoding"]["x"]["scale"]["type"] == "log"
    assert {row["line"] for row in chart["data"]["values"]} == {"greeter", "without filter"}
    labels = chart["encoding"]["x"]["axis"]["labelExpr"]
    assert all(f"'{text}'" in labels for text in ("0 %", "90 %", "99 %", "99.9 %"))
    nines = [row for row in chart["data"]["values"] if row["line"] == "greeter" and row["x"] == 10]
    assert [row["latency"] for row in nines] == [report().p90]
    assert nines[0]["percentile"] == "90 %"


def test_the_chart_says_the_cost_in_its_title() -> None:
    told = report()
    subtitle = told._repr_mimebundle_()[VEGA]["title"]["subtitle"]
    costs = [" ".join(line.split()) for line in str(told).splitlines() if line.startswith(("added ", "fuel"))]
    assert {*costs[1:]} <= {*subtitle}
    beside = told.compare(told)._repr_mimebundle_()[VEGA]["title"]["subtitle"]
    assert any("at the median" in line for line in beside)


def test_the_picture_is_well_formed_and_shows_both_lines() -> None:
    root = ElementTree.fromstring(report()._repr_mimebundle_()["image/svg+xml"])
    words = [node.text for node in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "greeter: cost in the embedded proxy" in words
    assert {"0 %", "50 %", "90 %", "99 %", "99.9 %"} <= set(words)
    strokes = [node for node in root.iter("{http://www.w3.org/2000/svg}path") if node.get("fill") == "none"]
    assert len(strokes) == 2


def test_names_from_outside_are_escaped_in_the_picture() -> None:
    made = report(name="<script>alert('1')&\x00\x1b</script>", request='GET /?a=<b>&c="d"')
    picture = made._repr_mimebundle_()["image/svg+xml"]
    assert "<script" not in picture
    words = [node.text for node in ElementTree.fromstring(picture).iter("{http://www.w3.org/2000/svg}text")]
    assert any(word and word.startswith("<script>alert") for word in words)


def test_the_picture_depends_on_nothing_outside_of_it() -> None:
    picture = report()._repr_mimebundle_()["image/svg+xml"]
    assert picture.count("http") == picture.count("http://www.w3.org/2000/svg") == 1
    assert "var(" not in picture


def test_no_samples_make_a_report_without_a_chart() -> None:
    made = report(filtered=Side(()), unfiltered=None)
    assert set(made._repr_mimebundle_()) == {"text/plain"}
    assert "no exchange was measured" in str(made)
    assert made.added(50) is None
    assert "greeter" in repr(made)
    json.dumps(made.to_dict(), allow_nan=False)


@pytest.mark.parametrize("values", [[0], [5], [0, 0, 0], [10**13], [1, 10**12]])
def test_odd_samples_can_be_drawn(values: list[int]) -> None:
    odd = Side((Histogram.of(values),), len(values))
    for made in (report(filtered=odd, unfiltered=None), report(filtered=odd)):
        ElementTree.fromstring(made._repr_mimebundle_()["image/svg+xml"])
        json.dumps(made._repr_mimebundle_(), allow_nan=False)


def test_without_a_baseline_there_is_one_line() -> None:
    made = report(unfiltered=None)
    assert made.baseline is None
    assert made.added_fuel is None
    assert {row["line"] for row in made._repr_mimebundle_()[VEGA]["data"]["values"]} == {"greeter"}


def test_the_data_holds_histograms_that_can_be_read_back() -> None:
    made = report()
    data = json.loads(json.dumps(made.to_dict()))
    assert Histogram.decode(data["filter"]["histogram"]).buckets == made.histogram.buckets
    assert data["added_ns"]["p99"] == made.added(99)
    assert data["memory"]["verdict"] == "unknown"


def test_reports_stand_side_by_side() -> None:
    old, new = report(), report(filtered=side(1800, fuel=3300), digest="sha256:" + "cd" * 32)
    both = old.compare(new)
    assert isinstance(both, Comparison)
    assert both.change()[0] == pytest.approx(2, rel=0.1)
    assert "fuel +10.0%" in str(both)
    assert "greeter cdcdcdcd" in str(both)
    bundle = both._repr_mimebundle_()
    assert set(bundle) == {VEGA, "image/svg+xml", "text/plain"}
    ElementTree.fromstring(bundle["image/svg+xml"])


def test_comparing_two_engines_says_that_they_answer_different_questions() -> None:
    assert "different questions" in str(report().compare(report(engine="envoy")))


@pytest.mark.parametrize(
    ("grown", "verdict"),
    [
        ([100] * 8, "flat"),
        ([100, 300, 400, 400, 400, 400, 400, 400], "settled"),
        ([100, 200, 300, 400, 500, 600, 700, 800], "growing"),
        ([100, 100], "unknown"),
        ([], "unknown"),
    ],
)
def test_memory_has_a_verdict(grown: list[int], verdict: str) -> None:
    memory = Memory(tuple((n * 1000, bytes_) for n, bytes_ in enumerate(grown)))
    assert memory.verdict == verdict
    assert str(memory)
    if verdict == "growing":
        assert memory.slope == pytest.approx(0.1)
        assert "leaks" in str(memory)


def test_quantities_read_as_people_write_them() -> None:
    assert [duration(ns) for ns in (0, 7, 999, 999.9, 1234, 45_600_000, 2.5e9, -300)] == [
        "0 ns", "7 ns", "999 ns", "1 µs", "1.23 µs", "45.6 ms", "2.5 s", "−300 ns",
    ]  # fmt: skip
    assert [short(n) for n in (950, 12_500, 1_940_000, 999_999)] == ["950", "12.5k", "1.94M", "1M"]
    assert [size(n) for n in (512, 65536, 1.5 * 2**20)] == ["512 B", "64 KiB", "1.5 MiB"]


def test_a_report_becomes_a_table_of_pandas() -> None:
    made = report()
    frame = made.to_frame()
    assert list(frame.index) == ["p50", "p90", "p99", "p99.9", "p99.99", "max"]
    assert frame.loc["p99", "filter"] == made.p99
    assert frame.loc["p50", "added"] == made.added(50)
    assert list(report(unfiltered=None).to_frame().columns) == ["filter"]


def test_a_report_is_drawn_by_matplotlib_into_the_axes_it_gets() -> None:
    from matplotlib.figure import Figure

    axes = Figure().subplots()
    assert report().plot(axes) is axes
    assert [line.get_label() for line in axes.get_lines()] == ["greeter", "without filter"]
    assert axes.get_title() == "greeter: cost in the embedded proxy"


def test_the_panels_draw_histogram_callbacks_and_memory_and_hold_the_numbers_in_text(adder: Plugin) -> None:
    from wasmhub_magics.latency import bench

    panels = bench(adder, n=400).panels
    for picture in (panels.histogram(), panels.callbacks(), panels.memory()):
        ElementTree.fromstring(picture)
    assert "proxy_on_request_headers" in panels.callbacks()
    assert "stroke=" in panels.histogram()  # the baseline is an outline: told apart without colour
    assert "<pre>" in panels._repr_html_()
    assert str(panels).startswith("memory flat")


def test_a_report_without_samples_has_empty_panels() -> None:
    panels = LatencyReport("embedded", "none", "", "GET /", Side(())).panels
    assert (panels.histogram(), panels.callbacks(), panels.memory()) == ("", "", "")
