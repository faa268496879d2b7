"""What a further virtual machine with an interpreter in it costs: time to start, and memory."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from entries import PYTHON, Entry

from wasmhub_magics.filter import build
from wasmhub_magics.plugin import Plugin
from wasmhub_magics.proxy import Proxy

__all__ = ["STARTS"]

JAVASCRIPT = """
function onRequestHeaders(ctx) { ctx.request.headers.set("x-probe", "1"); }
function onResponseHeaders(ctx) { ctx.response.headers.set("x-probe", "1"); }
"""
MORE, ROUNDS = 20, 5


def python_start() -> Entry:
    """A further virtual machine of a Python filter."""
    return start(build(PYTHON, "python", "probe").plugin)


def javascript_start() -> Entry:
    """The same of a JavaScript filter."""
    return start(build(JAVASCRIPT, "javascript", "probe").plugin)


def start(plugin: Plugin) -> Entry:
    """Processor time from an instance of compiled code to the end of the configuration, many less one."""
    machines(plugin, 1)
    one, many = (min(machines(plugin, count)[0] for _ in range(ROUNDS)) for count in (1, 1 + MORE))
    memory = machines(plugin, 1)[1]
    sides = {"start_ms": (many - one) / MORE * 1000, "memory_bytes": float(memory)}
    return Entry(
        sides["start_ms"], "ms", sides, f"{memory / 1024:,.0f} KB of memory before the first request"
    )


def machines(plugin: Plugin, count: int) -> tuple[float, int]:
    """Seconds of processor time that a proxy with so many machines takes to start, and the bytes of one."""
    before = time.process_time()
    with Proxy([replace(plugin, name=f"p{n}", vm_id=f"v{n}") for n in range(count)], trace=False) as proxy:
        return time.process_time() - before, proxy.memory[0]


STARTS: dict[str, Callable[[], Entry]] = {"start.python": python_start, "start.javascript": javascript_start}
