"""The trace of an exchange: every callback and host call, in order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeAlias

from .changes import Change
from .words import ACTIONS, PAIRS, STATUSES, argument, pairs, shown

__all__ = ["Callback", "Change", "HostCall", "Trace"]


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
            level = argument("level", self.arguments["level"])
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
                parts.append(f"{name[:-4]}={pairs(text) if name in PAIRS else shown(text)}")
            elif not name.startswith("ret_") and not name.endswith("_len"):
                parts.append(f"{name}={argument(name, value)}")
        show = pairs if self.name == "proxy_get_header_map_pairs" else shown
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
        given = ", ".join(f"{name}={value}" for name, value in self.arguments.items())
        outcome = f" -> {self.outcome}" if self.outcome else ""
        return f"{self.plugin} #{self.context} {self.name}({given}){outcome}"


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
        from .recording import callbacks

        return tuple(callbacks(self))

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
        from .timeline import trace_html

        return trace_html(self)


def _duration(ns: int) -> str:
    return f"{ns / 1000:.1f} µs" if ns < 1_000_000 else f"{ns / 1_000_000:.1f} ms"
