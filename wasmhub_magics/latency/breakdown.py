"""Where the time of an exchange goes: each callback by itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

from ..http import Request, Response
from ..plugin import Plugin
from ..proxy import Proxy
from .units import duration

__all__ = ["CallbackCost", "measure_callbacks", "table_of_callbacks"]

EXCHANGES = 120
WARM = 20


@dataclass(frozen=True, slots=True)
class CallbackCost:
    """What one callback costs in an exchange.

    ``ns`` is the median over many exchanges, ``calls`` the number of host calls it makes, ``times`` how often
    it runs. The trace that tells it takes time of its own: compare callbacks, not this with the whole.
    """

    plugin: str
    name: str
    ns: float
    calls: int
    times: int = 1


def measure_callbacks(
    plugins: Iterable[Plugin], request: Request, answer: Response
) -> tuple[CallbackCost, ...]:
    """The cost of each callback of a chain, in the order in which they run."""
    seen: dict[tuple[str, str], list[tuple[int, int, int]]] = {}
    with Proxy(plugins, answer) as proxy:
        for turn in range(WARM + EXCHANGES):
            exchange = proxy.send(request)
            if turn < WARM:
                continue
            found: dict[tuple[str, str], tuple[int, int, int]] = {}
            for callback in exchange.trace:
                key = (callback.plugin, callback.name)
                ns, calls, times = found.get(key, (0, 0, 0))
                found[key] = ns + callback.ns, calls + len(callback.calls), times + 1
            for key, value in found.items():
                seen.setdefault(key, []).append(value)
    return tuple(
        CallbackCost(
            plugin,
            name,
            float(median(ns for ns, _, _ in values)),
            round(median(calls for _, calls, _ in values)),
            round(median(times for _, _, times in values)),
        )
        for (plugin, name), values in seen.items()
    )


def table_of_callbacks(costs: Iterable[CallbackCost]) -> list[str]:
    """Lines of text: callback, median time, share of all callbacks, host calls."""
    listed = list(costs)
    whole = sum(cost.ns for cost in listed) or 1.0
    several = len({cost.plugin for cost in listed}) > 1
    titles = [f"{cost.plugin} {cost.name}" if several else cost.name for cost in listed]
    heading = "callback, traced"  # which takes time of its own
    wide = max(map(len, [heading, *titles]))
    lines = [f"{heading:<{wide}}{'median':>10}{'share':>8}{'host calls':>12}"]
    for title, cost in zip(titles, listed, strict=True):
        often = f" in {cost.times} runs" if cost.times > 1 else ""
        lines.append(f"{title:<{wide}}{duration(cost.ns):>10}{cost.ns / whole:>8.0%}{cost.calls:>12}{often}")
    return lines
