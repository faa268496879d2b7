"""What filters keep outside of streams: metrics, shared data, queues; and what happened beside streams."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from .cluster import CallOut
from .exchange import LogLine
from .protocol import Reader
from .trace import Trace

__all__ = ["Activity", "Histogram", "Metrics", "Pending", "State", "Timer", "read_state"]


SHOWN = 200
LEFT = "style='text-align:left'"
KINDS: tuple[Literal["HTTP call", "gRPC call", "gRPC stream"], ...] = (
    "HTTP call",
    "gRPC call",
    "gRPC stream",
)
NEVER = (1 << 64) - 1


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
class Timer:
    """The timer of a plugin: its period and when it next goes off, in seconds."""

    plugin: str
    period: float
    due: float


@dataclass(frozen=True, slots=True)
class Pending:
    """A call that waits: ``due`` is when its next answer comes, in seconds; None where none is on its way."""

    kind: Literal["HTTP call", "gRPC call", "gRPC stream"]
    cluster: str
    token: int
    due: float | None


@dataclass(frozen=True, slots=True)
class State:
    """Everything at one moment; shared data and queues by ``vm_id``, then by key or name."""

    metrics: Metrics
    shared_data: dict[str, dict[str, bytes]]
    queues: dict[str, dict[str, tuple[bytes, ...]]]
    timers: tuple[Timer, ...] = ()
    pending: tuple[Pending, ...] = ()

    def _tables(self) -> Iterator[tuple[str, list[tuple[str, ...]]]]:
        metrics = self.metrics
        rows: list[tuple[str, ...]] = []
        for kind, found in (("counter", metrics.counters), ("gauge", metrics.gauges)):
            rows += [(name, kind, f"{value:,}") for name, value in found.items()]
        rows += [
            (name, "histogram", f"{h.count:,} values, sum {h.sum:,}")
            for name, h in metrics.histograms.items()
        ]
        yield "metrics", rows
        yield (
            "shared data",
            [
                (vm_id, key, _shown(value))
                for vm_id, data in self.shared_data.items()
                for key, value in data.items()
            ],
        )
        yield (
            "queues",
            [
                (vm_id, name, ", ".join(map(_shown, found)) or "empty")
                for vm_id, each in self.queues.items()
                for name, found in each.items()
            ],
        )
        yield "timers", [(t.plugin, f"every {t.period:g} s", f"in {t.due:g} s") for t in self.timers]
        yield (
            "pending calls",
            [
                (
                    p.kind,
                    p.cluster,
                    str(p.token),
                    "no answer on its way" if p.due is None else f"in {p.due:g} s",
                )
                for p in self.pending
            ],
        )

    def __repr__(self) -> str:
        lines = []
        for title, rows in self._tables():
            lines.append(f"{title}:" if rows else f"{title}: none")
            lines += ["  " + "  ".join(row) for row in rows]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        parts = []
        for title, rows in self._tables():
            body = "".join(
                "<tr>"
                + "".join(f"<td style='text-align:left'>{html.escape(cell)}</td>" for cell in row)
                + "</tr>"
                for row in rows
            )
            parts.append(f"<b>{title}</b>" + (f"<table>{body}</table>" if rows else " <span>none</span><br>"))
        return f"<div>{''.join(parts)}</div>"


@dataclass(frozen=True, slots=True)
class Activity:
    """What filters did beside streams: lines they logged, calls they made, the trace of it."""

    log: tuple[LogLine, ...] = ()
    warnings: tuple[str, ...] = ()
    calls: tuple[CallOut, ...] = ()
    trace: Trace = field(default_factory=Trace, repr=False)


def _shown(value: bytes) -> str:
    text = value.decode("utf-8", "backslashreplace")
    return repr(text if len(text) <= SHOWN else text[:SHOWN] + "…")


def read_state(reader: Reader, plugins: Sequence[str]) -> State:
    """What the host put out by ``state``; timers know their plugins by number."""
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
    timers = []
    for _ in range(reader.u32()):
        number, period, due = reader.u32(), reader.u64(), reader.u64()
        timers.append(Timer(plugins[number], period / 1e9, due / 1e9))
    pending = []
    for _ in range(reader.u32()):
        waiting, cluster = KINDS[reader.u8()], _name(reader)
        reader.u32()
        reader.u32()
        token, due = reader.u32(), reader.u64()
        pending.append(Pending(waiting, cluster, token, None if due == NEVER else due / 1e9))
    return State(Metrics(counters, gauges, histograms), data, queues, tuple(timers), tuple(pending))


def _name(reader: Reader) -> str:
    return reader.text().decode("utf-8", "surrogateescape")
