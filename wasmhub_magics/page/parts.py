"""What a page needs to run filters by itself: modules, and how they are set up."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ..abi import VERSIONS
from ..binary_types import MemoryType, TableType
from ..plugin import HasPlugin, Plugin, as_plugin
from ..proxy.bridge import FUNCTIONS
from ..proxy.host import bridge_bytes, host_bytes
from ..proxy.vm import within_limit

__all__ = ["Parts", "parts_of"]


@dataclass(frozen=True)
class Parts:
    """``plugins`` describe the chain in order; ``modules`` are theirs, one for each.

    ``functions`` are those of the bridge, in the order in which the host takes them.
    """

    plugins: tuple[dict[str, Any], ...]
    modules: tuple[bytes, ...]
    host: bytes
    bridge: bytes
    functions: tuple[str, ...] = FUNCTIONS

    @property
    def size(self) -> int:
        """Bytes of all modules."""
        return len(self.host) + len(self.bridge) + sum(map(len, self.modules))


def parts_of(filters: Iterable[HasPlugin]) -> Parts:
    """The parts of a chain. Raises ModuleError where a module wants more memory than its limit."""
    plugins = [as_plugin(each) for each in filters]
    modules = tuple(within_limit(plugin.module, plugin) for plugin in plugins)
    return Parts(
        tuple(_plugin(plugin, module) for plugin, module in zip(plugins, modules, strict=True)),
        modules,
        host_bytes(),
        bridge_bytes(),
    )


def _plugin(plugin: Plugin, limited: bytes) -> dict[str, Any]:
    memory = next((i.type for i in plugin.module.imports if isinstance(i.type, MemoryType)), None)
    table = next((i.type for i in plugin.module.imports if isinstance(i.type, TableType)), None)
    return {
        "name": plugin.name,
        "digest": plugin.module.digest,
        "abi": plugin.module.abi or VERSIONS[-1],
        "root_id": plugin.root_id,
        "configuration": base64.b64encode(plugin.configuration).decode(),
        "vm_id": plugin.vm_id,
        "vm_configuration": base64.b64encode(plugin.vm_configuration).decode(),
        "environment": [list(pair) for pair in plugin.environment],
        "policy": plugin.failure_policy,
        "allow_on_headers_stop_iteration": plugin.allow_on_headers_stop_iteration,
        "body_bytes": plugin.limits.body_bytes,
        "log_bytes": plugin.limits.log_bytes,
        "memory_bytes": plugin.limits.memory_bytes,
        "callback_seconds": plugin.limits.callback_seconds,
        "moved_bytes": len(limited) - len(plugin.module.data),  # where its code is, against the module's own
        "memory": None if memory is None else _limits(memory),
        "table": None if table is None else _limits(table),
    }


def _limits(kind: MemoryType | TableType) -> dict[str, int]:
    found = {"initial": kind.minimum}
    return found if kind.maximum is None else {**found, "maximum": kind.maximum}
