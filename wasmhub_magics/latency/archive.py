"""Reports on disk: saved as data, read back, and compared across days."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from ..errors import RequestError
from .breakdown import CallbackCost
from .memory import Memory
from .report import LatencyReport
from .side import Side
from .units import duration, size

__all__ = ["History", "history", "read_report", "report_from_dict", "save_report"]

FOLDER = Path("latency")
"""Where reports go that are saved without a path: a folder beside the notebook."""


def save_report(report: LatencyReport, path: str | Path = "") -> Path:
    """Write a report and tell where: JSON, or by the path's ending ``.hgrm`` or ``.csv``.

    Without a path it goes to a folder ``latency``, under the filter's name and the time. Raises RequestError.
    """
    name = re.sub(r"[^\w.-]+", "_", report.name)
    target = Path(path) if path else FOLDER / f"{name}-{report.engine}-{report.taken:%Y%m%dT%H%M%S}.json"
    text = {".hgrm": _hgrm, ".csv": _csv}.get(target.suffix, _json)(report)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    except OSError as error:
        raise RequestError(f"the report cannot be written: {error.strerror}", where=str(target)) from None
    return target


def read_report(path: str | Path) -> LatencyReport:
    """The report in a JSON file. Raises RequestError where it is none."""
    try:
        data = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RequestError(f"the report cannot be read: {error}", where=str(path)) from None
    return report_from_dict(data, str(path))


def report_from_dict(data: Any, where: str = "the report") -> LatencyReport:
    """The report whose ``to_dict`` this is. Raises RequestError where it is none."""
    try:
        return LatencyReport(
            data["engine"],
            data["name"],
            data["digest"],
            data["request"],
            Side.from_dict(data["filter"]),
            None if data["baseline"] is None else Side.from_dict(data["baseline"]),
            rate=data["rate"],
            corrected=data["corrected"],
            seconds=data["seconds"],
            memory=Memory(tuple((int(n), int(count)) for n, count in data["memory"]["samples"])),
            callbacks=tuple(CallbackCost(**each) for each in data["callbacks"]),
            taken=datetime.fromisoformat(data["taken"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise RequestError(
            f"this is no latency report: {error!r}", where=where, do="save one by report.save()"
        ) from None


def _json(report: LatencyReport) -> str:
    return json.dumps(report.to_dict(), indent=1) + "\n"


def _hgrm(report: LatencyReport) -> str:
    return report.histogram.hgrm()


def _csv(report: LatencyReport) -> str:
    """A row for each bucket of each side: what spreadsheets draw."""
    target = io.StringIO()
    table = csv.writer(target, lineterminator="\n")
    table.writerow(["side", "nanoseconds", "count"])
    sides = [("filter", report.histogram)]
    if report.baseline is not None:
        sides.append(("baseline", report.baseline))
    table.writerows((name, value, count) for name, part in sides for value, count in part)
    return target.getvalue()


@dataclass(frozen=True)
class History:
    """Saved reports of one filter and engine, the oldest first."""

    reports: tuple[LatencyReport, ...]

    def __iter__(self) -> Iterator[LatencyReport]:
        return iter(self.reports)

    def __len__(self) -> int:
        return len(self.reports)

    def __str__(self) -> str:
        lines = [f"{'day':<18}{'build':<16}{'p50':>10}{'p99':>10}{'added':>10}{'fuel':>12}{'memory':>10}"]
        for report in self.reports:
            added = report.added(50)
            lines.append(
                f"{report.taken.astimezone():%Y-%m-%d %H:%M}  {report.digest[7:19]:<16}"
                f"{duration(report.p50):>10}{duration(report.p99):>10}"
                f"{'' if added is None else duration(added):>10}"
                f"{'' if report.fuel is None else f'{report.fuel:,.0f}':>12}"
                f"{size(report.memory.after) if report.memory.samples else '':>10}"
            )
        return "\n".join(lines)

    def __repr__(self) -> str:
        return str(self)


def history(name: str, folder: str | Path = FOLDER, *, engine: str = "embedded") -> History:
    """The reports of a filter that were saved in a folder; files there that are none are passed over."""
    found = []
    for path in sorted(Path(folder).glob("*.json")):
        try:
            report = read_report(path)
        except RequestError:
            continue
        if report.name == name and report.engine == engine:
            found.append(report)
    return History(tuple(sorted(found, key=lambda report: report.taken)))
