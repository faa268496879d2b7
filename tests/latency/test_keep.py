"""Reports that are kept: saved, compared across days, guarded; and what a measurement tells while it runs."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from wasmhub_magics.cli import main
from wasmhub_magics.errors import RequestError
from wasmhub_magics.http import Request, Response
from wasmhub_magics.latency import (
    Guard,
    LatencyReport,
    Progress,
    bench,
    bench_beside,
    history,
    read_report,
    save_report,
)
from wasmhub_magics.plugin import Plugin


@pytest.fixture(scope="module")
def measured(adder: Plugin) -> LatencyReport:
    return bench(adder, n=2000)


def test_a_saved_report_is_read_back_whole(measured: LatencyReport, tmp_path: Path) -> None:
    path = measured.save(tmp_path / "report.json")
    assert read_report(path) == measured
    assert read_report(path).taken == measured.taken


def test_a_report_goes_to_a_spreadsheet_and_to_hdrhistograms_plotter(
    measured: LatencyReport, tmp_path: Path
) -> None:
    rows = list(csv.DictReader(measured.save(tmp_path / "r.csv").read_text().splitlines()))
    counted = sum(int(row["count"]) for row in rows if row["side"] == "filter")
    assert counted == measured.histogram.count
    assert "#[Max" in measured.save(tmp_path / "r.hgrm").read_text()


def test_reports_of_several_days_stand_in_order(
    measured: LatencyReport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for day in (3, 1, 2):
        save_report(replace(measured, taken=datetime(2026, 1, day, tzinfo=UTC)))
    (tmp_path / "latency" / "other.json").write_text("{}")
    found = history("adder")
    assert [report.taken.day for report in found] == [1, 2, 3]
    assert str(found).count("2026-01-0") == 3 or str(found).count("2025-12-31") == 1
    assert len(history("another")) == 0


def test_what_is_no_report_is_refused(tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text(json.dumps({"engine": "embedded"}))
    with pytest.raises(RequestError, match="no latency report"):
        read_report(tmp_path / "r.json")
    with pytest.raises(RequestError, match="cannot be read"):
        read_report(tmp_path / "none.json")


def test_the_guard_is_exact_on_fuel_and_memory(measured: LatencyReport) -> None:
    assert Guard().violations(measured, measured) == ()
    assert measured.fuel is not None
    more = replace(measured, filtered=replace(measured.filtered, fuel=measured.fuel + 1))
    (told,) = Guard().violations(more, measured)
    assert told.startswith("fuel")
    assert Guard(fuel=0.5).violations(more, measured) == ()
    large = replace(measured, memory=replace(measured.memory, samples=((0, 1 << 17), (10, 1 << 20))))
    small = replace(measured, memory=replace(measured.memory, samples=((0, 1 << 17), (10, 1 << 17))))
    (told,) = Guard().violations(large, small)
    assert told.startswith("memory")
    assert Guard(memory=1 << 20).violations(large, small) == ()


def test_the_guard_bounds_latencies_by_their_ratio_to_the_run_without_filter(
    measured: LatencyReport,
) -> None:
    assert measured.unfiltered is not None
    slower = replace(measured, unfiltered=measured.filtered, filtered=measured.filtered)
    found = Guard(latency=1.1).violations(measured, slower)
    assert any(each.startswith("latency") for each in found)
    assert not any(each.startswith("latency") for each in Guard().violations(measured, slower))


def test_two_engines_are_not_guarded_against_each_other(measured: LatencyReport) -> None:
    with pytest.raises(RequestError, match="different questions"):
        Guard().violations(measured, replace(measured, engine="envoy"))


def test_progress_is_told_each_round_and_stop_ends_early(adder: Plugin) -> None:
    seen: list[Progress] = []
    report = bench(adder, n=80, progress=seen.append, stop=lambda: len(seen) == 3)
    assert [round(each.done, 3) for each in seen] == [0.125, 0.25, 0.375]
    assert len(report.filtered.rounds) == 3
    assert [line.label for line in seen[0].lines] == ["adder", "without filter"]
    assert "p99.99" in seen[-1].text


def test_a_long_round_is_told_on_the_way(adder: Plugin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wasmhub_magics.latency.embedded.SLICE_SECONDS", 0.02)
    seen: list[Progress] = []
    report = bench(adder, seconds=0.4, progress=seen.append)
    assert [round(each.done * 24) for each in seen] == list(range(1, 25))
    assert len(report.filtered.rounds) == 8
    assert sum(part.count for part in report.filtered.rounds) == report.exchanges


def test_a_mix_gives_each_request_its_share(adder: Plugin) -> None:
    seen: list[str] = []

    def upstream(request: Request) -> Response:
        seen.append(request.path)
        return Response(200 if request.path == "/a" else 404)

    mix = [(Request("GET", "/a"), 3.0), (Request("GET", "/b"), 1.0), (Request("GET", "/never"), 0.0)]
    report = bench(adder, upstream=upstream, mix=mix, n=800)
    assert set(seen) == {"/a", "/b"}
    assert report.request == "mix of 75% GET /a, 25% GET /b"
    counts = dict(report.filtered.statuses)
    assert counts[200] == 3 * counts[404]
    assert report.fuel is not None
    with pytest.raises(RequestError, match="without weights"):
        bench(adder, mix=[(Request(), 0.0)], n=10)


def test_builds_take_turns_in_one_run_and_share_their_baseline(adder: Plugin, lighter: Plugin) -> None:
    seen: list[Progress] = []
    beside = bench_beside(adder, lighter, n=80, progress=seen.append)
    old, new = beside.reports
    assert (old.digest, new.digest) == (adder.module.digest, lighter.module.digest)
    assert old.unfiltered == new.unfiltered
    assert new.added_fuel < old.added_fuel
    names = [line.label for line in seen[-1].lines]
    assert names == [f"adder {each.module.digest[7:15]}" for each in (adder, lighter)] + ["without filter"]
    assert all(name in str(beside) and name in seen[-1].text for name in names)
    picture = beside._repr_mimebundle_()["image/svg+xml"]
    assert len(set(re.findall('stroke-dasharray="([^"]+)"', picture))) >= 2  # told apart without colour


def test_each_callback_has_its_cost(adder: Plugin) -> None:
    report = bench(adder, n=50)
    names = {cost.name: cost for cost in report.callbacks}
    assert names["proxy_on_request_headers"].calls == 10
    assert "proxy_on_request_headers" in str(report)
    assert "host calls" in str(report)


GREETER = "def on_request_headers(ctx):\n    ctx.request.headers['x'] = 'hello'\n"


def test_the_command_guards_a_filter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "greeter.py").write_text(GREETER)
    bench_it = ["bench", "greeter.py", "--seconds", "0.2"]
    assert main([*bench_it, "--output", "before.json"]) == 0
    assert main([*bench_it, "--guard", "before.json"]) == 0
    assert "nothing has grown" in capsys.readouterr().out
    (tmp_path / "greeter.py").write_text(GREETER + "    ctx.request.headers['y'] = 'hello' * 3\n")
    assert main([*bench_it, "--guard", "before.json"]) == 1
    assert "guard: fuel" in capsys.readouterr().out
    assert main([*bench_it, "--guard", "before.json", "--max-fuel", "5"]) == 0
