"""What a filter costs: in the embedded proxy, and in the real Envoy under constant load."""

from __future__ import annotations

from .archive import History, history, read_report, save_report
from .beside import bench_beside
from .breakdown import CallbackCost
from .comparison import Comparison
from .embedded import bench, measure
from .envoy import bench_envoy, measure_envoy
from .guard import Guard
from .histogram import Histogram
from .memory import Memory
from .progress import Progress
from .report import LatencyReport
from .side import Side
from .sweep import Point, Sweep, sweep

__all__ = [
    "CallbackCost",
    "Comparison",
    "Guard",
    "Histogram",
    "History",
    "LatencyReport",
    "Memory",
    "Point",
    "Progress",
    "Side",
    "Sweep",
    "bench",
    "bench_beside",
    "bench_envoy",
    "history",
    "measure",
    "measure_envoy",
    "read_report",
    "save_report",
    "sweep",
]
