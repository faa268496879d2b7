"""What users will feel: latency of the real Envoy under constant load, with the filter and without."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from ..envoy.server import EnvoyServer
from ..envoy.upstream import UpstreamServer
from ..errors import RequestError
from ..http import Request, Response
from ..plugin import HasPlugin, Plugin, as_plugin
from ..proxy.upstream import Upstream, echo
from .load import Sent, run_load
from .progress import Progress
from .report import LatencyReport, Side

__all__ = ["bench_envoy", "chain_of", "name_of", "serving"]

WARM_SECONDS = 0.3
"""Load before each round, unmeasured: a virtual machine that is new compiles its hot code first."""


def bench_envoy(
    plugins: HasPlugin | Iterable[HasPlugin],
    request: Request | None = None,
    *,
    upstream: Upstream = echo,
    rate: float = 500,
    seconds: float = 4,
    rounds: int = 8,
    connections: int | None = None,
    baseline: bool = True,
    progress: Callable[[Progress], None] | None = None,
    stop: Callable[[], bool] | None = None,
) -> LatencyReport:
    """Measure what the filters add to a request in the real Envoy, at a constant rate.

    One Envoy serves throughout; the filters are swapped in and out between ``rounds``, and each side gets
    ``seconds`` of load in all, ``rate`` requests a second over ``connections`` (by default one for each 50
    requests a second, at most 10). Latencies are corrected for coordinated omission. A fixed response and
    ``echo`` are answered inside Envoy; another function is a server in Python, whose time is in both sides.

    ``progress`` is told after each round how far it is, ``stop`` asked whether to end early.

    Levels depend on the machine and on what else runs on it; trust the difference. Raises EnvoyMissing,
    EnvoyRejected where Envoy refuses a filter, EnvoyError without h2load or where nothing is answered.
    """
    if rounds < 1 or not (rate > 0 and seconds > 0):
        raise RequestError(
            f"{rounds} rounds of {rate} requests a second for {seconds} seconds measure nothing",
            do="give rounds, rate and seconds above 0",
        )
    chain = chain_of(plugins)
    request = request or Request()
    order_of = (True, False) if baseline else (True,)
    seen: list[list[Sent]] = [[] for _ in order_of]
    cpu: list[list[float]] = [[] for _ in order_of]
    start = time.perf_counter()
    with serving(chain, upstream) as (server, sides):
        for turn in range(rounds):
            order = list(range(len(order_of)))
            for side in order if turn % 2 == 0 else reversed(order):  # so that a drift hits both alike
                server.swap(sides[order_of[side]])
                run_load(server.url, request, rate=rate, seconds=WARM_SECONDS, connections=connections)
                before = _cpu_ns(server.process.pid)
                sent = run_load(
                    server.url, request, rate=rate, seconds=seconds / rounds, connections=connections
                )
                seen[side].append(sent)
                cpu[side].append((_cpu_ns(server.process.pid) - before) / len(sent.replies))
            if progress is not None:
                rest = _side(seen[1], cpu[1], rate) if baseline else None
                done = (turn + 1) / rounds
                progress(Progress(done, name_of(chain), _side(seen[0], cpu[0], rate), rest))
            if stop is not None and stop():
                break
    return LatencyReport(
        "envoy",
        name_of(chain),
        chain[0].module.digest if chain else "",
        f"{request.method} {request.path}",
        _side(seen[0], cpu[0], rate),
        _side(seen[1], cpu[1], rate) if baseline else None,
        rate=rate,
        corrected=True,
        seconds=time.perf_counter() - start,
    )


def chain_of(plugins: HasPlugin | Iterable[HasPlugin]) -> list[Plugin]:
    """The plugins of one filter or of several."""
    return [as_plugin(each) for each in (plugins if isinstance(plugins, Iterable) else [plugins])]


def name_of(chain: list[Plugin]) -> str:
    """The name a report carries: those of its filters."""
    return " + ".join(plugin.name for plugin in chain) or "no filter"


@contextlib.contextmanager
def serving(
    chain: list[Plugin], upstream: Upstream
) -> Iterator[tuple[EnvoyServer, dict[bool, dict[int, Plugin | None]]]]:
    """An Envoy with room for a chain, and what to swap in: the chain (True), or nothing (False)."""
    sides: dict[bool, dict[int, Plugin | None]] = {
        True: dict(enumerate(chain)),
        False: dict.fromkeys(range(len(chain))),
    }
    with _server(len(chain), upstream) as server:
        yield server, sides


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


def _cpu_ns(pid: int) -> int:
    """Processor time that a process has used so far; 0 where the system is not Linux."""
    return sum(int(task.read_text().split()[0]) for task in Path(f"/proc/{pid}/task").glob("*/schedstat"))


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
