"""What users will feel: latency of the real Envoy under constant load, with the filter and without."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from ..envoy.server import EnvoyServer
from ..envoy.upstream import UpstreamServer
from ..errors import RequestError
from ..http import Request, Response
from ..plugin import HasPlugin, Plugin
from ..proxy.upstream import Upstream, echo
from .chain import chain_of, digest_of, name_of
from .load import Sent, run_mix
from .mix import Mix
from .progress import Progress
from .report import LatencyReport
from .side import Side

__all__ = ["bench_envoy", "measure_envoy", "serving"]

WARM_SECONDS = 0.3
"""Load before each round, unmeasured: a virtual machine that is new compiles its hot code first."""


def bench_envoy(
    plugins: HasPlugin | Iterable[HasPlugin], request: Request | None = None, **options: Any
) -> LatencyReport:
    """Measure what the filters add to a request in the real Envoy, at a constant rate.

    The options, and what is raised, are those of ``measure_envoy``.
    """
    return measure_envoy([chain_of(plugins)], request, **options)[0]


def measure_envoy(
    chains: Sequence[list[Plugin]],
    request: Request | None = None,
    *,
    upstream: Upstream = echo,
    rate: float = 500,
    seconds: float = 4,
    rounds: int = 8,
    connections: int | None = None,
    baseline: bool = True,
    mix: Iterable[tuple[Request, float]] = (),
    progress: Callable[[Progress], None] | None = None,
    stop: Callable[[], bool] | None = None,
) -> tuple[LatencyReport, ...]:
    """Measure chains of filters beside each other in the real Envoy; a report of each.

    One Envoy serves throughout; the chains and, as ``baseline``, none are swapped in and out between
    ``rounds``. Each gets ``seconds`` of load in all, ``rate`` requests a second over ``connections`` (by
    default one for each 50 requests a second, at most 10). Latencies are corrected for coordinated omission.
    A fixed response and ``echo`` are answered inside Envoy; another function is a server in Python, whose
    time is in all sides.

    ``mix`` are requests with weights that are sent at the same time, each at its share of the rate, in place
    of one ``request``. ``progress`` is told after each round how far it is, ``stop`` asked whether to end
    early.

    Levels depend on the machine and on what else runs on it; trust the difference. Raises EnvoyMissing,
    EnvoyRejected where Envoy refuses a filter, EnvoyError without h2load or where nothing is answered.
    """
    if rounds < 1 or not (rate > 0 and seconds > 0):
        raise RequestError(
            f"{rounds} rounds of {rate} requests a second for {seconds} seconds measure nothing",
            do="give rounds, rate and seconds above 0",
        )
    chosen = Mix.of(request, mix)
    builds = [(name_of(chain), digest_of(chain)) for chain in chains]
    sides = [*chains, []] if baseline else list(chains)
    seen: list[list[Sent]] = [[] for _ in sides]
    cpu: list[list[float]] = [[] for _ in sides]
    start = time.perf_counter()
    with serving(sides, upstream) as (server, swaps):
        for turn in range(rounds):
            order = range(len(sides))
            for side in order if turn % 2 == 0 else reversed(order):  # so that a drift hits all alike
                server.swap(swaps[side])
                run_mix(server.url, chosen, rate=rate, seconds=WARM_SECONDS, connections=connections)
                before = server.process.cpu_ns
                sent = run_mix(
                    server.url, chosen, rate=rate, seconds=seconds / rounds, connections=connections
                )
                seen[side].append(sent)
                cpu[side].append((server.process.cpu_ns - before) / len(sent.replies))
            measured = [_side(seen[side], cpu[side], rate) for side in order]
            if progress is not None:
                progress(Progress.of((turn + 1) / rounds, builds, measured))
            if stop is not None and stop():
                break
    return tuple(
        LatencyReport(
            "envoy",
            name,
            digest,
            str(chosen),
            measured[place],
            measured[-1] if baseline else None,
            rate=rate,
            corrected=True,
            seconds=time.perf_counter() - start,
        )
        for place, (name, digest) in enumerate(builds)
    )


@contextlib.contextmanager
def serving(
    chains: Sequence[list[Plugin]], upstream: Upstream
) -> Iterator[tuple[EnvoyServer, list[dict[int, Plugin | None]]]]:
    """An Envoy with room for the longest chain, and for each chain what to swap in."""
    slots = max(map(len, chains))
    swaps: list[dict[int, Plugin | None]] = [
        {**dict.fromkeys(range(slots)), **dict(enumerate(chain))} for chain in chains
    ]
    with _server(slots, upstream) as server:
        yield server, swaps


@contextlib.contextmanager
def _server(slots: int, upstream: Upstream) -> Iterator[EnvoyServer]:
    with contextlib.ExitStack() as stack:
        where: tuple[str, int] | Response | None = None
        if isinstance(upstream, Response):
            where = upstream
        elif upstream is not echo:
            other = stack.enter_context(contextlib.closing(UpstreamServer(upstream)))
            where = ("127.0.0.1", other.port)
        yield stack.enter_context(contextlib.closing(EnvoyServer((), where, slots=slots)))


def _side(rounds: list[Sent], cpu: list[float], rate: float) -> Side:
    statuses: Counter[int] = Counter()
    for sent in rounds:
        statuses.update(dict(sent.statuses))
    return Side(
        tuple(sent.histogram for sent in rounds),
        sum(statuses.values()),
        rate,
        sum(sent.failed for sent in rounds),
        tuple(sorted(statuses.items())),
        cpu=tuple(cpu) if all(cpu) else (),
    )
