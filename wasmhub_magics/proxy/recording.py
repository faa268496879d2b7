"""Reads the events that the host has recorded: callbacks, and the host calls in them."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ..abi import CALLBACKS, HOST_FUNCTIONS, WASI_MODULES
from .changes import Snapshot, changed
from .protocol import Reader
from .trace import Callback, HostCall, Trace

__all__ = ["callbacks"]

_CALLBACK = struct.Struct("<BIIB")
_RETURN = struct.Struct("<BIQ")
_HOST = struct.Struct("<BB")
_DATA = struct.Struct("<II")
_RESULT = struct.Struct("<IQ")
_SNAPSHOT = struct.Struct("<BBII")


@dataclass(slots=True)
class _Open:
    """A callback or host call that has not returned yet."""

    name: str
    numbers: dict[str, int]
    start: int
    plugin: str = ""
    context: int = 0
    calls: list[HostCall] = field(default_factory=list)
    taken: list[bytes] = field(default_factory=list)
    given: list[bytes] = field(default_factory=list)
    snapshots: list[tuple[int, int, Snapshot]] = field(default_factory=list)

    def call(self, result: int | None, end: int, zero: int) -> HostCall:
        taken, given = tuple(self.taken), tuple(self.given)
        return HostCall(self.name, self.numbers, taken, given, result, self.start - zero, end - self.start)

    def callback(self, kind: int, value: int, end: int, zero: int) -> Callback:
        result = value if kind == 1 else None
        where = (self.name, self.plugin, self.context, self.numbers)
        times = (self.start - zero, end - self.start)
        return Callback(*where, result, kind == 2, tuple(self.calls), *times, changed(self.snapshots))


def callbacks(trace: Trace) -> Iterator[Callback]:
    """Read the events; ``src/trace.zig`` describes them."""
    raw, at, zero, last = trace.raw, 0, -1, 0
    opened: list[_Open] = []
    calls: list[_Open] = []
    outside: list[int] = []  # calls that were open when a callback began: it runs inside of them

    def end(result: int | None, now: int) -> None:
        call = calls.pop()
        if opened:
            opened[-1].calls.append(call.call(result, now, zero))

    while at < len(raw):
        tag = raw[at]
        at += 1
        if tag == 1:
            number, plugin, context, count = _CALLBACK.unpack_from(raw, at)
            at += _CALLBACK.size
            values = struct.unpack_from(f"<{count}IQ", raw, at)
            at += 4 * count + 8
            last = values[count]
            zero = last if zero < 0 else zero
            name = trace.names[0][number]
            numbers = _named(_CALLBACK_PARAMS.get(name, ())[1:], values[:count])
            title = trace.plugins[plugin] if plugin < len(trace.plugins) else "VM"
            opened.append(_Open(name, numbers, last, title, context))
            outside.append(len(calls))
        elif tag == 2:
            kind, value, last = _RETURN.unpack_from(raw, at)
            at += _RETURN.size
            while len(calls) > outside[-1]:
                end(None, last)
            outside.pop()
            yield opened.pop().callback(kind, value, last, zero)
        elif tag == 3:
            number, count = _HOST.unpack_from(raw, at)
            at += _HOST.size
            values = struct.unpack_from(f"<{count}QQ", raw, at)
            at += 8 * count + 8
            last = values[count]
            names = trace.names[1]
            name = names[number] if number < len(names) else "wasi_proc_exit"
            params, title = _HOST_PARAMS.get(name, ((), name))
            calls.append(_Open(title, _named(params, values[:count]), last))
        elif tag in (4, 5):
            _, kept = _DATA.unpack_from(raw, at)
            at += _DATA.size
            data = raw[at : at + kept]
            at += kept
            if calls:
                (calls[-1].taken if tag == 4 else calls[-1].given).append(data)
        elif tag == 7:
            part, moment, size, kept = _SNAPSHOT.unpack_from(raw, at)
            at += _SNAPSHOT.size
            data = raw[at : at + kept]
            at += kept
            if opened:
                opened[-1].snapshots.append((part, moment, _snapshot(part, data, size)))
        else:
            result, last = _RESULT.unpack_from(raw, at)
            at += _RESULT.size
            if calls:
                end(result, last)
    # Where events were dropped, what was open then never returned as far as the trace knows.
    while calls:
        end(None, last)
    while opened:
        yield opened.pop().callback(0, 0, last, zero)


def _snapshot(part: int, data: bytes, size: int) -> Snapshot:
    if part > 3:
        return Snapshot(body=data, size=size)
    pairs = Reader(data).pairs()
    return Snapshot(
        tuple((name.decode("utf-8", "replace"), value.decode("utf-8", "replace")) for name, value in pairs)
    )


def _named(params: tuple[str, ...], values: tuple[int, ...]) -> dict[str, int]:
    names = (*params, *(f"argument_{index}" for index in range(len(params), len(values))))
    return dict(zip(names, values, strict=False))


_CALLBACK_PARAMS: dict[str, tuple[str, ...]] = {callback.name: callback.params for callback in CALLBACKS}
_HOST_PARAMS: dict[str, Any] = {
    (f"wasi_{function.name}" if function.module in WASI_MODULES else function.name): (
        function.params,
        function.name,
    )
    for function in HOST_FUNCTIONS.values()
}
