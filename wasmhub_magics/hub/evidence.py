"""What test cases and a measurement that travel with an image come to, in a few words."""

from __future__ import annotations

from contextlib import suppress

__all__ = ["benchmark_told", "tests_told"]


def tests_told(value: object) -> str:
    """How many cases there are and what their last run gave; empty where it is no such value."""
    with suppress(LookupError, TypeError, AttributeError):
        cases, result = value["cases"], value.get("result")  # type: ignore[index, attr-defined]
        count = f"{len(cases)} case{'' if len(cases) == 1 else 's'}"
        if not result:
            return f"{count}, not run with this module"
        failed = [str(each["name"]) for each in result["cases"] if not each["passed"]]
        told = f"failed: {', '.join(failed)}" if failed else "passed"
        return f"{count}, {told} in {_engine(result['engine'])}"
    return ""


def benchmark_told(value: object) -> str:
    """The median and the 99th percentile, and what the filter adds; empty where it is no such value."""
    with suppress(LookupError, TypeError, AttributeError, ValueError):
        latency, added = value["latency_ns"], value.get("added_ns")  # type: ignore[index, attr-defined]
        told = f"p50 {_time(latency['p50'])}, p99 {_time(latency['p99'])}"
        told += f", adds {_time(added['p50'])}" if added else ""
        return f"{told} in {_engine(value['engine'])}"  # type: ignore[index]
    return ""


def _engine(name: object) -> str:
    return {"embedded": "the embedded proxy", "envoy": "real Envoy"}.get(str(name), str(name)[:40])


def _time(nanoseconds: float) -> str:
    unit, size = next(((u, s) for u, s in (("ms", 1e6), ("µs", 1e3)) if abs(nanoseconds) >= s), ("ns", 1))
    return f"{nanoseconds / size:.3g} {unit}"
