"""The histogram against HdrHistogram's own code, against sorting, and against a schedule with a stall."""

from __future__ import annotations

import math
import random

import pytest
from hdrh.histogram import HdrHistogram

from wasmhub_magics.latency.histogram import Histogram

HOUR = 3_600_000_000_000


@pytest.fixture(scope="module")
def values() -> list[int]:
    dice = random.Random(7)
    return [int(dice.lognormvariate(7, 2.5)) for _ in range(20_000)]


def hdr_of(values: list[int]) -> HdrHistogram:
    histogram = HdrHistogram(1, HOUR, 3)
    for value in values:
        assert histogram.record_value(value)
    return histogram


def test_percentiles_are_those_of_hdrhistogram(values: list[int]) -> None:
    ours, theirs = Histogram.of(values), hdr_of(values)
    for percent in (0, 1, 10, 50, 75, 90, 99, 99.9, 99.99):
        assert ours.percentile(percent) == theirs.get_value_at_percentile(percent) or percent == 0
    assert ours.count == theirs.get_total_count()
    assert ours.mean == pytest.approx(theirs.get_mean_value())
    assert ours.deviation == pytest.approx(theirs.get_stddev())


def test_percentiles_lie_within_a_thousandth_of_the_sorted_values(values: list[int]) -> None:
    ordered, histogram = sorted(values), Histogram.of(values)
    for percent in (0.1, 25, 33.3, 50, 66.6, 90, 95, 99, 99.5, 99.9, 99.95, 99.99):
        exact = ordered[math.ceil(percent * len(ordered) / 100) - 1]
        assert exact <= histogram.percentile(percent) <= exact * (1 + 1 / 1024)
    assert (histogram.min, histogram.max) == (ordered[0], ordered[-1])
    assert (histogram.percentile(0), histogram.percentile(100)) == (ordered[0], ordered[-1])


def test_small_values_are_exact() -> None:
    histogram = Histogram.of(range(1, 101))
    assert [histogram.percentile(p) for p in (1, 50, 90, 99, 100)] == [1, 50, 90, 99, 100]


def test_counts_are_kept_however_they_come(values: list[int]) -> None:
    whole = Histogram.of(values)
    assert Histogram.from_counts((value, 1) for value in values) == whole
    assert Histogram.from_counts([(5, 2), (5, 3), (9, 0)]) == Histogram.of([5] * 5)


def test_merging_parts_gives_the_histogram_of_the_whole(values: list[int]) -> None:
    parts = [Histogram.of(values[start::3]) for start in range(3)]
    assert Histogram.merged(parts) == Histogram.of(values)
    assert parts[0] + parts[1] + parts[2] == Histogram.of(values)
    assert Histogram() + parts[0] == parts[0]


def test_the_encoded_form_is_read_by_hdrhistogram_and_back(values: list[int]) -> None:
    ours = Histogram.of(values)
    theirs = HdrHistogram.decode(ours.encode())
    assert theirs.get_total_count() == ours.count
    assert theirs.get_value_at_percentile(99) == ours.percentile(99)
    assert Histogram.decode(hdr_of(values).encode()).buckets == ours.buckets


def test_an_empty_histogram_answers_zero() -> None:
    empty = Histogram.of([])
    assert (empty.count, empty.mean, empty.deviation, empty.min, empty.max, empty.percentile(99)) == (
        0,
        0,
        0,
        0,
        0,
        0,
    )
    assert "empty" in repr(empty)
    assert Histogram.decode(empty.encode()) == empty
    assert "TotalCount     =            0" in empty.hgrm()


@pytest.mark.parametrize("bad", [-1, -1000])
def test_a_negative_duration_is_refused(bad: int) -> None:
    with pytest.raises(ValueError, match="at least 0"):
        Histogram.of([5, bad])


@pytest.mark.parametrize("percent", [-0.1, 100.1])
def test_a_percentile_out_of_range_is_refused(percent: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 100"):
        Histogram.of([5]).percentile(percent)


def test_the_percentile_text_ends_at_the_maximum_and_rises(values: list[int]) -> None:
    histogram = Histogram.of(values)
    lines = histogram.hgrm().splitlines()
    rows = [line.split() for line in lines[2:] if not line.startswith("#")]
    assert lines[0].split() == ["Value", "Percentile", "TotalCount", "1/(1-Percentile)"]
    for column in range(3):
        numbers = [float(row[column]) for row in rows]
        assert numbers == sorted(numbers)
    assert float(rows[-1][0]) == pytest.approx(histogram.max / 1000, abs=0.001)
    assert int(rows[-1][2]) == len(values)
    median = next(row for row in rows if row[1].startswith("0.500"))
    assert float(median[0]) == pytest.approx(histogram.percentile(50) / 1000, abs=0.001)


def test_correction_restores_what_a_stall_hid() -> None:
    """One request each millisecond, each answered in 0.1 ms, but for 500 ms nobody answers."""
    interval, service, stall, total = 1_000_000, 100_000, 500_000_000, 10_000
    truth = [service] * (total - 500) + [stall - interval * late for late in range(500)]
    waiting_sender = [service] * (total - 500) + [stall]
    seen, real = Histogram.of(waiting_sender), Histogram.of(truth)
    fixed = seen.corrected(interval)
    assert seen.percentile(99) == pytest.approx(service, rel=0.001)
    assert fixed.count == pytest.approx(real.count, abs=1)  # a bucket is narrower than one interval
    for percent in (50, 90, 96, 99, 99.9):
        assert fixed.percentile(percent) == pytest.approx(real.percentile(percent), abs=2 * interval)
    assert fixed.max == stall


def test_correction_changes_nothing_where_all_answers_are_in_time() -> None:
    histogram = Histogram.of(range(1000, 2000))
    assert histogram.corrected(2000) == histogram
    with pytest.raises(ValueError, match="above 0"):
        histogram.corrected(0)
