"""A worker: one host instance with the VMs and plugins of a chain. All of it runs on the owner thread."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

from ..errors import HostError, ModuleError, StartError
from ..http import Request, Response
from ..plugin import Plugin
from .backtrace import told
from .cluster import CallOut, Cluster, Delay, Failure
from .exchange import Exchange, LogLine, Timing
from .grpc_session import GrpcSession, Part
from .host import GuestTrap, Host, Stopped
from .loop import Loop
from .protocol import (
    LEVELS,
    OUTCOMES,
    Reader,
    Record,
    encode_answer,
    encode_call_answer,
    encode_clusters,
    encode_grpc_answer,
    encode_request,
    read_record,
    read_request,
    read_response,
    text,
)
from .state import Activity, State, read_state
from .tcp import TcpStep
from .trace import Trace
from .vm import Vm, VmKey, instantiate, key_of

__all__ = ["GrpcNews", "Step", "Worker"]

DONE, UPSTREAM, CALL = 0, 1, 2
OPENS, ENDED, CANCELLED = 1, 2, 4
POLICIES = ("closed", "open", "reload")
MASK = (1 << 32) - 1


@dataclass(frozen=True, slots=True)
class GrpcNews:
    """More messages of a gRPC call, or its end, for its cluster."""

    session: GrpcSession
    messages: tuple[bytes, ...]
    ended: bool


Step: TypeAlias = "Request | CallOut | GrpcNews | Exchange | Activity | Loop | TcpStep"
"""What came of running the host: a request for the upstream, one for a cluster, or a result."""


class Worker:
    """One host with everything a chain needs."""

    def __init__(
        self,
        plugins: tuple[Plugin, ...],
        clusters: Mapping[str, Cluster],
        *,
        fuel: bool,
        clock: int | None,
        seed: int | None,
        properties: bytes = b"",
    ) -> None:
        self.plugins = plugins
        self._properties = properties
        self._clusters = clusters
        self._calls: list[CallOut | GrpcSession] = []
        self._grpc: dict[int, GrpcSession] = {}
        self._looping = False
        self._result: Callable[[Reader], Step] = self._exchange
        self._fixed = clock is not None
        self.host = Host(fuel=fuel, clock=clock, seed=seed)
        self.start_log: tuple[LogLine, ...] = ()
        self._restarted: tuple[LogLine, ...] = ()
        self.warnings: tuple[str, ...] = ()
        self._vms: dict[VmKey, Vm] = {}
        self._roots: list[tuple[Plugin, VmKey]] = []
        self._request: Request | None = None
        self._fuel: int | None = None
        limits = [plugin.limits.fuel for plugin in plugins if plugin.limits.fuel is not None]
        self._fuel_limit = min(limits) if limits else None

    def start(self) -> None:
        """Start every VM and plugin, as far as equal ones are not shared. Raises StartError."""
        numbers: dict[tuple[VmKey, str, str, bytes], int] = {}
        try:
            self._tell_clusters()
            if self._properties:
                self.host.call("properties", self.host.say(self._properties))
            for plugin in self.plugins:
                key = key_of(plugin)
                root = (key, plugin.name, plugin.root_id, plugin.configuration)
                if root not in numbers:
                    vm = self._vms.get(key)
                    if vm is None:
                        vm = self._vms[key] = self._new_vm(plugin)
                    numbers[root] = self.host.call("plugin_new", self.host.say(self._description(plugin, vm)))
                    self._roots.append((plugin, key))
                    self._start_plugin(plugin, numbers[root])
                self.host.call("chain", numbers[root])
        finally:
            self._drain_start()

    def _tell_clusters(self) -> None:
        self.host.call("clusters", self.host.say(encode_clusters(self._clusters)))

    def begin(
        self, request: Request, fixed: Response | None, clusters: Mapping[str, Cluster], trace: bool
    ) -> Step:
        """Start an exchange: either it needs an answer of the upstream or of a cluster, or it is over."""
        if clusters is not self._clusters:
            self._clusters = clusters
            self._tell_clusters()
        self._reload()
        self._request = request
        self._calls, self._result, self._looping = [], self._exchange, False
        if self.host.fuel:
            self.host.refuel(self._fuel_limit)
        return self._step("send", encode_request(request, trace=trace, answer=fixed))

    def answer(self, response: Response) -> Step:
        """Go on with what the upstream answers."""
        return self._step("answer", encode_answer(response))

    def answer_call(self, answer: Response | Delay | Failure) -> Step:
        """Go on with what a cluster answers to the last call."""
        if self._calls and isinstance(self._calls[-1], CallOut):
            self._calls[-1] = replace(self._calls[-1], answer=answer)
        return self._step("answer_call", encode_call_answer(answer))

    def answer_grpc(self, parts: list[Part]) -> Step:
        """Go on with what a cluster answers to the news of a gRPC call."""
        return self._step("answer_grpc", encode_grpc_answer(parts))

    def beside(self, nanoseconds: int, trace: bool) -> Step:
        """Let happen what waits beside streams, and what happens in the next nanoseconds."""
        self._calls, self._result, self._looping = [], self._activity, False
        if self.host.fuel:
            self.host.refuel(self._fuel_limit)
        return self._finish(self._guarded(lambda: self.host.call("beside", nanoseconds, trace)))

    def tcp(self, function: str, *arguments: int, data: bytes | None = None, new: bool = False) -> Step:
        """Let a TCP connection open, go on or end; ``data`` is what comes in, ``new`` resets what it has."""
        if new:
            self._reload()
        self._calls, self._result, self._looping = [], self._tcp_step, False
        if self.host.fuel:
            self.host.refuel(self._fuel_limit)
        if data is not None:
            arguments = (arguments[0], self.host.say(data), *arguments[1:])
        return self._finish(self._guarded(lambda: self.host.call(function, *arguments)))

    def _tcp_step(self, reader: Reader) -> TcpStep:
        flags, to_upstream, to_client = reader.u8(), reader.text(), reader.text()
        record = read_record(reader)
        return TcpStep(
            to_upstream=to_upstream,
            to_client=to_client,
            closed=bool(flags & 1),
            log=(*self._take_restarted(), *self._lines(record)),
            warnings=(*record.warnings, *self._dropped(record)),
            events=record.events,
            dropped=record.dropped_events,
            calls=self._called(),
        )

    def state(self) -> State:
        """Metrics, shared data and queues."""
        self.host.call("state")
        return read_state(Reader(self.host.output()), self._names())

    def abandon(self) -> None:
        """End an exchange whose upstream gave no answer."""
        self.host.call("abort")
        self._proceed()

    def loop(self, request: Request, answer: Response, n: int, *, timed: bool) -> Step:
        """Run one exchange again and again."""
        self._reload()
        host = self.host
        host.call("prepare", host.say(encode_request(request, trace=False, answer=answer)))
        fuel = host.refuel(None) if host.fuel else 0
        before, host_before = self.memory(), host.memory_bytes()
        start = time.perf_counter()

        def result(_: Reader) -> Loop:
            seconds = time.perf_counter() - start
            counts: tuple[int, ...] = ()
            if timed:
                size = host.call("histogram_size")
                raw = memoryview(host.read(host.call("histogram"), 8 * size))
                counts = tuple(raw.cast("Q"))
            used = fuel - host.store.get_fuel() if host.fuel else None
            return Loop(n, seconds, counts, used, before, self.memory(), host_before, host.memory_bytes())

        self._calls, self._result, self._looping = [], result, True
        return self._finish(self._guarded(lambda: host.call("loop", n, timed)))

    def memory(self) -> tuple[int, ...]:
        """Bytes of each plugin's VM."""
        return tuple(self._vms[key_of(plugin)].memory_bytes(self.host) for plugin in self.plugins)

    def close(self) -> None:
        """Free the host and all VMs."""
        self.host.close()

    # Starting.

    def _new_vm(self, plugin: Plugin) -> Vm:
        try:
            vm = instantiate(self.host, plugin)
            self.host.call("vm_initialize", vm.index)
        except GuestTrap as trap:
            raise self._start_error(
                plugin, trap, "its start function" if not self.host.callback else ""
            ) from None
        vm.started = self._now()
        return vm

    def _start_plugin(self, plugin: Plugin, number: int) -> None:
        for function, callback, words in (
            ("plugin_start", "proxy_on_vm_start", "refused to start"),
            ("plugin_configure", "proxy_on_configure", "refused its configuration"),
        ):
            try:
                accepted = self.host.call(function, number)
            except GuestTrap as trap:
                raise self._start_error(plugin, trap) from None
            if not accepted:
                self._drain_start()
                raise StartError(
                    f"the plugin {plugin.name} {words}: {callback} returned 0",
                    log=self.start_log,
                    where=f"plugin {plugin.name}",
                    do="see the log lines, and check the configuration",
                )

    def _start_error(
        self, plugin: Plugin, trap: GuestTrap, where: str = ""
    ) -> StartError | KeyboardInterrupt:
        if isinstance(trap, Stopped) and trap.why == "interrupt":
            return KeyboardInterrupt()
        callback = where or self.host.callback
        message = self._words(trap, callback)
        self.host.call("start_trapped")
        self._drain_start()
        return StartError(
            f"the plugin {plugin.name} did not start: {callback} failed: {message.partition(chr(10))[0]}",
            log=(*self.start_log, LogLine("error", message, plugin.name)),
            where=f"plugin {plugin.name}, {callback}",
            do="see the log lines and the backtrace",
        )

    def _description(self, plugin: Plugin, vm: Vm) -> bytes:
        log_limit = max(other.limits.log_bytes for other in self.plugins)
        return b"".join(
            (
                vm.index.to_bytes(4, "little"),
                bytes([POLICIES.index(plugin.failure_policy), plugin.allow_on_headers_stop_iteration]),
                min(plugin.limits.body_bytes, MASK).to_bytes(4, "little"),
                min(log_limit, MASK).to_bytes(4, "little"),
                text(plugin.name.encode("utf-8", "surrogateescape")),
                text(plugin.root_id.encode("utf-8", "surrogateescape")),
                text(plugin.configuration),
            )
        )

    def _drain_start(self) -> None:
        self.host.call("drain")
        record = read_record(Reader(self.host.output()))
        self.start_log += self._lines(record)
        self.warnings += record.warnings

    # Exchanges.

    def _step(self, function: str, data: bytes) -> Step:
        length = self.host.say(data)
        return self._finish(self._guarded(lambda: self.host.call(function, length)))

    def _proceed(self) -> Step:
        return self._finish(self._guarded(lambda: self.host.call("proceed")))

    def _finish(self, status: int) -> Step:
        if status == DONE:
            return self._result(Reader(self.host.output()))
        reader = Reader(self.host.output())
        if status == UPSTREAM:
            return read_request(reader)
        if status != CALL:
            return self._news(reader)
        cluster, timeout = reader.text().decode("utf-8", "surrogateescape"), reader.u64() / 1e9
        call = CallOut(cluster, read_request(reader), timeout=timeout)
        if not self._looping:
            self._calls.append(call)
        return call

    def _news(self, reader: Reader) -> GrpcNews:
        number, flags = reader.u32(), reader.u8()
        if flags & OPENS:
            cluster, timeout = reader.text().decode("utf-8", "surrogateescape"), reader.u64() / 1e9
            reader.u8()
            request = read_request(reader, body=False)
            self._grpc[number] = GrpcSession(cluster, self._clusters[cluster], request, timeout)
        session = self._grpc[number]
        if not self._looping and session not in self._calls:
            self._calls.append(session)
        if flags & CANCELLED:
            session.over = True
        if flags & (ENDED | CANCELLED):
            del self._grpc[number]
        return GrpcNews(session, tuple(reader.texts()), bool(flags & ENDED))

    def trace_of(self, events: bytes, dropped: int) -> Trace:
        """The trace that raw events are."""
        return Trace(events, self._names(), Host.names, dropped)

    def _called(self) -> tuple[CallOut, ...]:
        return tuple(call.record() if isinstance(call, GrpcSession) else call for call in self._calls)

    def _activity(self, reader: Reader) -> Activity:
        record = read_record(reader)
        trace = Trace(record.events, self._names(), Host.names, record.dropped_events)
        warnings = (*record.warnings, *self._dropped(record))
        return Activity((*self._take_restarted(), *self._lines(record)), warnings, self._called(), trace)

    def _guarded(self, call: Callable[[], int]) -> int:
        """Make a call; where a filter traps, tell the host, which goes on without it."""
        while True:
            try:
                return call()
            except GuestTrap as trap:
                if isinstance(trap, Stopped) and trap.why == "interrupt":
                    raise KeyboardInterrupt from None
                if not self.host.field("running"):
                    raise HostError(f"the host was stopped: {trap.text}") from None
                callback = self.host.callback
                vm = next(vm for vm in self._vms.values() if vm.index == self.host.field("vm"))
                vm.failed = True
                if isinstance(trap, Stopped) and trap.why == "fuel":
                    self.host.refuel(None)  # what is left of the exchange is the proxy's own work
                line = f"Function: {callback} failed: {self._words(trap, callback)}".encode()
                self.host.call("trapped", self.host.say(line))
                call = self._again

    def _again(self) -> int:
        return self.host.call("proceed")

    def _words(self, trap: GuestTrap, callback: str) -> str:
        """What a trap was, with a backtrace of the filter's functions."""
        number = self.host.field("vm")
        vm = next((vm for vm in self._vms.values() if vm.index == number), None)
        plugin = vm.plugin if vm is not None else self.plugins[0]
        return told(trap, callback, plugin, vm, self.host, fuel=self._fuel_limit)

    def _exchange(self, reader: Reader) -> Exchange:
        assert self._request is not None
        outcome = OUTCOMES[reader.u8()]
        details = reader.text().decode("utf-8", "replace")
        total = reader.u64()
        received = read_request(reader, body=False)
        object.__setattr__(received, "body", self._request.body)
        object.__setattr__(received, "trailers", self._request.trailers)
        object.__setattr__(received, "version", self._request.version)
        upstream_request = read_request(reader) if reader.u8() else None
        upstream_response = read_response(reader) if reader.u8() else None
        response = read_response(reader) if reader.u8() else None
        record = read_record(reader)
        fuel = None
        if self.host.fuel:
            fuel = (self._fuel_limit or (1 << 62)) - self.host.store.get_fuel()
        return Exchange(
            request=self._request,
            response=response,
            received=received,
            upstream_request=upstream_request,
            upstream_response=upstream_response,
            log=(*self._take_restarted(), *self._lines(record)),
            details=details,
            outcome=outcome,
            trace=Trace(record.events, self._names(), Host.names, record.dropped_events),
            timing=Timing(total, fuel),
            warnings=(*record.warnings, *self._dropped(record)),
            calls=self._called(),
        )

    def _dropped(self, record: Record) -> tuple[str, ...]:
        if not record.dropped_lines:
            return ()
        dropped = f"{record.dropped_lines} more log lines ({record.dropped_bytes:,} bytes) were dropped"
        return (f"{dropped} (limit log_bytes)",)

    def _lines(self, record: Record) -> tuple[LogLine, ...]:
        names = self._names()
        return tuple(
            LogLine(
                LEVELS[level], message.decode("utf-8", "replace"), "" if plugin is None else names[plugin]
            )
            for level, plugin, message in record.lines
        )

    def _take_restarted(self) -> tuple[LogLine, ...]:
        """What was logged when plugins started anew before this exchange."""
        taken, self._restarted = self._restarted, ()
        return taken

    def _names(self) -> tuple[str, ...]:
        return tuple(plugin.name for plugin, _ in self._roots)

    def _now(self) -> float:
        """Seconds on the proxy's own time line; where its clock is fixed only jumps move it."""
        jumped = self.host.call("jumped") / 1000
        return jumped if self._fixed else time.monotonic() + jumped

    def _reload(self) -> None:
        """Give plugins whose policy is to reload a new VM, where theirs has failed and is old enough."""
        if not self.host.field("failed"):
            return
        for key, vm in list(self._vms.items()):
            if not vm.failed:
                continue
            owners = [number for number, (_, other) in enumerate(self._roots) if other == key]
            wants = [number for number in owners if self._roots[number][0].failure_policy == "reload"]
            patience = min((self._roots[number][0].reload_seconds for number in wants), default=0.0)
            if not wants or self._now() - vm.started < patience:
                continue
            vm.started = self._now()
            moved: list[int] = []
            before = len(self.start_log)
            try:
                fresh = self._new_vm(vm.plugin)
                self._vms[key] = fresh
                for number in wants:
                    moved.append(number)
                    self.host.call("plugin_move", number, fresh.index)
                    self._start_plugin(self._roots[number][0], number)
            except (StartError, ModuleError):
                # It fails again: streams go on being refused, and the next try comes after the back-off.
                self._vms[key] = vm
                for number in moved:
                    self.host.call("plugin_move", number, vm.index)
            self._drain_start()
            self._restarted += self.start_log[before:]
