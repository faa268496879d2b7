"""A rollout: a share of the requests meets the new version, and what they say of it decides."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from .bounds import difference, median
from .deployment import Deployment

__all__ = ["Arm", "Rollout", "Rules", "Tick", "failing", "graph", "slower"]

FEW = 20
"""Requests below which nothing is judged: the bounds of shares and medians are too rough there."""


@dataclass(frozen=True, slots=True)
class Rules:
    """When a new version is taken back.

    Its share of failed requests (5xx) may be ``errors`` above the old version's, and its median latency
    ``slower`` times that of the old one above it. Neither counts before the lower bound of the difference is
    beyond it (``bounds.SURE``), so that chance alone takes no version back. ``enough`` requests, at least 20,
    have to meet each version before it is promoted.
    """

    errors: float = 0.01
    slower: float = 0.5
    enough: int = 50


@dataclass(frozen=True, slots=True)
class Arm:
    """What one version did: requests, those that failed (5xx), and sorted latencies in microseconds."""

    requests: int = 0
    errors: int = 0
    latencies: tuple[int, ...] = field(default=(), repr=False)

    @property
    def error_rate(self) -> float:
        """The share of failed requests, 0 to 1."""
        return self.errors / self.requests if self.requests else 0.0

    def percentile(self, percent: float) -> float:
        """A latency in microseconds; NaN where there was no request."""
        if not self.latencies:
            return math.nan
        return float(self.latencies[min(len(self.latencies) - 1, int(len(self.latencies) * percent / 100))])


@dataclass(frozen=True, slots=True)
class Tick:
    """Both versions in one interval that ended ``seconds`` after the start."""

    seconds: float
    stable: Arm
    canary: Arm


@dataclass(frozen=True, slots=True)
class Rollout:
    """How a rollout went: ``promoted`` or taken back with the ``reason``, and what is deployed now."""

    promoted: bool
    reason: str
    percent: int
    seconds: float
    stable: Arm
    canary: Arm
    ticks: tuple[Tick, ...]
    deployment: Deployment

    def __repr__(self) -> str:
        verdict = "promoted" if self.promoted else "taken back"
        lines = [
            f"{self.deployment.name}: {verdict} after {self.seconds:.1f} s at {self.percent} %: {self.reason}"
        ]
        for name, arm in (("old", self.stable), ("new", self.canary)):
            lines.append(
                f"  {name}  {arm.requests} requests, {arm.error_rate:.1%} failed, "
                f"p50 {arm.percentile(50) / 1000:.2f} ms, p90 {arm.percentile(90) / 1000:.2f} ms"
            )
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        colour = "#1f9d55" if self.promoted else "#d13438"
        first, *rest = repr(self).splitlines()
        rows = "".join(f"<div>{html.escape(line.strip())}</div>" for line in rest)
        return f"<div><b style='color:{colour}'>{html.escape(first)}</b>{rows}{graph(self.ticks)}</div>"


def failing(stable: Arm, canary: Arm, rules: Rules) -> str:
    """How surely more requests of the new version fail than may; empty where that is not sure."""
    low, high = difference((canary.errors, canary.requests), (stable.errors, stable.requests))
    if low <= rules.errors or canary.requests < min(FEW, rules.enough):
        return ""
    told = f"{canary.error_rate:.1%} of its requests failed, of the old version's {stable.error_rate:.1%}"
    return f"{told}: surely {low:.1%} to {high:.1%} more, and {rules.errors:.1%} may"


def slower(stable: Arm, canary: Arm, rules: Rules, grain: int = 0) -> str:
    """How surely the new version's median latency is above what it may be; empty where that is not sure.

    ``grain`` are the microseconds by which a latency may be more than its figure says.
    """
    (_, old), (new, _) = median(stable.latencies), median(canary.latencies)
    old += grain
    if new <= old * (1 + rules.slower):
        return ""
    return (
        f"its median latency is {canary.percentile(50) / 1000:.2f} ms, the old version's "
        f"{stable.percentile(50) / 1000:.2f} ms: surely {new / old - 1:.0%} more, and {rules.slower:.0%} may"
    )


def graph(ticks: Sequence[Tick]) -> str:
    """Failed requests and median latency over time as SVG, the old version in grey, the new one in blue."""
    panels = (
        ("failed requests, %", 1.0, lambda arm: arm.error_rate * 100 if arm.requests else math.nan),
        ("median latency, ms", 0.1, lambda arm: arm.percentile(50) / 1000),
    )
    return f"<div>{''.join(_panel(title, ticks, least, value) for title, least, value in panels)}</div>"


def _panel(title: str, ticks: Sequence[Tick], least: float, value: Callable[[Arm], float]) -> str:
    """One curve for each version; the axis reaches ``least`` at least."""
    wide, high, left = 360, 90, 44
    lines = {"#888": [value(t.stable) for t in ticks], "#2b6cb0": [value(t.canary) for t in ticks]}
    known = [v for series in lines.values() for v in series if not math.isnan(v)]
    top = max([*known, least])
    end = max([t.seconds for t in ticks] or [1.0])
    drawn = []
    for colour, series in lines.items():
        points = [
            (left + (wide - left - 4) * t.seconds / end, high - 16 - (high - 30) * v / top)
            for t, v in zip(ticks, series, strict=True)
            if not math.isnan(v)
        ]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        drawn.append(f"<polyline points='{line}' fill='none' stroke='{colour}' stroke-width='2'/>")
        # a rollout that ends at its first look has one point, which is no line
        drawn += [f"<circle cx='{x:.1f}' cy='{y:.1f}' r='2.5' fill='{colour}'/>" for x, y in points]
    return (
        f"<svg width='{wide}' height='{high}' font-size='10' fill='currentColor' role='img' "
        "style='display:inline-block;vertical-align:top' "
        f"aria-label='{title}'><text x='{left}' y='10'>{title} (grey: old, blue: new)</text>"
        f"<text x='0' y='22'>{top:.3g}</text><text x='0' y='{high - 16}'>0</text>"
        f"<text x='{wide - 30}' y='{high - 2}'>{end:.0f} s</text>{''.join(drawn)}</svg>"
    )
