"""Runs cases through the embedded proxy and keeps those that reach code which none had reached before."""

from __future__ import annotations

import ctypes
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from types import TracebackType
from typing import Any, Self
from unittest.mock import patch

import numpy as np
import wasmtime

from wasmhub_magics.http import Response
from wasmhub_magics.module import Module
from wasmhub_magics.plugin import Limits, Plugin
from wasmhub_magics.proxy import Delay, Failure, Proxy, host
from wasmhub_magics.proxy.engine import owner

from .cases import REQUESTS, RESPONSES, Case, mutated, random_case
from .instrument import instrumented
from .liar import CELLS, DICTIONARY, PROGRAM, liar, memory_image

__all__ = ["Campaign", "Figures", "Finding"]

LIFE = 4000
"""Cases after which the proxy is made anew: what filters define and share stays for its life."""
QUICK = Limits(callback_seconds=0.03, exchange_seconds=0.3)
"""Programs that jump back to what they have done never end by themselves, where they may go on for ever."""
KINDS = 8
"""Of so many proxies one after the other two keep a trace, and one of these counts fuel and limits it."""
STEPS, PATIENT = 2000, 200
"""Steps of a program; one of so many has no end, and is stopped by the proxy."""
SLOW_SECONDS = 20.0
LOOKS = 200
"""Cases between two looks at the memory of the filter beside the lying one."""
WITNESS = """(module
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "malloc") (param i32) (result i32) (i32.const 0))
  (memory (export "memory") 1 1)
  (data (i32.const 0) "{}"))"""
PATTERN = bytes(number * 167 % 251 for number in range(1 << 16))
CLUSTERS = {
    "auth": Response(200, [("x-a", "1")], b"yes", trailers=[("x-t", "1")]),
    "slow": Delay(0.5, Response(503)),
    "down": Failure("broken"),
}


@dataclass(frozen=True)
class Finding:
    """A case that went wrong, and how."""

    kind: str
    case: Case
    what: str


@dataclass
class Figures:
    """What a campaign has done."""

    cases: int = 0
    traps: int = 0
    blocks: int = 0
    reached: int = 0
    corpus: int = 0
    seconds: float = 0.0
    slowest: float = 0.0
    findings: list[Finding] = field(default_factory=list)

    def __add__(self, other: Figures) -> Figures:
        """Both together; blocks were reached by one of them or the other, and the higher number is told."""
        return Figures(
            cases=self.cases + other.cases,
            traps=self.traps + other.traps,
            blocks=max(self.blocks, other.blocks),
            reached=max(self.reached, other.reached),
            corpus=self.corpus + other.corpus,
            seconds=self.seconds + other.seconds,
            slowest=max(self.slowest, other.slowest),
            findings=[*self.findings, *other.findings],
        )


class Campaign:
    """A search guided by the counters in the host's blocks; what it draws depends on the seed alone."""

    def __init__(self, seed: str, *, guided: bool = True) -> None:
        self.draw = random.Random(seed)
        self.figures = Figures()
        self.corpus: list[Case] = []
        self._guided = guided
        self._proxy: Proxy | None = None
        self._seen: Any = None
        self._lived = LIFE
        self._lives = 0
        self._patch = patch.object(host, "host_bytes", instrumented) if guided else None
        if self._patch is not None:
            self._patch.start()

    def run(self, cases: int) -> Iterator[Finding]:
        """Run so many cases; what goes wrong comes out, and the search goes on."""
        until = self.figures.cases + cases
        while self.figures.cases < until:
            batch = min(20, until - self.figures.cases)
            yield from owner.run(
                lambda many=batch: [f for _ in range(many) if (f := self._turn()) is not None]
            )

    def close(self) -> None:
        """End the proxy."""
        if self._proxy is not None:
            self._proxy.close()
            self._proxy = None
        if self._patch is not None:
            self._patch.stop()
            self._patch = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _turn(self) -> Finding | None:
        fresh = not self.corpus or self.draw.random() < 0.1
        case = (
            random_case(self.draw)
            if fresh
            else mutated(self.draw, self.draw.choice(self.corpus), self.corpus)
        )
        return self.play(case)

    def play(self, case: Case) -> Finding | None:
        """Run one case; what went wrong, if anything."""
        figures = self.figures
        figures.cases += 1
        started = time.thread_time()
        try:
            proxy = self._ready()
            self._place(proxy, case)
            started = time.thread_time()
            upstream: Any = RESPONSES[case.response]
            exchange = proxy.send(
                REQUESTS[case.request], upstream=(lambda _: upstream) if case.asks else upstream
            )
            for callback in exchange.trace:
                str(callback)
        except Exception as error:  # nothing that a filter does is a mistake of who sends a request
            self._lived = LIFE
            return self._found("crash", case, f"{type(error).__name__}: {error}")
        took = time.thread_time() - started
        figures.seconds += took
        figures.slowest = max(figures.slowest, took)
        if took > SLOW_SECONDS:
            return self._found("hang", case, f"it took {took:.0f} s")
        if any("failed: " in line.message for line in exchange.log if line.level == "error"):
            figures.traps += 1
            self._lived = LIFE  # the filter's machine is gone
        if figures.cases % LOOKS == 0 and not self._untouched():
            self._lived = LIFE
            return self._found("escape", case, "another filter's memory has changed")
        if self._guided and self._news():
            self.corpus.append(case)
            figures.corpus = len(self.corpus)
        return None

    def _found(self, kind: str, case: Case, what: str) -> Finding:
        finding = Finding(kind, case, what)
        self.figures.findings.append(finding)
        return finding

    def _ready(self) -> Proxy:
        if self._lived < LIFE and self._proxy is not None:
            self._lived += 1
            return self._proxy
        if self._proxy is not None:
            self._proxy.close()
        self._lives += 1
        kind = self._lives % KINDS
        limits = replace(QUICK, fuel=self.draw.randrange(20_000, 200_000)) if kind == 1 else QUICK
        plugin = Plugin(
            liar(), name="liar", configuration=b"c", vm_configuration=b"v", vm_id="liar", limits=limits
        )
        beside = Plugin(_witness(), name="witness", vm_id="witness")
        self._proxy = Proxy([plugin, beside], clusters=CLUSTERS, trace=kind < 2, seed=1, clock=1e9)
        worker = self._proxy._worker()
        if self._guided:
            begin, end = worker.host.call("coverage_begin"), worker.host.call("coverage_end")
            self._counters = (begin, end - begin)
            if self._seen is None:
                self._seen = np.zeros(end - begin, np.uint8)
                self.figures.blocks = end - begin
        self._lived = 0
        return self._proxy

    def _place(self, proxy: Proxy, case: Case) -> None:
        worker = proxy._worker()
        vm = next(iter(worker.chain._vms.values()))
        base = ctypes.addressof(vm.memory.data_ptr(worker.host.store).contents)
        program = case.program()
        image = memory_image(case.blob, program)
        ctypes.memmove(base + DICTIONARY, image, len(image))
        steps = STEPS if self.figures.cases % PATIENT else 0xFFFFFFFF
        cells = (ctypes.c_uint32 * 6).from_address(base + CELLS)
        cells[:] = (PROGRAM, PROGRAM + len(program), *case.allocator, 0, steps)
        if self._guided:
            begin, size = self._counters
            ctypes.memset(worker.host.address(begin), 0, size)

    def _untouched(self) -> bool:
        """Whether the filter beside the lying one has the memory that it was born with."""
        assert self._proxy is not None
        worker = self._proxy._worker()
        vm = list(worker.chain._vms.values())[1]
        return ctypes.string_at(vm.memory.data_ptr(worker.host.store), len(PATTERN)) == PATTERN

    def _news(self) -> bool:
        """Whether blocks ran that never had, or much more often than ever."""
        assert self._proxy is not None
        begin, size = self._counters
        raw = (ctypes.c_uint8 * size).from_address(self._proxy._worker().host.address(begin))
        counts = BUCKETS[np.frombuffer(raw, np.uint8)]
        fresh = counts & ~self._seen
        if not fresh.any():
            return False
        self._seen |= counts
        self.figures.reached = int(np.count_nonzero(self._seen))
        return True


@cache
def _witness() -> Module:
    data = "".join(f"\\{byte:02x}" for byte in PATTERN)
    return Module(bytes(wasmtime.wat2wasm(WITNESS.format(data))))


BUCKETS = np.zeros(256, np.uint8)
for bit, (low, high) in enumerate([(1, 1), (2, 2), (3, 3), (4, 7), (8, 15), (16, 31), (32, 127), (128, 255)]):
    BUCKETS[low : high + 1] = 1 << bit
