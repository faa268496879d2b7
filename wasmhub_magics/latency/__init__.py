"""What a filter costs: in the embedded proxy, and in the real Envoy under constant load."""

from __future__ import annotations

from .comparison import Comparison
from .embedded import bench
from .envoy import bench_envoy
from .histogram import Histogram
from .memory import Memory
from .report import LatencyReport, Side

__all__ = ["Comparison", "Histogram", "LatencyReport", "Memory", "Side", "bench", "bench_envoy"]
