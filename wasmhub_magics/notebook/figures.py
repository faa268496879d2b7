"""The results of the magics in a few words, for whoever shows them beside a cell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .history import Figure

if TYPE_CHECKING:
    from ..deploy import Deployment
    from ..envoy import ParityReport
    from ..filter import Filter
    from ..hub import Image
    from ..latency import LatencyReport
    from ..proxy import Exchange

__all__ = ["deployed", "measured", "pushed", "sent", "verified"]


def sent(made: Filter, exchange: Exchange) -> Figure:
    """The answer's status, or why there is none."""
    response = exchange.response
    text = exchange.outcome if response is None else str(response.status)
    failed = response is None or response.status >= 500
    return Figure("send", made.digest, not failed, text)


def measured(made: Filter, report: LatencyReport) -> Figure:
    """The median and the 99th percentile."""
    from ..latency.units import duration

    text = f"p50 {duration(report.p50)}, p99 {duration(report.p99)} ({report.engine})"
    return Figure("bench", made.digest, not report.errors, text)


def verified(made: Filter, report: ParityReport) -> Figure:
    """Whether the real Envoy agreed."""
    count, points = len(report.requests), len(report.differences)
    asked = f"{count} request{'' if count == 1 else 's'}"
    told = f"agrees on {asked}" if report.agrees else f"{points} difference{'' if points == 1 else 's'}"
    return Figure("verify", made.digest, report.agrees, f"{told}, Envoy {report.envoy_version}")


def pushed(made: Filter, image: Image) -> Figure:
    """Where the image is."""
    return Figure("push", made.digest, True, str(image.reference))


def deployed(deployment: Deployment) -> Figure:
    """Which version serves, and where."""
    text = f"version {deployment.version} on {deployment.target}"
    return Figure("deploy", deployment.digest, deployment.state == "serving", text)
