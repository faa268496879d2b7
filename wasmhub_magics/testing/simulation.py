"""What clients see when a filter fails, under each failure policy."""

from __future__ import annotations

import html
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from ..errors import WasmhubError
from ..http import Request
from ..plugin import FailurePolicy, HasPlugin, as_plugin
from ..proxy import AnyProxy, Cluster, Exchange, Proxy, Upstream, echo
from .fault import Fault, faulty
from .run import Engine

__all__ = ["POLICIES", "Outcome", "Simulation", "simulate"]

POLICIES: tuple[FailurePolicy, ...] = ("closed", "open", "reload")
TIMEOUT_SECONDS = 0.2
"""How long a callback may take while a time-out is simulated."""
RELOAD_SECONDS = 1.6
"""Envoy replaces a failed virtual machine after 1 to 1.5 seconds."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a client saw under one policy: with the request that failed, with the next one, and later.

    ``later`` is one more; with the policy to reload it comes when Envoy has
    replaced the failed virtual machine.
    """

    policy: FailurePolicy
    failed: Exchange | None = None
    next: Exchange | None = None
    later: Exchange | None = None
    error: str = ""

    @property
    def exchanges(self) -> tuple[Exchange, ...]:
        """The exchanges in order."""
        return tuple(each for each in (self.failed, self.next, self.later) if each is not None)


@dataclass(frozen=True, slots=True)
class Simulation:
    """A fault, and what clients saw of it under each failure policy."""

    fault: Fault
    outcomes: tuple[Outcome, ...]
    engine: str = "embedded"

    def __getitem__(self, policy: str) -> Outcome:
        return next(outcome for outcome in self.outcomes if outcome.policy == policy)

    def rows(self) -> list[tuple[str, str, str, str, str]]:
        """A row of text for each policy: policy, the failed request, the next, a later one, the log."""
        return [_row(outcome) for outcome in self.outcomes]

    def __str__(self) -> str:
        heads = ("policy", "this request", "the next one", "later", "log")
        rows = [heads, *self.rows()]
        widths = [max(len(row[n]) for row in rows) for n in range(4)]
        lines = [
            "  ".join([*(c.ljust(w) for c, w in zip(row, widths, strict=False)), row[4]]) for row in rows
        ]
        return "\n".join([f"{self.fault}, what clients see:", *(line.rstrip() for line in lines)])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        heads = ("policy", "this request", "the next one", "later", "log")
        cells = "".join(f"<th style='text-align:left'>{head}</th>" for head in heads)
        rows = "".join(
            "<tr>" + "".join(f"<td style='text-align:left'>{html.escape(c)}</td>" for c in row) + "</tr>"
            for row in self.rows()
        )
        return (
            f"<div><b>{html.escape(str(self.fault))}</b>, what clients see"
            f"<table><thead><tr>{cells}</tr></thead><tbody>{rows}</tbody></table></div>"
        )


def simulate(
    plugin: HasPlugin,
    fault: Fault,
    request: Request | None = None,
    *,
    upstream: Upstream = echo,
    policies: Iterable[FailurePolicy] = POLICIES,
    engine: Engine = "embedded",
    clusters: Mapping[str, Cluster] | None = None,
) -> Simulation:
    """Send a request to a filter that fails, under each policy, and two more after it.

    Requests are sent until the fault's callback has had its calls, at most ``fault.call`` of them. Real Envoy
    has no limit of time: a time-out there holds its worker until the client gives up.
    """
    asked = request or Request()
    base = as_plugin(plugin)
    module = faulty(base.module, fault)
    limits = (
        replace(base.limits, callback_seconds=TIMEOUT_SECONDS) if fault.kind == "time-out" else base.limits
    )
    outcomes = []
    for policy in policies:
        broken = base.replace(module=module, failure_policy=policy, limits=limits)
        try:
            proxy: AnyProxy
            if engine == "envoy":
                from ..envoy import EnvoyProxy

                proxy = EnvoyProxy([broken], upstream, clusters=clusters, timeout=2.0)
            else:
                # Time passes by ticks alone, so that a busy machine cannot bring the reload forward.
                proxy = Proxy([broken], upstream, clusters=clusters, clock=time.time())
            outcomes.append(_outcome(policy, proxy, fault, asked))
        except WasmhubError as error:
            outcomes.append(Outcome(policy, error=str(error)))
    return Simulation(fault, tuple(outcomes), engine)


def _outcome(policy: FailurePolicy, proxy: AnyProxy, fault: Fault, request: Request) -> Outcome:
    with proxy:
        for _ in range(fault.call):
            failed = proxy.send(request)
            if _trapped(failed):
                break
        following = proxy.send(request)
        if proxy.plugins[0].failure_policy == "reload":
            if isinstance(proxy, Proxy):
                proxy.tick(RELOAD_SECONDS)
            else:
                time.sleep(RELOAD_SECONDS)
        later = proxy.send(request)
    return Outcome(policy, failed, following, later)


def _trapped(exchange: Exchange) -> bool:
    return any(line.message.startswith("Function: ") for line in exchange.log)


def _row(outcome: Outcome) -> tuple[str, str, str, str, str]:
    if outcome.error:
        return outcome.policy, "did not start", "", "", outcome.error.partition("\n")[0]
    shown = [_shown(each) for each in outcome.exchanges]
    log = outcome.failed.log if outcome.failed else ()
    line = next((line.message.partition("\n")[0] for line in log if "failed: " in line.message), "")
    return outcome.policy, shown[0], shown[1], shown[2], line


def _shown(exchange: Exchange) -> str:
    if exchange.response is None:
        return f"no answer ({exchange.outcome})"
    passed = "" if exchange.upstream_request is None else ", upstream asked"
    details = f", {exchange.details}" if exchange.details not in ("", "via_upstream") else ""
    return f"{exchange.response.status}{passed}{details}"
