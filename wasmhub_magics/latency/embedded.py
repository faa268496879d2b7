"""What a filter's code costs: exchanges in a loop inside the embedded proxy, with the filter and without."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from ..errors import ProxyError, RequestError
from ..http import Request, Response
from ..plugin import HasPlugin
from ..proxy import Exchange, Loop, Proxy, Upstream, echo
from .envoy import chain_of, name_of
from .histogram import Histogram
from .memory import Memory
from .report import LatencyReport, Side

__all__ = ["bench"]

ROUNDS = 8
CALIBRATION_SECONDS = 0.02
FUEL_EXCHANGES = 100
FUEL_CLOCK = 1_700_000_000
_FAILED = re.compile(r"Function: \w+ failed: ")


def bench(
    plugins: HasPlugin | Iterable[HasPlugin],
    request: Request | None = None,
    *,
    upstream: Upstream = echo,
    n: int | None = None,
    seconds: float = 2.0,
    baseline: bool = True,
) -> LatencyReport:
    """Measure what the filters cost in the embedded proxy: nanoseconds, fuel and memory of an exchange.

    Rounds with the filters and, as ``baseline``, with an empty chain alternate. ``n`` is the number of timed
    exchanges of each side; without it they are as many as fit into about ``seconds`` for the whole
    measurement. The throughput comes from exchanges of their own that read no clock. An ``upstream`` function
    is asked before and after, and its first answer is used for all exchanges between.

    Raises StartError where a filter does not start, ProxyError where it fails on this request or leaves it
    paused, RequestError for options that measure nothing.
    """
    if (n is not None and n < 1) or not seconds > 0:
        raise RequestError(
            f"{seconds if n is None else n} {'seconds' if n is None else 'exchanges'} measure nothing",
            do="give n or seconds above 0",
        )
    chain = chain_of(plugins)
    request = request or Request()
    start = time.perf_counter()
    tracks: list[_Track] = []
    try:
        for plugins_of_side in (chain, []) if baseline else (chain,):
            tracks.append(_Track(Proxy(plugins_of_side, upstream, trace=False), request))
            tracks[-1].open()
            tracks[-1].calibrate()
        rounds = ROUNDS if n is None else min(ROUNDS, n)
        slot = seconds / rounds / len(tracks)
        for turn in range(rounds):
            for track in tracks if turn % 2 == 0 else reversed(tracks):  # so that a drift hits both alike
                share = None if n is None else (turn + 1) * n // rounds - turn * n // rounds
                track.round(slot, share)
        for track in tracks:
            track.exchange()
        filtered = tracks[0].side()
        memory = Memory(tuple(tracks[0].memory))
        unfiltered = tracks[1].side() if baseline else None
    finally:
        for track in tracks:
            track.proxy.close()
    return LatencyReport(
        "embedded",
        name_of(chain),
        chain[0].module.digest if chain else "",
        f"{request.method} {request.path}",
        filtered,
        unfiltered,
        seconds=time.perf_counter() - start,
        memory=memory,
    )


@dataclass
class _Track:
    """One side of the measurement while it runs."""

    proxy: Proxy
    request: Request
    answer: Response = field(default_factory=Response)
    status: int = 0
    exchange_seconds: float = 0.0
    count: int = 0
    timed: list[Histogram] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    memory: list[tuple[int, int]] = field(default_factory=list)

    def open(self) -> None:
        """Send a first exchange, which also tells what the upstream answers."""
        exchange = self.exchange()
        self.answer = exchange.upstream_response or Response()
        self.status = -1 if exchange.response is None else exchange.response.status

    def exchange(self) -> Exchange:
        """Send an ordinary exchange. Raises ProxyError where the filter fails in it or holds it for good."""
        exchange = self.proxy.send(self.request)
        failure = next((line.message for line in exchange.log if _FAILED.match(line.message)), "")
        if failure or exchange.details == "wasm_fail_stream" or exchange.outcome != "complete":
            told = next((line.message for line in self.proxy.log if _FAILED.match(line.message)), "")
            what = (
                "leaves this request unanswered"
                if exchange.outcome != "complete"
                else "fails on this request"
            )
            raise ProxyError(
                f"{name_of(list(self.proxy.plugins))} {what}, so its cost cannot be measured",
                where=(failure or told).partition("\n")[0] or f"on one of {self.count:,} exchanges in a loop",
                do=f"send it {self.request.method} {self.request.path} and look at the exchange",
            )
        return exchange

    def calibrate(self) -> None:
        """Warm up, and find out how long an exchange takes."""
        count = 1
        while True:
            took = self._loop(count, timed=True).seconds
            if took > CALIBRATION_SECONDS or count >= 1_000_000:
                self.exchange_seconds = max(took / count, 1e-9)
                return
            count *= 4

    def round(self, seconds: float, share: int | None) -> None:
        """Half of the time with clock reads, half of it without; or ``share`` exchanges each."""
        count = max(1, round(seconds / 2 / self.exchange_seconds)) if share is None else share
        timed = self._loop(count, timed=True)
        self.timed.append(Histogram.from_counts(timed.buckets()))
        self.rates.append(self._loop(count, timed=False).rate)

    def side(self) -> Side:
        """What was measured, with the fuel of an exchange, which does not depend on time."""
        whole = sum(part.count for part in self.timed)
        return Side(tuple(self.timed), whole, median(self.rates), 0, ((self.status, whole),), self._fuel())

    def _loop(self, count: int, *, timed: bool) -> Loop:
        loop = self.proxy.loop(self.request, count, timed=timed, upstream=self.answer)
        if not self.memory:
            self.memory.append((0, sum(loop.memory_before)))
        self.count += count
        self.memory.append((self.count, sum(loop.memory_after)))
        return loop

    def _fuel(self) -> float | None:
        """Instructions of an exchange: what more of them use in a loop, with time and randomness fixed."""
        options: dict[str, Any] = {"clock": FUEL_CLOCK, "seed": 0, "trace": False, "fuel": True}
        with Proxy(self.proxy.plugins, self.answer, **options) as proxy:
            proxy.loop(self.request, 1)
            one = proxy.loop(self.request, 1).fuel
            more = proxy.loop(self.request, 1 + FUEL_EXCHANGES).fuel
        return None if one is None or more is None else (more - one) / FUEL_EXCHANGES
