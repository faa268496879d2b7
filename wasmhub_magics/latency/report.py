"""What a filter costs: the result of a measurement, with the same run without the filter beside it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING, Any, Literal

from .breakdown import CallbackCost, table_of_callbacks
from .histogram import Histogram
from .memory import Memory
from .show import PERCENTILES, bundle, named, table
from .side import Side
from .units import duration, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from pandas import DataFrame

    from .axis import Line
    from .comparison import Comparison
    from .panels import Panels

__all__ = ["LatencyReport"]


@dataclass(frozen=True)
class LatencyReport:
    """What a filter costs: latencies with it and without it (the baseline), in alternating rounds of one run.

    ``engine`` says which question is answered: ``embedded`` is the cost of the code (nanoseconds inside the
    embedded proxy), ``envoy`` what a client of real Envoy feels at a constant ``rate`` of requests a second.
    ``corrected`` tells that the latencies include those that a late response hid (coordinated omission).
    ``seconds`` is the wall time of the run, ``taken`` when it was. ``callbacks`` tell where the time of an
    exchange goes, callback by callback; empty for Envoy, which does not tell.
    """

    engine: Literal["embedded", "envoy"]
    name: str
    digest: str
    request: str
    filtered: Side
    unfiltered: Side | None = None
    rate: float | None = None
    corrected: bool = False
    seconds: float = 0.0
    memory: Memory = field(default_factory=Memory)
    callbacks: tuple[CallbackCost, ...] = ()
    taken: datetime = field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0), compare=False)

    @property
    def histogram(self) -> Histogram:
        """Latencies with the filter."""
        return self.filtered.histogram

    @property
    def baseline(self) -> Histogram | None:
        """Latencies without the filter; None where they were not measured."""
        return None if self.unfiltered is None else self.unfiltered.histogram

    @property
    def exchanges(self) -> int:
        """How many requests went through the filter."""
        return self.filtered.exchanges

    @property
    def per_second(self) -> float:
        """Exchanges a second with the filter."""
        return self.filtered.per_second

    @property
    def errors(self) -> int:
        """How many requests failed, with and without the filter: no answer, or a 5xx."""
        return self.filtered.errors + (self.unfiltered.errors if self.unfiltered else 0)

    @property
    def fuel(self) -> float | None:
        """Wasm instructions of one exchange with the filter; None where nobody counted."""
        return self.filtered.fuel

    @property
    def added_fuel(self) -> float | None:
        """Wasm instructions that the filter adds to an exchange; None where a side was not counted."""
        if self.unfiltered is None or self.unfiltered.fuel is None or self.filtered.fuel is None:
            return None
        return self.filtered.fuel - self.unfiltered.fuel

    @property
    def added_cpu(self) -> float | None:
        """Processor time in nanoseconds that the filter adds to a request in Envoy: the median of the rounds.

        Other programs on the machine disturb it far less than latencies. None where it is not known.
        """
        if self.unfiltered is None or not self.filtered.cpu or not self.unfiltered.cpu:
            return None
        pairs = zip(self.filtered.cpu, self.unfiltered.cpu, strict=False)
        return float(median(a - b for a, b in pairs))

    def percentile(self, percent: float) -> float:
        """Latency with the filter in nanoseconds: the median over the rounds of this percentile."""
        return self.filtered.percentile(percent)

    @property
    def p50(self) -> float:
        """The median in nanoseconds."""
        return self.percentile(50)

    @property
    def p90(self) -> float:
        """What 90 % do not exceed, in nanoseconds."""
        return self.percentile(90)

    @property
    def p99(self) -> float:
        """What 99 % do not exceed, in nanoseconds."""
        return self.percentile(99)

    @property
    def p999(self) -> float:
        """What 99.9 % do not exceed, in nanoseconds."""
        return self.percentile(99.9)

    @property
    def max(self) -> float:
        """The highest latency in nanoseconds."""
        return self.percentile(100)

    def added(self, percent: float = 50) -> float | None:
        """What the filter adds at a percentile, in nanoseconds; None without baseline.

        It is the median of the rounds' differences between the time with the filter and without, and can come
        out below 0 where the difference drowns in noise; ``added_range`` tells how far it spreads.
        """
        if self.unfiltered is None or not self.unfiltered.histogram.count:
            return None
        return self.filtered.added(self.unfiltered, percent)

    def added_range(self, percent: float = 50) -> tuple[float, float] | None:
        """Between which values the middle half of the rounds' differences lies; None below four rounds."""
        if self.unfiltered is None:
            return None
        found = self.filtered.differences(self.unfiltered, percent)
        if len(found) < 4:
            return None
        low, _, high = quantiles(found, n=4, method="inclusive")
        return low, high

    @property
    def panels(self) -> Panels:
        """Histogram, callbacks and memory, drawn."""
        from .panels import Panels

        return Panels(self)

    def compare(self, *others: LatencyReport) -> Comparison:
        """This report beside others: build beside build, or filter beside filter."""
        from .comparison import Comparison

        return Comparison((self, *others))

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON values: durations in nanoseconds, histograms in HdrHistogram's own form."""
        added = {named(p): self.added(p) for p in (*PERCENTILES, 100.0)}
        return {
            "engine": self.engine,
            "name": self.name,
            "digest": self.digest,
            "request": self.request,
            "rate": self.rate,
            "corrected": self.corrected,
            "seconds": self.seconds,
            "taken": self.taken.isoformat(),
            "callbacks": [asdict(cost) for cost in self.callbacks],
            "filter": self.filtered.to_dict(),
            "baseline": None if self.unfiltered is None else self.unfiltered.to_dict(),
            "added_ns": None if self.added(50) is None else added,
            "memory": {
                "samples": [list(sample) for sample in self.memory.samples],
                "slope_bytes": self.memory.slope,
                "verdict": self.memory.verdict,
            },
        }

    def save(self, path: str | Path = "") -> Path:
        """Write the report: JSON, ``.csv`` or ``.hgrm`` by the path's ending; see ``latency.save_report``."""
        from .archive import save_report

        return save_report(self, path)

    def to_frame(self) -> DataFrame:
        """A pandas table: a row for each percentile, ``filter``, ``baseline`` and ``added`` in nanoseconds.

        Raises ImportError without pandas (``pip install "wasmhub-magics[plot]"``).
        """
        import pandas as pd

        percents = [*PERCENTILES, 100.0]
        columns: dict[str, list[float | None]] = {"filter": [self.percentile(p) for p in percents]}
        if self.unfiltered is not None:
            columns["baseline"] = [self.unfiltered.percentile(p) for p in percents]
            columns["added"] = [self.added(p) for p in percents]
        return pd.DataFrame(columns, index=pd.Index([named(p) for p in percents], name="percentile"))

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the chart with matplotlib, into ``ax`` or a new figure. Raises ImportError without it."""
        from .chart import draw

        return draw(self._lines, self._title, ax)

    @property
    def _title(self) -> str:
        return f"{self.name}: {_WHAT[self.engine]}"

    @property
    def _lines(self) -> list[Line]:
        from .axis import Line

        lines = [Line(self.name, self.filtered)]
        if self.unfiltered is not None:
            lines.append(Line("without filter", self.unfiltered, baseline=True))
        return lines

    @property
    def _notes(self) -> list[str]:
        notes = [f"{self.request}, {self.exchanges:,} exchanges"]
        if self.rate is not None:
            notes.append(f"{self.rate:g} requests a second, {_times(len(self.filtered.rounds), 'round')}")
        if self.corrected:
            notes.append("corrected for coordinated omission")
        return notes

    def __str__(self) -> str:
        sides = [("filter", self.filtered)]
        if self.unfiltered is not None:
            sides.append(("baseline", self.unfiltered))
        percents = (*PERCENTILES, 100.0)
        rows = [(label, [side.told(p) for p in percents]) for label, side in sides]
        if self.added(50) is not None:
            known = [all(side.told(p) is not None for _, side in sides) for p in percents]
            told = zip(percents, known, strict=True)
            rows.append(("added", [self.added(p) if there else None for p, there in told]))
        lines = [f"{self._title} ({self.digest[:19]})", "; ".join(self._notes)]
        lines += table(rows) if self.histogram.count else ["no exchange was measured"]
        return "\n".join([*lines, *self._facts()])

    def _costs(self) -> Iterable[str]:
        base = self.unfiltered
        spread = self.added_range()
        if spread is not None:
            between = f"between {duration(spread[0])} and {duration(spread[1])}"
            yield f"added      {between} at p50 in the middle half of {len(self.filtered.rounds)} rounds"
        if self.filtered.cpu:
            each, plus = median(self.filtered.cpu), self.added_cpu
            beside = "" if plus is None else f", {duration(plus)} of it added by the filter"
            yield f"processor  {duration(each)} of Envoy a request{beside}"
        if self.engine == "embedded" and self.per_second:
            beside = f", {short(base.per_second)} without the filter" if base else ""
            yield f"throughput {short(self.per_second)} exchanges a second{beside}"
        if self.fuel is not None:
            added = "" if self.added_fuel is None else f", {self.added_fuel:,.6g} of it added by the filter"
            yield f"fuel       {self.fuel:,.6g} instructions an exchange{added}"
        if self.memory.samples:
            yield f"memory     {self.memory}"

    def _facts(self) -> Iterable[str]:
        base = self.unfiltered
        yield from self._costs()
        if self.callbacks:
            yield from table_of_callbacks(self.callbacks)
        if self.errors:
            beside = f", {base.errors:,} of {base.exchanges:,} without it" if base else ""
            failed = f"{self.filtered.errors:,} of {self.exchanges:,} requests with the filter"
            yield f"FAILED     {failed}{beside}"
        odd = [(status, count) for status, count in self.filtered.statuses if not 200 <= status < 300]
        if odd:
            listed = ", ".join(f"{'no answer' if s < 0 else s}: {count:,}" for s, count in odd)
            yield f"statuses   {listed}"

    def __repr__(self) -> str:
        added = self.added(50)
        plus = "" if added is None else f", adds {duration(added)}"
        return f"<LatencyReport {self.name} ({self.engine}): p50 {duration(self.p50)}{plus}>"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:  # noqa: ARG002
        return bundle(str(self), self._title, self._notes, self._lines, self._costs())


_WHAT = {"embedded": "cost in the embedded proxy", "envoy": "latency in real Envoy"}


def _times(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
