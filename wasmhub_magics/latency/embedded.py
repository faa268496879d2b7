"""What a filter's code costs: exchanges in a loop inside the embedded proxy, with the filter and without."""

from __future__ import annotations

import math
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from ..errors import ProxyError, RequestError
from ..http import Request, Response
from ..plugin import HasPlugin, Plugin
from ..proxy import Exchange, Loop, Proxy, Upstream, echo
from .axis import labels
from .breakdown import measure_callbacks
from .chain import chain_of, digest_of, name_of
from .histogram import Histogram
from .memory import Memory
from .mix import Mix
from .progress import Progress
from .report import LatencyReport
from .side import Side

__all__ = ["bench", "measure"]

ROUNDS = 8
SLICE_SECONDS = 0.3
"""A long round is told, and can be stopped, in the middle."""
CALIBRATION_SECONDS = 0.02
FUEL_EXCHANGES = 100
FUEL_CLOCK = 1_700_000_000
_FAILED = re.compile(r"Function: \w+ failed: ")


def bench(
    plugins: HasPlugin | Iterable[HasPlugin], request: Request | None = None, **options: Any
) -> LatencyReport:
    """Measure what the filters cost in the embedded proxy: nanoseconds, fuel and memory of an exchange.

    The options, and what is raised, are those of ``measure``.
    """
    return measure([chain_of(plugins)], request, **options)[0]


def measure(
    chains: Sequence[list[Plugin]],
    request: Request | None = None,
    *,
    upstream: Upstream = echo,
    n: int | None = None,
    seconds: float = 2.0,
    baseline: bool = True,
    mix: Iterable[tuple[Request, float]] = (),
    progress: Callable[[Progress], None] | None = None,
    stop: Callable[[], bool] | None = None,
) -> tuple[LatencyReport, ...]:
    """Measure chains of filters beside each other in the embedded proxy; a report of each.

    Rounds of the chains and, as ``baseline``, of an empty one take turns. ``n`` is the number of timed
    exchanges of each; without it they are as many as fit into about ``seconds`` for the whole measurement.
    The throughput comes from exchanges of their own that read no clock. An ``upstream`` function is asked
    before and after, and its first answer is used for all exchanges between.

    ``mix`` are requests with weights that take turns in place of one ``request``. ``progress`` is told every
    0.3 seconds, at least after each round, how far it is, ``stop`` asked whether to end early.

    Raises StartError where a filter does not start, ProxyError where it fails on this request or leaves it
    paused, RequestError for options that measure nothing.
    """
    if (n is not None and n < 1) or not seconds > 0:
        raise RequestError(
            f"{seconds if n is None else n} {'seconds' if n is None else 'exchanges'} measure nothing",
            do="give n or seconds above 0",
        )
    chosen = Mix.of(request, mix)
    start = time.perf_counter()
    tracks: list[_Track] = []
    try:
        names = labels([(name_of(chain), digest_of(chain)) for chain in chains])
        for plugins, name in zip([*chains, []] if baseline else chains, [*names, name_of([])], strict=False):
            tracks.append(_Track(name, Proxy(plugins, upstream, trace=False), chosen))
            tracks[-1].open()
            tracks[-1].calibrate(most=1_000_000 if n is None else n)
        rounds = ROUNDS if n is None else min(ROUNDS, n)
        slices = max(1, math.ceil(seconds / rounds / SLICE_SECONDS)) if n is None else 1
        slot = seconds / rounds / slices / len(tracks)
        for turn in range(rounds * slices):
            for track in tracks if turn % 2 == 0 else reversed(tracks):  # so that a drift hits all alike
                share = None if n is None else (turn + 1) * n // rounds - turn * n // rounds
                track.run(slot, share, begin=turn % slices == 0)
            if progress is not None:
                builds = [(name_of(chain), digest_of(chain)) for chain in chains]
                progress(
                    Progress.of((turn + 1) / rounds / slices, builds, [track.so_far() for track in tracks])
                )
            if stop is not None and stop():
                break
        for track in tracks:
            track.exchange()
        sides = [track.side() for track in tracks]
        callbacks = [
            measure_callbacks(chain, chosen.shares[0][0], track.answers[0])
            for chain, track in zip(chains, tracks, strict=False)
        ]
    finally:
        for track in tracks:
            track.proxy.close()
    return tuple(
        LatencyReport(
            "embedded",
            name_of(chain),
            digest_of(chain),
            str(chosen),
            sides[place],
            sides[-1] if baseline else None,
            seconds=time.perf_counter() - start,
            memory=Memory(tuple(tracks[place].memory)),
            callbacks=callbacks[place],
        )
        for place, chain in enumerate(chains)
    )


@dataclass
class _Track:
    """One side of the measurement while it runs."""

    name: str
    proxy: Proxy
    mix: Mix
    answers: list[Response] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    exchange_seconds: float = 0.0
    count: int = 0
    timed: list[Histogram] = field(default_factory=list)
    done: list[int] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    memory: list[tuple[int, int]] = field(default_factory=list)

    def open(self) -> None:
        """Send a first exchange, which also tells what the upstream answers."""
        for request, _ in self.mix.shares:
            exchange = self._send(request)
            self.answers.append(exchange.upstream_response or Response())
            self.statuses.append(-1 if exchange.response is None else exchange.response.status)

    def exchange(self) -> None:
        """Send each request once. Raises ProxyError where the filter fails on one or holds it for good."""
        for request, _ in self.mix.shares:
            self._send(request)

    def _send(self, request: Request) -> Exchange:
        exchange = self.proxy.send(request)
        failure = next((line.message for line in exchange.log if _FAILED.match(line.message)), "")
        if failure or exchange.details == "wasm_fail_stream" or exchange.outcome != "complete":
            told = next((line.message for line in self.proxy.log if _FAILED.match(line.message)), "")
            what = (
                "leaves this request unanswered"
                if exchange.outcome != "complete"
                else "fails on this request"
            )
            raise ProxyError(
                f"{self.name} {what}, so its cost cannot be measured",
                where=(failure or told).partition("\n")[0] or f"on one of {self.count:,} exchanges in a loop",
                do=f"send it {request.method} {request.path} and look at the exchange; "
                "--vs compares builds that answer",
            )
        return exchange

    def calibrate(self, most: int) -> None:
        """Warm up, and find out how long an exchange takes, by about ``most`` of them or fewer."""
        count = 1
        while True:
            took = self._loops(count, timed=True)[1]
            if took > CALIBRATION_SECONDS or count >= most:
                self.exchange_seconds = max(took / count, 1e-9)
                return
            count *= 4

    def run(self, seconds: float, share: int | None, *, begin: bool) -> None:
        """Half of the time with clock reads, half of it without; or ``share`` exchanges each.

        It begins a round, or goes on with the last one.
        """
        count = max(1, round(seconds / 2 / self.exchange_seconds)) if share is None else share
        histogram, _ = self._loops(count, timed=True)
        if begin:
            self.timed.append(histogram)
        else:
            self.timed[-1] = Histogram.merged((self.timed[-1], histogram))
        self.done.append(histogram.count)
        _, seconds = self._loops(count, timed=False)
        self.rates.append(self.done[-1] / seconds if seconds else 0.0)

    def so_far(self) -> Side:
        """What was measured so far."""
        whole = sum(part.count for part in self.timed)
        return Side(tuple(self.timed), whole, median(self.rates))

    def side(self) -> Side:
        """What was measured, with the fuel of an exchange, which does not depend on time."""
        whole = sum(part.count for part in self.timed)
        counts: Counter[int] = Counter()
        for (_, share), status in zip(self.mix.shares, self.statuses, strict=True):
            counts[status] += sum(max(1, round(share * done)) for done in self.done)
        if len(self.mix.shares) == 1:
            counts = Counter({self.statuses[0]: whole})
        return Side(
            tuple(self.timed), whole, median(self.rates), 0, tuple(sorted(counts.items())), self._fuel()
        )

    def _loops(self, count: int, *, timed: bool) -> tuple[Histogram, float]:
        """Run so many exchanges, each request by its share: their times, and the seconds of all."""
        parts, seconds = [], 0.0
        for (request, share), answer in zip(self.mix.shares, self.answers, strict=True):
            loop = self._loop(request, answer, max(1, round(share * count)), timed=timed)
            parts.append(Histogram.from_counts(loop.buckets()))
            seconds += loop.seconds
        return Histogram.merged(parts), seconds

    def _loop(self, request: Request, answer: Response, count: int, *, timed: bool) -> Loop:
        loop = self.proxy.loop(request, count, timed=timed, upstream=answer)
        if not self.memory:
            self.memory.append((0, sum(loop.memory_before)))
        self.count += count
        self.memory.append((self.count, sum(loop.memory_after)))
        return loop

    def _fuel(self) -> float | None:
        """Instructions of an exchange: what more of them use in a loop, with time and randomness fixed."""
        options: dict[str, Any] = {"clock": FUEL_CLOCK, "seed": 0, "trace": False, "fuel": True}
        whole = 0.0
        with Proxy(self.proxy.plugins, self.answers[0], **options) as proxy:
            for (request, share), answer in zip(self.mix.shares, self.answers, strict=True):
                proxy.loop(request, 1, upstream=answer)
                one = proxy.loop(request, 1, upstream=answer).fuel
                more = proxy.loop(request, 1 + FUEL_EXCHANGES, upstream=answer).fuel
                if one is None or more is None:
                    return None
                whole += share * (more - one) / FUEL_EXCHANGES
        return whole
