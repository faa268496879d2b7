"""What stands between the proxy and an AssemblyScript source: the exports that call its functions."""

from __future__ import annotations

import re

__all__ = ["CALLBACKS", "entry_of", "exported_functions", "wanted_shape"]

_STREAM, _PLUGIN = "(stream: Stream)", "(plugin: Plugin)"
_START, _LOG = "(id: u32, size: u32): bool", "(id: u32): void"
_HEADERS, _TRAILERS = "(id: u32, size: u32, end: bool): u32", "(id: u32, size: u32): u32"
_CALL = "(id: u32, token: u32, headers: u32, size: u32, trailers: u32): void"
CALLBACKS = {
    "onVmStart": ("proxy_on_vm_start", _START, "asked"),
    "onConfigure": ("proxy_on_configure", _START, "asked"),
    "onTick": ("proxy_on_tick", _LOG, "new Plugin(id)"),
    "onRequestHeaders": ("proxy_on_request_headers", _HEADERS, "headers"),
    "onRequestBody": ("proxy_on_request_body", _HEADERS, "body"),
    "onRequestTrailers": ("proxy_on_request_trailers", _TRAILERS, "trailers"),
    "onResponseHeaders": ("proxy_on_response_headers", _HEADERS, "headers"),
    "onResponseBody": ("proxy_on_response_body", _HEADERS, "body"),
    "onResponseTrailers": ("proxy_on_response_trailers", _TRAILERS, "trailers"),
    "onLog": ("proxy_on_log", _LOG, "stream"),
    "onDone": ("proxy_on_done", "(id: u32): bool", "stream"),
    "onDelete": ("proxy_on_delete", _LOG, "stream"),
    "onHttpCallResponse": (
        "proxy_on_http_call_response",
        _CALL,
        "new Plugin(id), new CallResponse(token, headers)",
    ),
    "onQueueReady": (
        "proxy_on_queue_ready",
        "(id: u32, queue: u32): void",
        "new Plugin(id), new Queue(queue)",
    ),
}
"""The functions of a source that the proxy calls, each with the export that calls it, its type, and how."""

_EXPORT = re.compile(r"^[ \t]*export\s+function\s+(\w+)\s*(?:<[^>]*>)?\s*\(", re.M)


def exported_functions(source: str) -> dict[str, tuple[int, str]]:
    """The functions that a source exports, by name: the offset of the name, and the type they return."""
    found = {}
    for match in _EXPORT.finditer(source):
        depth, at = 1, match.end()
        while depth and at < len(source):
            depth += {"(": 1, ")": -1}.get(source[at], 0)
            at += 1
        result = re.match(r"\s*:\s*([\w.]+)", source[at:])
        found[match[1]] = (match.start(1), result[1] if result else "void")
    return found


def entry_of(source: str) -> str:
    """The file that the compiler is given: it exports to the proxy what the source has, and what all need."""
    exported = exported_functions(source)
    own = [name for name in exported if name.startswith(("proxy_", "envoy_")) or name == "malloc"]
    lines = [
        'import * as cell from "./cell";',
        'import * as start from "start";',
        'import { Action, CallResponse, Plugin, Queue, Stream, allocate } from "proxy_wasm";',
    ]
    if own:
        lines.append(f'export {{ {", ".join(own)} }} from "./cell";')
    made = {
        "proxy_abi_version_0_2_1": "(): void {}",
        "proxy_on_memory_allocate": "(size: u32): usize { return allocate(size); }",
        "proxy_on_context_create": "(id: u32, parent: u32): void { start.created(id, parent); }",
        "proxy_on_delete": "(id: u32): void { start.deleted(id); }",
    }
    if any(name.startswith("proxy_abi_version_") for name in own):
        made.pop("proxy_abi_version_0_2_1")
    for name, (export, kind, how) in CALLBACKS.items():
        if name in exported:
            made[export] = f"{kind} {{ {_call(name, how, exported[name][1] == 'void')} }}"
    lines += [f"export function {name}{rest}" for name, rest in made.items() if name not in own]
    return "\n".join(lines) + "\n"


def _call(name: str, how: str, void: bool) -> str:
    """The body of an export: a call of the cell's function, and what becomes of its result."""
    if how == "asked":
        call = f"cell.{name}(new Plugin(id))"
        return f"{call}; return true;" if void else f'return start.answered("{name}", {call});'
    if how == "stream":
        call = f"if (start.isStream(id)) cell.{name}(new Stream(id, true));"
        return {"onDone": f"{call} return true;", "onDelete": f"{call} start.deleted(id);"}.get(name, call)
    if how in ("headers", "body", "trailers"):
        call = f"cell.{name}(new Stream(id, {'true' if how == 'trailers' else 'end'}))"
        return f"{call}; return 0;" if void else f"return start.{how}({call});"
    return f"cell.{name}({how});"


def wanted_shape(name: str) -> str:
    """The parameters that a callback of that name is called with."""
    if name in ("onHttpCallResponse", "onQueueReady"):
        return "(plugin: Plugin, " + ("response: CallResponse)" if "Http" in name else "queue: Queue)")
    how = CALLBACKS[name][2] if name in CALLBACKS else ""
    return _PLUGIN if how in ("asked", "new Plugin(id)") else _STREAM
