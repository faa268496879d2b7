"""What a trap was, in words: why it happened, and the filter's functions and source lines on the stack."""

from __future__ import annotations

from ..module import Module
from ..plugin import Plugin
from .host import GuestTrap, Host, Stopped
from .vm import Vm

__all__ = ["told"]


def told(
    trap: GuestTrap, callback: str, plugin: Plugin, vm: Vm | None, host: Host, *, fuel: int | None
) -> str:
    """The text for the log; ``fuel`` is the limit that was set for the exchange."""
    limits = plugin.limits
    what = trap.text
    if isinstance(trap, Stopped):
        what = {
            "time": f"stopped after {limits.callback_seconds} s in {callback} (limit callback_seconds)",
            "budget": f"stopped in {callback}: the callbacks of this exchange took {host.allowed} s "
            "together (limit exchange_seconds)",
        }.get(trap.why, f"stopped after {fuel} instructions in {callback} (limit fuel)")
    elif vm is not None and 2 * vm.memory_bytes(host) > vm.limit_bytes:
        used = vm.memory_bytes(host)
        what += f" (its memory has {used:,} bytes of {vm.limit_bytes:,}, limit memory_bytes)"
    frames = [
        f"  {depth}: 0x{offset:x} - {_place(plugin.module, index, offset)}"
        for depth, (index, offset, _) in enumerate(trap.frames)
    ]
    return "\n".join([what, "Proxy-Wasm plugin in-VM backtrace:", *frames]) if frames else what


def _place(module: Module, function: int, offset: int) -> str:
    """The function of a frame, with the source line where the module knows it."""
    name, found = module.function_name(function), module.source_line(function, offset)
    return f"{name} ({found[0]} line {found[1]})" if found else name
