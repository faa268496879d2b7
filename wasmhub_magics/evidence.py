"""Test cases and measurements as they travel with an image, and back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .errors import RequestError
from .latency import LatencyReport
from .testing import Case, Results, Suite
from .testing.text import entry_of, read_case

__all__ = ["as_values", "benchmark_value", "configured", "read_tests", "suite_value"]


def as_values(digest: str, tests: object, benchmark: object) -> dict[str, Any]:
    """The JSON values of a suite, or of the results of a run of it, and of a measurement; not of others."""
    found: dict[str, Any] = {}
    if isinstance(tests, Suite):
        found["tests"] = suite_value(tests)
    elif isinstance(tests, Results):
        found["tests"] = suite_value((each.case for each in tests), tests, digest)
    if isinstance(benchmark, LatencyReport):
        found["benchmark"] = benchmark_value(benchmark)
    return found


def suite_value(cases: Iterable[Case], results: Results | None = None, digest: str = "") -> dict[str, Any]:
    """Cases as a suite's file has them, and what came of their last run, as JSON values.

    A run counts only if it was that of the module of this digest and of these cases.
    """
    listed = tuple(cases)
    value: dict[str, Any] = {"cases": [entry_of(case) for case in listed]}
    if results is not None and results.module == digest and tuple(r.case for r in results) == listed:
        value["result"] = {
            "engine": results.engine,
            "module": results.module,
            "passed": results.passed,
            "cases": [{"name": r.case.name, "passed": r.passed, "told": r.told} for r in results],
        }
    return value


def configured(tests: Any, configuration: str) -> Any:
    """The value of a suite whose cases bring the configuration that they are for, where they have none.

    Whoever pulls the filter configures it otherwise, or not at all.
    """
    listed = tests.get("cases") if isinstance(tests, dict) else None
    if not configuration or not isinstance(listed, list):
        return tests
    cases = [{"config": configuration} | each if isinstance(each, dict) else each for each in listed]
    return {**tests, "cases": cases}


def read_tests(value: object) -> Suite | None:
    """The cases of such a value; None where it has none that can be read."""
    listed = value.get("cases") if isinstance(value, dict) else None
    if not isinstance(listed, list) or not listed:
        return None
    try:
        return Suite(tuple(read_case(each, f"case {number}") for number, each in enumerate(listed, 1)))
    except RequestError:
        return None


def benchmark_value(report: LatencyReport) -> dict[str, Any]:
    """What a measurement came to, as JSON values: times in nanoseconds, no histograms."""
    added = {name: report.added(percent) for name, percent in _PERCENTILES.items()}
    return {
        "engine": report.engine,
        "module": report.digest,
        "request": report.request,
        "rate": report.rate,
        "taken": report.taken.isoformat(),
        "exchanges": report.exchanges,
        "errors": report.errors,
        "latency_ns": {name: report.percentile(percent) for name, percent in _PERCENTILES.items()},
        "added_ns": None if added["p50"] is None else added,
        "fuel": report.fuel,
        "memory": report.memory.verdict,
    }


_PERCENTILES = {"p50": 50.0, "p90": 90.0, "p99": 99.0, "p99.9": 99.9, "max": 100.0}
