"""Host functions that a plugin may not use: stubs stand in their place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..abi import HOST_FUNCTIONS, WASI_MODULES, FuncType
from ..plugin import Plugin
from .compile import compiled

if TYPE_CHECKING:
    from .host import Host

__all__ = ["restricted"]

FREE = ("pthread_equal", "emscripten_notify_memory_growth", "envoy_resolve_dns")
"""What Envoy restricts by no list."""
INTERNAL_FAILURE, NOT_CAPABLE = 10, 76


def restricted(host: Host, plugin: Plugin) -> dict[tuple[str, str], Any]:
    """A stub for each import that the plugin's list of capabilities leaves out: it logs and refuses.

    Empty where there is no list, as in Envoy.
    """
    import wasmtime

    if not plugin.allowed_capabilities:
        return {}
    found: list[tuple[str, str]] = []
    functions: list[str] = []
    names = host.names[1]
    for wanted in plugin.module.imports:
        known = wanted.kind == "func" and (wanted.module, wanted.name) in HOST_FUNCTIONS
        if not known or wanted.name in plugin.allowed_capabilities or wanted.name in FREE:
            continue
        assert isinstance(wanted.type, FuncType)
        wasi = wanted.module in WASI_MODULES
        title = f"wasi_{wanted.name}" if wasi else wanted.name
        number = names.index(title) if title in names else len(names)  # proc_exit comes after all others
        refuse = f"(call $refuse (i32.const {number}))"
        result = f"(i32.const {NOT_CAPABLE if wasi else INTERNAL_FAILURE})"
        head = f'(func (export "{len(found)}") (param {" ".join(wanted.type.params)})'
        functions.append(
            f"{head} (result i32) {refuse} {result})" if wanted.type.results else f"{head} {refuse})"
        )
        found.append((wanted.module, wanted.name))
    text = f'(module (import "host" "restricted" (func $refuse (param i32))) {" ".join(functions)})'
    code = compiled(host.engine, bytes(wasmtime.wat2wasm(text)), host.configuration)
    exports = wasmtime.Instance(host.store, code, [host.exports["restricted"]]).exports(host.store)
    return {place: exports[str(number)] for number, place in enumerate(found)}
