"""The host module in a store: its functions, its memory, and what its traps mean."""

from __future__ import annotations

import contextlib
import ctypes
import math
import struct
from collections.abc import Iterator
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, ClassVar

from ..errors import HostError
from .bridge import BRIDGE
from .compile import compiled
from .engine import HOST_SECONDS, Watch, engine, owner
from .foreign import ForeignFunctions
from .fuel import Tank
from .protocol import Reader

if TYPE_CHECKING:
    import wasmtime

__all__ = ["GuestTrap", "Host", "Stopped", "bridge_bytes", "host_bytes"]

MEMORY_LIMIT = 2 << 30
ENDED, METERED = 2, 4
"""Bits of the word that the host looks at when it and a filter take turns (``src/worker.zig``)."""
HOST_NAME = "wasmhub_host.wasm"


class GuestTrap(Exception):
    """A filter trapped; ``text`` says why in the words of V8, ``frames`` where."""

    def __init__(self, text: str, frames: tuple[tuple[int, int, str], ...]) -> None:
        super().__init__(text)
        self.text = text
        self.frames = frames


class Stopped(GuestTrap):
    """The watchdog ended a callback; ``why`` is time, budget (time of an exchange), interrupt or fuel."""

    def __init__(self, why: str, frames: tuple[tuple[int, int, str], ...]) -> None:
        super().__init__(why, frames)
        self.why = why


@lru_cache(maxsize=1)
def host_bytes() -> bytes:
    """The host module. Raises HostError where this installation has none."""
    path = files("wasmhub_magics.proxy") / "host.wasm"
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise HostError(
            "this installation has no host module",
            where=str(path),
            do="run python hatch_build.py in the source",
        ) from None


@lru_cache(maxsize=1)
def bridge_bytes() -> bytes:
    """The bridge module, assembled."""
    import wasmtime

    return bytes(wasmtime.wat2wasm(BRIDGE))


class Host:
    """One instance of the host module. All of it must be used on the owner thread."""

    FIELDS: ClassVar = (
        "progress",
        "vm",
        "plugin",
        "callback",
        "running",
        "output",
        "output_length",
        "panic",
        "panic_length",
        "failed",
        "stop",
        "guest",
    )
    STOP: ClassVar = 4 * FIELDS.index("stop")
    names: ClassVar[tuple[tuple[str, ...], tuple[str, ...]]] = ((), ())
    """Callbacks and host functions by the numbers the trace knows them by."""

    def __init__(self, *, fuel: bool, clock: int | None, seed: int | None) -> None:
        import wasmtime

        self.engine = engine(fuel)
        self.configuration = "fuel" if fuel else "plain"
        self.store = wasmtime.Store(self.engine)
        # Filters have limits of their own, in their modules; this is the end for the host itself.
        self.store.set_limits(memory_size=MEMORY_LIMIT)
        self.store.set_epoch_deadline(1)
        self.tank = Tank(self.store) if fuel else None
        self.store.set_wasi(wasmtime.WasiConfig())
        linker = wasmtime.Linker(self.engine)
        linker.define_wasi()
        self._define_foreign(linker)
        instance = linker.instantiate(self.store, compiled(self.engine, host_bytes(), self.configuration))
        self.exports = instance.exports(self.store)
        memory, table = self.exports["memory"], self.exports["__indirect_function_table"]
        assert isinstance(memory, wasmtime.Memory)
        assert isinstance(table, wasmtime.Table)
        self.memory, self.table = memory, table
        stack = self.exports["__stack_pointer"]
        assert isinstance(stack, wasmtime.Global)
        self._stack, self._stack_top = stack, stack.value(self.store)
        self.bridge = compiled(self.engine, bridge_bytes(), self.configuration)
        self._functions: dict[str, Any] = {}
        self._values = (_raw() * 8)()
        self.limit_of_vm: list[float] = []
        self.allowed = math.inf
        self._watch: Watch | None = None
        mask = (1 << 64) - 1
        self._mailbox = 0
        self.call("start", clock is not None, (clock or 0) & mask, seed is not None, (seed or 0) & mask)
        self._mailbox = self.call("mailbox")
        self._watch = Watch(self.engine, self.address(self._mailbox), self.STOP, self._limit)
        if not Host.names[0]:
            self.call("describe")
            reader = Reader(self.output())
            Host.names = tuple(t.decode() for t in reader.texts()), tuple(t.decode() for t in reader.texts())

    def call(self, name: str, *arguments: int) -> int:
        """Call a function of the host. Raises GuestTrap, Stopped, or HostError where the host is at fault."""
        import wasmtime
        from wasmtime import _ffi as ffi

        function = self._functions.get(name)
        if function is None:
            function = self._functions[name] = self._function(name)
        values = self._values
        for index, argument in enumerate(arguments):
            values[index].i64 = argument if argument < 1 << 63 else argument - (1 << 64)
        trap = ctypes.POINTER(ffi.wasm_trap_t)()
        context = self.store._context()
        ffi.wasmtime_context_set_epoch_deadline(context, 1)
        watch = self._watch
        if watch is not None:
            watch.progress = self.address(self._mailbox)
            self._resume(watch)
            owner.enter(watch)
        try:
            error = ffi.wasmtime_func_call_unchecked(
                context, ctypes.byref(function._func), values, len(values), ctypes.byref(trap)
            )
        finally:
            owner.leave()
        if error:
            raise HostError(f"the host failed: {wasmtime.WasmtimeError._from_ptr(error)}")
        if trap:
            raise self.explain(wasmtime.Trap._from_ptr(trap))
        return int(values[0].i32) & 0xFFFFFFFF

    @staticmethod
    def _resume(watch: Watch) -> None:
        if watch.stopped:
            watch.stopped = ""
            watch.wants(False)

    def allow(self, seconds: float) -> None:
        """Let all callbacks take so many seconds together from now on, as the watchdog sees it."""
        assert self._watch is not None
        self.allowed = self._watch.budget = seconds
        self._watch.began = None

    @contextlib.contextmanager
    def guarded(self, seconds: float) -> Iterator[None]:
        """Let the watchdog look at work that enters wasm by itself, such as an instantiation."""
        assert self._watch is not None
        kept = self._watch
        at = self.address(self._mailbox)
        self._watch = watch = Watch(self.engine, at, self.STOP, lambda: seconds, idle=kept.idle)
        self.store.set_epoch_deadline(1)
        watch.in_guest = True
        owner.enter(watch)
        try:
            yield
        finally:
            owner.leave()
            watch.in_guest = False
            self._resume(watch)
            self._watch = kept

    def _define_foreign(self, linker: wasmtime.Linker) -> None:
        """What the host lets us do, since we have the libraries; see ``src/calls_foreign.zig``."""
        import wasmtime

        functions = ForeignFunctions()
        result = b""

        def foreign(number: int, plugin: int, at: int, length: int, more: int, more_length: int) -> int:  # noqa: PLR0917
            nonlocal result
            try:
                status, result = functions.call(
                    number, plugin & 0xFFFFFFFF, self.read(at, length), self.read(more, more_length)
                )
            except Exception as error:  # a library's; the filter gets InternalFailure
                status, result = 10, str(error).encode()
            return status << 32 | len(result)

        def fetch(to: int) -> None:
            ctypes.memmove(self.address(to), result, len(result))

        i32, i64 = wasmtime.ValType.i32(), wasmtime.ValType.i64()
        linker.define_func("wasmhub", "foreign", wasmtime.FuncType([i32] * 6, [i64]), foreign)
        linker.define_func("wasmhub", "fetch", wasmtime.FuncType([i32], []), fetch)

    def _function(self, name: str) -> wasmtime.Func:
        import wasmtime

        function = self.exports[name]
        assert isinstance(function, wasmtime.Func)
        return function

    def say(self, data: bytes) -> int:
        """Put bytes into the host's input; the number is their length, which functions take."""
        at = self.call("reserve", len(data))
        ctypes.memmove(self.address(at), data, len(data))
        return len(data)

    def output(self) -> bytes:
        """What the host has put out last."""
        return self.read(self.field("output"), self.field("output_length"))

    def read(self, at: int, size: int) -> bytes:
        """A copy of some of the host's memory."""
        return ctypes.string_at(self.address(at), size)

    def field(self, name: str) -> int:
        """A field of the mailbox."""
        at = self.address(self._mailbox) + 4 * self.FIELDS.index(name)
        return ctypes.c_uint32.from_address(at).value

    def address(self, at: int) -> int:
        """Where a place of the host's memory is in this process, until the memory grows."""
        return ctypes.addressof(self.memory.data_ptr(self.store).contents) + at

    @property
    def callback(self) -> str:
        """The callback that ran last."""
        return Host.names[0][self.field("callback")]

    def put(self, function: Any) -> int:
        """Put a function into the host's table; the result is its index."""
        return self.table.grow(self.store, 1, function)

    def limit_fuel(self) -> None:
        """Let the tank know whenever a filter's code runs or the host's again, so that it can set limits."""
        import wasmtime

        assert self.tank is not None
        assert self._watch is not None
        i32 = wasmtime.ValType.i32()
        meter = wasmtime.Func(self.store, wasmtime.FuncType([i32], [i32]), self.tank.meter)
        self.call("meter", self.put(meter))
        self._watch.idle = METERED

    def memory_bytes(self) -> int:
        """The size of the host's own memory."""
        return self.memory.data_len(self.store)

    def close(self) -> None:
        """Free everything."""
        self.store.close()

    def _limit(self) -> float:
        address = self._watch.progress if self._watch is not None else 0
        vm, running = struct.unpack("<4xI8xI", ctypes.string_at(address, 20))
        if not running or vm >= len(self.limit_of_vm):
            return math.inf
        limit: float = self.limit_of_vm[vm]
        return limit

    def explain(self, trap: wasmtime.Trap) -> Exception:
        """What a trap means. A panic of the host says so itself, and is never taken for a filter's trap."""
        code = trap.trap_code
        frames = tuple((f.func_index, f.func_offset, f.module_name or "") for f in trap.frames)
        self._stack.set_value(self.store, self._stack_top)
        dry = False
        if self.tank is not None:
            dry = self.tank.dry
            self.tank.meter(0)
        ended = bool(self._mailbox and self.field("stop") & ENDED)
        if ended and self._watch is not None:
            self._watch.wants(False)
        if self._mailbox and self.field("panic_length"):
            message = self.read(self.field("panic"), self.field("panic_length")).decode("utf-8", "replace")
            if message == "out of memory":
                return HostError(
                    f"the filters hold more than fits into the proxy's {MEMORY_LIMIT >> 20:,} MiB, copied",
                    do="look for a body, queue or shared data that grows for ever; the next send starts anew",
                )
            return HostError(
                f"the host failed: {message}", do="please report it with the filter and the request"
            )
        kind = "" if code is None else code.name
        guests = tuple(frame for frame in frames if frame[2] != HOST_NAME)
        if kind == "OUT_OF_FUEL" or dry:
            return Stopped("fuel", guests)
        stopped = "" if self._watch is None else self._watch.stopped
        if kind == "INTERRUPT" and stopped in ("time", "budget") and not self.field("guest"):
            return HostError(
                f"the host worked for {HOST_SECONDS:g} s after a filter's time was up",
                do="look for a host call on very much data; the next send starts anew",
            )
        if ended or kind == "INTERRUPT":
            return Stopped(stopped or "interrupt", guests)
        innermost_is_host = bool(frames) and frames[0][2] == HOST_NAME
        if not guests or (innermost_is_host and kind != "STACK_OVERFLOW"):
            return HostError(
                f"the host failed: {trap.message.strip()}", do="please report it with the filter"
            )
        return GuestTrap(_WORDS.get(kind, trap.message.strip().splitlines()[0]), guests)


def _raw() -> Any:
    from wasmtime import _bindings

    return _bindings.wasmtime_val_raw


_WORDS = {
    "UNREACHABLE": "Uncaught RuntimeError: unreachable",
    "MEMORY_OUT_OF_BOUNDS": "Uncaught RuntimeError: memory access out of bounds",
    "TABLE_OUT_OF_BOUNDS": "Uncaught RuntimeError: table index is out of bounds",
    "INDIRECT_CALL_TO_NULL": "Uncaught RuntimeError: null function or function signature mismatch",
    "BAD_SIGNATURE": "Uncaught RuntimeError: null function or function signature mismatch",
    "INTEGER_OVERFLOW": "Uncaught RuntimeError: divide result unrepresentable",
    "INTEGER_DIVISION_BY_ZERO": "Uncaught RuntimeError: divide by zero",
    "BAD_CONVERSION_TO_INTEGER": "Uncaught RuntimeError: float unrepresentable in integer range",
    "STACK_OVERFLOW": "Uncaught RangeError: Maximum call stack size exceeded",
    "NULL_REFERENCE": "Uncaught RuntimeError: dereferencing a null pointer",
    "ARRAY_OUT_OF_BOUNDS": "Uncaught RuntimeError: array element access out of bounds",
    "UNCAUGHT_EXCEPTION": "Uncaught WebAssembly.Exception",
}
"""How V8, which Envoy runs, words the traps; so that both proxies log the same."""
