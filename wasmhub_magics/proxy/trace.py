"""The trace of an exchange: every callback and host call, in order."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeAlias

from ..abi import CALLBACKS, HOST_FUNCTIONS, WASI_MODULES
from .changes import Change, Snapshot, changed

__all__ = ["Callback", "Change", "HostCall", "Trace"]

STATUSES = (
    "Ok",
    "NotFound",
    "BadArgument",
    "SerializationFailure",
    "ParseFailure",
    "BadExpression",
    "InvalidMemoryAccess",
    "Empty",
    "CasMismatch",
    "ResultMismatch",
    "InternalFailure",
    "BrokenConnection",
    "Unimplemented",
)
MAPS = (
    "request headers",
    "request trailers",
    "response headers",
    "response trailers",
    "gRPC initial metadata",
    "gRPC trailing metadata",
    "call headers",
    "call trailers",
)
BUFFERS = (
    "request body",
    "response body",
    "downstream data",
    "upstream data",
    "call body",
    "gRPC message",
    "VM configuration",
    "plugin configuration",
    "call data",
)
LEVELS = ("trace", "debug", "info", "warn", "error", "critical")
STREAMS = ("request", "response", "downstream", "upstream")
ACTIONS = {
    "headers": ("Continue", "Pause", "ContinueAndEndStream", "StopAllAndBuffer", "StopAllAndWatermark"),
    "body": ("Continue", "PauseAndBuffer", "PauseAndWatermark", "PauseNoBuffer"),
    "trailers": ("Continue", "Pause"),
}
SHOWN = 60

_CALLBACK = struct.Struct("<BIIB")
_RETURN = struct.Struct("<BIQ")
_HOST = struct.Struct("<BB")
_DATA = struct.Struct("<II")
_RESULT = struct.Struct("<IQ")
_SNAPSHOT = struct.Struct("<BBII")


PAIRS = ("pairs_ptr", "headers_ptr", "trailers_ptr", "metadata_ptr")
"""Arguments that are headers: how many, the sizes of all names and values, then these, each with a NUL."""


@dataclass(frozen=True, slots=True)
class HostCall:
    """A call of the filter into the proxy.

    ``arguments`` are the raw numbers by parameter name; ``taken`` are the texts that the proxy took from the
    filter (keys, values, messages), ``given`` those it gave back, each cut at 4096 bytes. ``result`` is a
    WasmResult, or an errno for WASI. ``start_ns`` counts from the first event of the trace.
    """

    name: str
    arguments: dict[str, int]
    taken: tuple[bytes, ...]
    given: tuple[bytes, ...]
    result: int | None
    start_ns: int
    ns: int

    @property
    def status(self) -> str:
        """The result in words."""
        if self.result is None:
            return "did not return"
        if not self.name.startswith(("proxy_", "envoy_")):
            return "success" if self.result == 0 else f"errno {self.result}"
        return STATUSES[self.result] if self.result < len(STATUSES) else str(self.result)

    @property
    def log_line(self) -> str:
        """The line that it wrote into the log, as ``[info] text``; empty for other calls."""
        if self.name == "proxy_log" and self.status == "Ok":
            level = _argument("level", self.arguments["level"])
        elif self.name == "fd_write" and self.result == 0:
            level = "info" if self.arguments["fd"] == 1 else "error"
        else:
            return ""
        return f"[{level}] {b''.join(self.taken).decode('utf-8', 'backslashreplace').rstrip(chr(10))}"

    def __str__(self) -> str:
        texts = iter(self.taken)
        parts = []
        for name, value in self.arguments.items():
            if name.endswith("_ptr") and not name.startswith("ret_"):
                text = next(texts, b"")
                parts.append(f"{name[:-4]}={_pairs(text) if name in PAIRS else _shown(text)}")
            elif not name.startswith("ret_") and not name.endswith("_len"):
                parts.append(f"{name}={_argument(name, value)}")
        show = _pairs if self.name == "proxy_get_header_map_pairs" else _shown
        gave = "".join(f" {show(given)}" for given in self.given)
        return f"{self.name}({', '.join(parts)}) -> {self.status}{gave}"


@dataclass(frozen=True, slots=True)
class Callback:
    """A call of the proxy into the filter, with the host calls it made.

    ``result`` is what it returned; None where it returns nothing or ``trapped``. ``changes`` are the parts of
    the message that are not what they were before it.
    """

    name: str
    plugin: str
    context: int
    arguments: dict[str, int]
    result: int | None
    trapped: bool
    calls: tuple[HostCall, ...]
    start_ns: int
    ns: int
    changes: tuple[Change, ...] = ()

    @property
    def outcome(self) -> str:
        """What came of it in words: an action, ``trapped``, or nothing."""
        if self.trapped:
            return "trapped"
        if self.result is None:
            return ""
        kind = self.name.rpartition("_")[2]
        words = ACTIONS.get(kind, ()) if self.name.startswith(("proxy_on_re",)) else ()
        return words[self.result] if self.result < len(words) else str(self.result)

    def __str__(self) -> str:
        shown = ", ".join(f"{name}={value}" for name, value in self.arguments.items())
        outcome = f" -> {self.outcome}" if self.outcome else ""
        return f"{self.plugin} #{self.context} {self.name}({shown}){outcome}"


Event: TypeAlias = "Callback | HostCall"


@dataclass(frozen=True)
class Trace:
    """Every callback and host call of one exchange, in order; iterating gives the callbacks.

    It is decoded when somebody looks. ``dropped`` counts events beyond the first 8 MiB.
    """

    raw: bytes = field(default=b"", repr=False)
    plugins: tuple[str, ...] = ()
    names: tuple[tuple[str, ...], tuple[str, ...]] = field(default=((), ()), repr=False)
    dropped: int = 0

    @cached_property
    def callbacks(self) -> tuple[Callback, ...]:
        """The callbacks, each with its host calls."""
        return tuple(_decode(self))

    @property
    def host_calls(self) -> tuple[HostCall, ...]:
        """All host calls, in order."""
        return tuple(call for callback in self.callbacks for call in callback.calls)

    def __iter__(self) -> Iterator[Callback]:
        return iter(self.callbacks)

    def __len__(self) -> int:
        return len(self.callbacks)

    def __bool__(self) -> bool:
        return bool(self.raw)

    def __str__(self) -> str:
        lines = []
        for callback in self.callbacks:
            lines.append(f"{callback}  {_duration(callback.ns)}")
            lines += [f"    {call.log_line or call}  {_duration(call.ns)}" for call in callback.calls]
            lines += [f"    changed {change}" for change in callback.changes]
        if self.dropped:
            lines.append(f"... and {self.dropped} more events")
        return "\n".join(lines)

    def __repr__(self) -> str:
        if not self.raw:
            return "<Trace: nothing was recorded>"
        return f"<Trace: {len(self.callbacks)} callbacks, {len(self.host_calls)} host calls>\n{self}"

    def _repr_html_(self) -> str:
        from .view import trace_html

        return trace_html(self)


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


def _decode(trace: Trace) -> Iterator[Callback]:
    """Read the events; ``src/trace.zig`` describes them."""
    raw, at, zero, last = trace.raw, 0, -1, 0
    callbacks: list[_Open] = []
    calls: list[_Open] = []
    outside: list[int] = []  # calls that were open when a callback began: it runs inside of them

    def end(result: int | None, now: int) -> None:
        call = calls.pop()
        if callbacks:
            callbacks[-1].calls.append(call.call(result, now, zero))

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
            callbacks.append(_Open(name, numbers, last, title, context))
            outside.append(len(calls))
        elif tag == 2:
            kind, value, last = _RETURN.unpack_from(raw, at)
            at += _RETURN.size
            while len(calls) > outside[-1]:
                end(None, last)
            outside.pop()
            yield callbacks.pop().callback(kind, value, last, zero)
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
            if callbacks:
                callbacks[-1].snapshots.append((part, moment, _snapshot(part, data, size)))
        else:
            result, last = _RESULT.unpack_from(raw, at)
            at += _RESULT.size
            if calls:
                end(result, last)
    # Where events were dropped, what was open then never returned as far as the trace knows.
    while calls:
        end(None, last)
    while callbacks:
        yield callbacks.pop().callback(0, 0, last, zero)


def _snapshot(part: int, data: bytes, size: int) -> Snapshot:
    if part > 3:
        return Snapshot(body=data, size=size)
    from .protocol import Reader

    pairs = Reader(data).pairs()
    return Snapshot(
        tuple((name.decode("utf-8", "replace"), value.decode("utf-8", "replace")) for name, value in pairs)
    )


def _named(params: tuple[str, ...], values: tuple[int, ...]) -> dict[str, int]:
    names = (*params, *(f"argument_{index}" for index in range(len(params), len(values))))
    return dict(zip(names, values, strict=False))


def _argument(name: str, value: int) -> str:
    words = {"map": MAPS, "buffer": BUFFERS, "level": LEVELS, "stream": STREAMS}.get(name, ())
    if name == "grpc_status" and value == 0xFFFFFFFF:
        return "none"
    return words[value] if value < len(words) else str(value)


def _pairs(data: bytes) -> str:
    """Headers as people read them; what cannot be read as such, or was cut, stays bytes."""
    if len(data) < 4:
        return _shown(data)
    count = int.from_bytes(data[:4], "little")
    at = 4 + 8 * count
    texts = []
    for place in range(2 * count):
        size = int.from_bytes(data[4 + 4 * place : 8 + 4 * place], "little")
        if at + size >= len(data):
            return _shown(data)
        texts.append(data[at : at + size].decode("utf-8", "backslashreplace"))
        at += size + 1
    shown = ", ".join(f"{name}: {value}" for name, value in zip(texts[::2], texts[1::2], strict=True))
    return f"{{{shown}}}"


def _shown(data: bytes) -> str:
    words = data.decode("utf-8", "backslashreplace")
    return repr(words if len(words) <= SHOWN else words[:SHOWN] + "…")


def _duration(ns: int) -> str:
    return f"{ns / 1000:.1f} µs" if ns < 1_000_000 else f"{ns / 1_000_000:.1f} ms"


_CALLBACK_PARAMS: dict[str, tuple[str, ...]] = {callback.name: callback.params for callback in CALLBACKS}
_HOST_PARAMS: dict[str, Any] = {
    (f"wasi_{function.name}" if function.module in WASI_MODULES else function.name): (
        function.params,
        function.name,
    )
    for function in HOST_FUNCTIONS.values()
}
