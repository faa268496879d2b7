"""The plugins of a chain inside a host: their VMs, started and after a trap started anew; their log lines."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from ..errors import HostError, ModuleError, StartError
from ..plugin import Plugin
from .backtrace import told
from .exchange import LogLine
from .host import GuestTrap, Host, Stopped
from .protocol import LEVELS, Reader, Record, read_record, text
from .vm import Vm, VmKey, instantiate, key_of

__all__ = ["Chain"]

POLICIES = ("closed", "open", "reload")
MASK = (1 << 32) - 1


class Chain:
    """The plugins of one host in the order of the chain; equal ones share their VM and root context.

    ``start_log`` and ``warnings`` are what starting said. ``fixed`` says that the proxy's clock moves only
    when it is told to.
    """

    def __init__(self, plugins: tuple[Plugin, ...], host: Host, *, fixed: bool) -> None:
        self.plugins = plugins
        self.start_log: tuple[LogLine, ...] = ()
        self.warnings: tuple[str, ...] = ()
        self.fuel_limit = min(
            (plugin.limits.fuel for plugin in plugins if plugin.limits.fuel is not None), default=None
        )
        self.seconds = max((plugin.limits.exchange_seconds for plugin in plugins), default=math.inf)
        self._host = host
        self._fixed = fixed
        self._restarted: tuple[LogLine, ...] = ()
        self._vms: dict[VmKey, Vm] = {}
        self._roots: list[tuple[Plugin, VmKey]] = []

    def start(self) -> None:
        """Start every VM and plugin, as far as equal ones are not shared. Raises StartError."""
        numbers: dict[tuple[VmKey, str, str, bytes], int] = {}
        try:
            for plugin in self.plugins:
                key = key_of(plugin)
                root = (key, plugin.name, plugin.root_id, plugin.configuration)
                if root not in numbers:
                    vm = self._vms.get(key)
                    if vm is None:
                        vm = self._vms[key] = self._new_vm(plugin)
                    said = self._host.say(self._description(plugin, vm))
                    numbers[root] = self._host.call("plugin_new", said)
                    self._roots.append((plugin, key))
                    self._start_plugin(plugin, numbers[root])
                self._host.call("chain", numbers[root])
        finally:
            self._drain_start()

    @property
    def names(self) -> tuple[str, ...]:
        """The plugin of each number that the host gives."""
        return tuple(plugin.name for plugin, _ in self._roots)

    def memory(self) -> tuple[int, ...]:
        """Bytes of each plugin's VM."""
        return tuple(self._vms[key_of(plugin)].memory_bytes(self._host) for plugin in self.plugins)

    def lines(self, record: Record) -> tuple[LogLine, ...]:
        """The log lines of a record, with the names of the plugins that logged them."""
        names = self.names
        return tuple(
            LogLine(
                LEVELS[level], message.decode("utf-8", "replace"), "" if plugin is None else names[plugin]
            )
            for level, plugin, message in record.lines
        )

    def take_restarted(self) -> tuple[LogLine, ...]:
        """What was logged when plugins started anew before this exchange."""
        taken, self._restarted = self._restarted, ()
        return taken

    def guarded(self, call: Callable[[], int]) -> int:
        """Make a call of the host; where a filter traps, tell the host, which goes on without it.

        Raises KeyboardInterrupt where the user stopped it, HostError where the trap is the host's own.
        """
        host = self._host
        while True:
            try:
                return call()
            except GuestTrap as trap:
                if isinstance(trap, Stopped) and trap.why == "interrupt":
                    raise KeyboardInterrupt from None
                if not host.field("running"):
                    raise HostError(f"the host was stopped: {trap.text}") from None
                callback = host.callback
                vm = next(vm for vm in self._vms.values() if vm.index == host.field("vm"))
                vm.failed = True
                if host.tank is not None and isinstance(trap, Stopped) and trap.why == "fuel":
                    host.tank.limit = None  # what is left of the exchange is the proxy's own work
                line = f"Function: {callback} failed: {self._words(trap, callback)}".encode()
                host.call("trapped", host.say(line))
                call = self._proceed

    def reload(self) -> None:
        """Give plugins whose policy is to reload a new VM, where theirs has failed and is old enough."""
        if not self._host.field("failed"):
            return
        self._host.allow(math.inf)
        if self._host.tank is not None:
            self._host.tank.fill(None)
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
                    self._host.call("plugin_move", number, fresh.index)
                    self._start_plugin(self._roots[number][0], number)
            except (StartError, ModuleError):
                # It fails again: streams go on being refused, and the next try comes after the back-off.
                self._vms[key] = vm
                for number in moved:
                    self._host.call("plugin_move", number, vm.index)
            self._drain_start()
            self._restarted += self.start_log[before:]

    def _new_vm(self, plugin: Plugin) -> Vm:
        try:
            vm = instantiate(self._host, plugin)
            self._host.call("vm_initialize", vm.index)
        except GuestTrap as trap:
            raise self._start_error(
                plugin, trap, "its start function" if not self._host.callback else ""
            ) from None
        vm.started = self._now()
        return vm

    def _start_plugin(self, plugin: Plugin, number: int) -> None:
        for function, callback, words in (
            ("plugin_start", "proxy_on_vm_start", "refused to start"),
            ("plugin_configure", "proxy_on_configure", "refused its configuration"),
        ):
            try:
                accepted = self._host.call(function, number)
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
        callback = where or self._host.callback
        message = self._words(trap, callback)
        self._host.call("start_trapped")
        self._drain_start()
        self.start_log += (LogLine("error", message, plugin.name),)
        return StartError(
            f"the plugin {plugin.name} did not start: {callback} failed: {message.partition(chr(10))[0]}",
            log=self.start_log,
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
        self._host.call("drain")
        record = read_record(Reader(self._host.output()))
        self.start_log += self.lines(record)
        self.warnings += record.warnings

    def _words(self, trap: GuestTrap, callback: str) -> str:
        """What a trap was, with a backtrace of the filter's functions."""
        number = self._host.field("vm")
        vm = next((vm for vm in self._vms.values() if vm.index == number), None)
        plugin = vm.plugin if vm is not None else self.plugins[0]
        return told(trap, callback, plugin, vm, self._host, fuel=self.fuel_limit)

    def _proceed(self) -> int:
        return self._host.call("proceed")

    def _now(self) -> float:
        """Seconds on the proxy's own time line; where its clock is fixed only jumps move it."""
        jumped = self._host.call("jumped") / 1000
        return jumped if self._fixed else time.monotonic() + jumped
