"""A virtual machine: a filter's instance in the store of a host, linked to it and bridged."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ..abi import WASI_MODULES
from ..binary import Contents, MemoryType, TableType, uleb
from ..errors import LinkError, ModuleError
from ..module import Module
from ..plugin import Plugin
from .bridge import FUNCTIONS
from .compile import compiled
from .host import Host
from .protocol import text, texts
from .restriction import restricted

__all__ = ["Vm", "VmKey", "instantiate", "key_of", "within_limit"]

PAGE = 1 << 16
VERSIONS = ("0.1.0", "0.2.0", "0.2.1")

VmKey = tuple[str, bytes, str, tuple[tuple[str, str], ...]]


def key_of(plugin: Plugin) -> VmKey:
    """Plugins with equal keys share one VM, as in Envoy (``makeVmKey``)."""
    return plugin.vm_id, plugin.vm_configuration, plugin.module.digest, plugin.environment


@dataclass
class Vm:
    """One VM of a host: ``index`` is the number the host knows it by."""

    plugin: Plugin
    index: int
    memory: Any
    limit_bytes: int
    failed: bool = False
    started: float = 0.0

    def memory_bytes(self, host: Host) -> int:
        """The size of its linear memory now."""
        return 0 if self.memory is None else int(self.memory.data_len(host.store))


def instantiate(host: Host, plugin: Plugin) -> Vm:
    """Instantiate a plugin's module, link it to the host and tell the host about it. Starts nothing.

    Raises ModuleError where the module cannot be compiled or linked, GuestTrap where its start function
    traps.
    """
    import wasmtime

    module = plugin.module
    limited, segments = _parts(module, _pages(plugin))
    code = compiled(host.engine, limited, host.configuration)
    stubs = restricted(host, plugin)
    imports = [stubs.get((wanted.module, wanted.name)) or _import(host, wanted) for wanted in module.imports]
    try:
        with host.guarded(plugin.limits.callback_seconds):
            try:
                instance = wasmtime.Instance(host.store, code, imports)
            except wasmtime.Trap as trap:
                raise host.explain(trap) from None
    except wasmtime.WasmtimeError as error:
        raise LinkError(f"the module cannot be instantiated: {_first_line(error)}") from None
    exports = instance.exports(host.store)
    memory = exports.get("memory")
    if not isinstance(memory, wasmtime.Memory):
        memory = next((found for found in imports if isinstance(found, wasmtime.Memory)), None)
    _fill(host, memory, segments)
    index = host.call("vm_new", host.say(_description(host, plugin, exports, memory)))
    host.limit_of_vm.append(plugin.limits.callback_seconds)
    return Vm(plugin, index, memory, _pages(plugin) * PAGE)


def _description(host: Host, plugin: Plugin, exports: Any, memory: Any) -> bytes:
    import wasmtime

    if memory is None:
        memory = wasmtime.Memory(host.store, wasmtime.MemoryType(wasmtime.Limits(0, 0)))
    try:
        bridge = wasmtime.Instance(host.store, host.bridge, [memory, host.memory]).exports(host.store)
    except wasmtime.WasmtimeError as error:
        raise LinkError(
            f"the filter's memory cannot be reached: {_first_line(error)}",
            do="export one ordinary 32-bit memory named memory",
        ) from None
    indices = [host.put(bridge[name]) for name in FUNCTIONS]
    for name in Host.names[0]:
        function = exports.get(name) if _allowed(plugin, name) else None
        if name == "malloc" and not isinstance(function, wasmtime.Func):
            function = exports.get("proxy_on_memory_allocate")
        indices.append(host.put(function) if isinstance(function, wasmtime.Func) else 0)
    environment = [f"{key}={value}".encode() for key, value in plugin.environment]
    return b"".join(
        (
            bytes([VERSIONS.index(plugin.module.abi or VERSIONS[-1])]),
            *(index.to_bytes(4, "little") for index in indices),
            text(plugin.vm_id.encode()),
            text(plugin.vm_configuration),
            texts(environment),
        )
    )


def _allowed(plugin: Plugin, name: str) -> bool:
    """Whether the plugin may use that callback; those that start it and Envoy's own are never refused."""
    return not plugin.allowed_capabilities or name in plugin.allowed_capabilities or name[:6] != "proxy_"


def _import(host: Host, wanted: Any) -> Any:
    """What a module gets for an import: a function of the host, or a memory or table of its own."""
    import wasmtime

    if wanted.kind == "func":
        name = f"wasi_{wanted.name}" if wanted.module in WASI_MODULES else wanted.name
        function = host.exports.get(name)
        if isinstance(function, wasmtime.Func):
            return function
    elif isinstance(wanted.type, MemoryType):
        limits = wasmtime.Limits(wanted.type.minimum, wanted.type.maximum)
        return wasmtime.Memory(host.store, wasmtime.MemoryType(limits))
    elif isinstance(wanted.type, TableType):
        limits = wasmtime.Limits(wanted.type.minimum, wanted.type.maximum)
        return wasmtime.Table(host.store, wasmtime.TableType(wasmtime.ValType.funcref(), limits), None)
    raise LinkError(f"no proxy offers {wanted.module}.{wanted.name}, which the module imports")


def _fill(host: Host, memory: Any, segments: tuple[tuple[int, bytes], ...]) -> None:
    """Write the data that was taken out of the module, with the check that instantiation would make."""
    if not segments:
        return
    size = memory.data_len(host.store)
    base = ctypes.addressof(memory.data_ptr(host.store).contents)
    for at, data in segments:
        if at + len(data) > size:
            raise ModuleError(
                f"a data segment does not fit: {len(data)} bytes at {at}, but the memory has {size}",
                do="declare a larger memory",
            )
        ctypes.memmove(base + at, data, len(data))


def _pages(plugin: Plugin) -> int:
    return min(plugin.limits.memory_bytes // PAGE, 1 << 16)


@lru_cache(maxsize=32)
def _parts(module: Module, pages: int) -> tuple[bytes, tuple[tuple[int, bytes], ...]]:
    """What of a module is compiled, and the data to write into each new instance of it."""
    data, segments = module.hollow() or (module.data, ())
    return _limited(Module(data), pages), segments


def within_limit(module: Module, plugin: Plugin) -> bytes:
    """The module with its memory's maximum lowered to the limit, so that ``memory.grow`` fails beyond it."""
    return _limited(module, _pages(plugin))


def _limited(module: Module, limit: int) -> bytes:
    contents: Contents = module.contents
    own = [m for m in contents.memories[_imported_memories(contents) :] if not m.shared and m.index == "i32"]
    if len(own) != 1 or len(contents.memories) != 1:
        return module.data
    memory = own[0]
    if memory.minimum > limit:
        raise ModuleError(
            f"the module wants {memory.minimum * PAGE:,} bytes of memory from the start, "
            f"but memory_bytes allows {limit * PAGE:,}",
            do="raise Limits.memory_bytes",
        )
    if memory.maximum is not None and memory.maximum <= limit:
        return module.data
    section = next(s for s in contents.sections if s.id == 5)
    content = b"\x01\x01" + uleb(memory.minimum) + uleb(limit)
    head, rest = module.data[: section.header], module.data[section.offset + section.size :]
    return head + b"\x05" + uleb(len(content)) + content + rest


def _imported_memories(contents: Contents) -> int:
    return sum(wanted.kind == "memory" for wanted in contents.imports)


def _first_line(error: Exception) -> str:
    return " ".join(str(error).split())
