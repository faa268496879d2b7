"""A sweep of rates against the real Envoy: how far it goes before latencies run away."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from ..errors import EnvoyError, RequestError
from ..http import Request
from ..plugin import HasPlugin
from ..proxy.upstream import Upstream, echo
from .chain import chain_of, name_of
from .envoy import serving
from .load import run_load
from .sweep_chart import sweep_svg
from .units import duration, short

__all__ = ["Point", "Sweep", "sweep"]

WARM_SECONDS = 0.3
LOST = 0.97
"""A rate is not kept where less than this share of its requests were answered in time."""


@dataclass(frozen=True, slots=True)
class Point:
    """One rate: ``rate`` asked for and ``reached``, in requests a second; percentiles in nanoseconds."""

    rate: float
    reached: float
    p50: float
    p99: float
    failed: int
    filtered: bool = True

    @property
    def kept(self) -> bool:
        """Whether Envoy kept up."""
        return self.reached >= LOST * self.rate and not self.failed


@dataclass(frozen=True)
class Sweep:
    """Rates in rising order, with the filter and without, at open load.

    The knee is the highest rate that was kept while the 99th percentile stayed below ``factor`` times that at
    the lowest rate; None where not even the lowest was.
    """

    name: str
    request: str
    points: tuple[Point, ...]
    factor: float = 5.0

    def side(self, *, filtered: bool) -> tuple[Point, ...]:
        """The points with the filter, or those without."""
        return tuple(point for point in self.points if point.filtered == filtered)

    def knee(self, *, filtered: bool = True) -> float | None:
        """The highest rate before latencies run away."""
        found: float | None = None
        points = self.side(filtered=filtered)
        for point in points:
            if not point.kept or point.p99 > self.factor * points[0].p99:
                break
            found = point.rate
        return found

    def __str__(self) -> str:
        lines = [f"{self.name} in real Envoy, rising rates of {self.request}"]
        lines.append(f"{'rate/s':>8}{'reached':>9}{'p50':>10}{'p99':>10}{'failed':>8}  chain")
        for point in sorted(self.points, key=lambda each: (each.rate, not each.filtered)):
            chain = "with the filter" if point.filtered else "without"
            lost = "" if point.kept else "  not kept"
            lines.append(
                f"{short(point.rate):>8}{short(point.reached):>9}{duration(point.p50):>10}"
                f"{duration(point.p99):>10}{point.failed:>8}  {chain}{lost}"
            )
        return "\n".join([*lines, *self._told()])

    def _told(self) -> Iterable[str]:
        for filtered, words in ((True, "with the filter"), (False, "without it")):
            if not self.side(filtered=filtered):
                continue
            knee = self.knee(filtered=filtered)
            top = self.side(filtered=filtered)[-1].rate
            if knee is None:
                yield f"no rate was kept {words}"
            elif knee == top:
                yield f"{words} even {short(top)} requests a second were kept: the knee lies above"
            else:
                yield f"the knee {words} lies above {short(knee)} requests a second"

    def __repr__(self) -> str:
        knee = self.knee()
        return f"<Sweep of {self.name}: knee {'none' if knee is None else short(knee)} requests a second>"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:  # noqa: ARG002
        lines = [
            ("with the filter", [(p.rate, p.p99) for p in self.side(filtered=True)], self.knee()),
            ("without", [(p.rate, p.p99) for p in self.side(filtered=False)], self.knee(filtered=False)),
        ]
        drawn = sweep_svg([line for line in lines if line[1]], f"{self.name}: 99th percentile in real Envoy")
        told = html.escape(str(self))
        return {"text/plain": str(self), "text/html": f"<div>{drawn}<pre>{told}</pre></div>"}


def sweep(
    plugins: HasPlugin | Iterable[HasPlugin],
    request: Request | None = None,
    *,
    upstream: Upstream = echo,
    start: float = 200,
    growth: float = 2.0,
    steps: int = 6,
    seconds: float = 1.0,
    baseline: bool = True,
    factor: float = 5.0,
    progress: Callable[[Point], None] | None = None,
) -> Sweep:
    """Raise the rate of requests against a real Envoy, step by step, until it no longer keeps up.

    Load is open: requests come at their times, whether answers are there or not. Each step takes ``seconds``
    for each side, and multiplies the rate by ``growth``. A side ends at the first rate that it does not keep.
    Raises EnvoyMissing, EnvoyRejected where Envoy refuses a filter, EnvoyError without h2load.
    """
    if not (start > 0 and growth > 1 and steps >= 1 and seconds > 0):
        raise RequestError(
            f"no sweep can be made from {start} requests a second by {growth} in {steps} steps",
            do="give start and seconds above 0, growth above 1, steps of at least 1",
        )
    chain = chain_of(plugins)
    request = request or Request()
    points: list[Point] = []
    going = {True, False} if baseline else {True}
    with serving([chain, []], upstream) as (server, (filtering, bare)):
        for step in range(steps):
            rate = start * growth**step
            for filtered in sorted(going, reverse=step % 2 == 0):
                server.swap(filtering if filtered else bare)
                point = _point(server.url, request, rate, seconds, filtered)
                points.append(point)
                if progress is not None:
                    progress(point)
                if not point.kept:
                    going.discard(filtered)
            if True not in going:
                break
    ordered = tuple(sorted(points, key=lambda point: (not point.filtered, point.rate)))
    return Sweep(name_of(chain), f"{request.method} {request.path}", ordered, factor)


def _point(url: str, request: Request, rate: float, seconds: float, filtered: bool) -> Point:
    connections = max(2, min(100, round(rate / 50)))
    run_load(url, request, rate=rate, seconds=WARM_SECONDS, connections=connections)
    try:
        sent = run_load(url, request, rate=rate, seconds=seconds, connections=connections)
    except EnvoyError:
        return Point(rate, 0.0, 0.0, 0.0, round(rate * seconds), filtered)
    times = [reply.sent + reply.ns / 1e9 for reply in sent.replies if reply.status >= 0]
    first = min((reply.sent for reply in sent.replies), default=0.0)
    took = max(max(times, default=first) - first, seconds)
    histogram = sent.histogram
    p50, p99 = (float(histogram.percentile(percent)) for percent in (50, 99))
    return Point(rate, len(times) / took, p50, p99, sent.failed, filtered)
