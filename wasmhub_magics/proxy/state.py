"""What filters keep outside of streams: metrics, shared data, queues; and what happened beside streams."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from .cluster import CallOut
from .exchange import LogLine
from .protocol import Reader
from .trace import Trace

__all__ = ["Activity", "Histogram", "Metrics", "State", "read_state"]


@dataclass(frozen=True, slots=True)
class Histogram:
    """What a histogram got: how many values, their sum, and the newest values in order, at most 1,024."""

    count: int
    sum: int
    values: tuple[int, ...] = ()


class Metrics(Mapping[str, "int | Histogram"]):
    """The metrics of a proxy by name: the number of a counter or gauge, the Histogram of a histogram.

    ``counters``, ``gauges`` and ``histograms`` hold one kind each; a name that is used for several kinds
    stands here for the first of them in this order.
    """

    def __init__(
        self,
        counters: Mapping[str, int],
        gauges: Mapping[str, int],
        histograms: Mapping[str, Histogram],
    ) -> None:
        self.counters, self.gauges, self.histograms = dict(counters), dict(gauges), dict(histograms)
        self._all: dict[str, int | Histogram] = {**self.histograms, **self.gauges, **self.counters}

    def __getitem__(self, name: str) -> int | Histogram:
        return self._all[name]

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._all))

    def __len__(self) -> int:
        return len(self._all)

    def __repr__(self) -> str:
        return f"<Metrics {dict(self)!r}>"


@dataclass(frozen=True, slots=True)
class State:
    """Everything at one moment; shared data and queues by ``vm_id``, then by key or name."""

    metrics: Metrics
    shared_data: dict[str, dict[str, bytes]]
    queues: dict[str, dict[str, tuple[bytes, ...]]]


@dataclass(frozen=True, slots=True)
class Activity:
    """What filters did beside streams: lines they logged, calls they made, the trace of it."""

    log: tuple[LogLine, ...] = ()
    warnings: tuple[str, ...] = ()
    calls: tuple[CallOut, ...] = ()
    trace: Trace = field(default_factory=Trace, repr=False)


def read_state(reader: Reader) -> State:
    """What the host put out by ``state``."""
    counters: dict[str, int] = {}
    gauges: dict[str, int] = {}
    histograms: dict[str, Histogram] = {}
    for _ in range(reader.u32()):
        kind, name, value, count = reader.u8(), _name(reader), reader.u64(), reader.u64()
        samples = tuple(reader.u64() for _ in range(reader.u32()))
        if kind == 2:
            histograms[name] = Histogram(count, value, samples)
        else:
            (gauges if kind else counters)[name] = value
    data: dict[str, dict[str, bytes]] = {}
    for _ in range(reader.u32()):
        vm_id, key, content, _cas = _name(reader), _name(reader), reader.text(), reader.u32()
        data.setdefault(vm_id, {})[key] = content
    queues: dict[str, dict[str, tuple[bytes, ...]]] = {}
    for _ in range(reader.u32()):
        vm_id, key = _name(reader), _name(reader)
        queues.setdefault(vm_id, {})[key] = tuple(reader.texts())
    return State(Metrics(counters, gauges, histograms), data, queues)


def _name(reader: Reader) -> str:
    return reader.text().decode("utf-8", "surrogateescape")
