"""What all benchmarks share: the form of an entry, the request, the filters."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from wasmhub_magics.http import Request

__all__ = ["HERE", "MILLION", "PYTHON", "ROOT", "VERSIONED", "C", "Entry", "simple_request"]

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
C, PYTHON = (HERE / "filters" / "probe.c").read_text(), (HERE / "filters" / "probe.py").read_text()
VERSIONED = """
def on_response_headers(ctx):
    ctx.response.headers["x-version"] = "{version}"
"""
MILLION = 1_000_000


@dataclass(frozen=True)
class Entry:
    """One line of the table."""

    value: float
    unit: str
    sides: dict[str, float] = field(default_factory=dict)
    note: str = ""


def simple_request() -> Request:
    """A request that reaches a filter with 20 headers; the proxy itself adds six of them."""
    return Request(
        "GET", "/api/v1/items", [(f"x-h{n}", f"value-{n}") for n in range(14)], authority="example.com"
    )
