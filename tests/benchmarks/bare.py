"""The calls of one exchange in a bare Wasm loop: what no host of that kind can be quicker than."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeAlias

import wasmtime

from wasmhub_magics.proxy.bridge import BRIDGE
from wasmhub_magics.proxy.engine import engine

__all__ = ["bare_loop", "crossing_loop", "timed"]

Loop: TypeAlias = Callable[[int], Any]
GET, ADD = "proxy_get_header_map_value", "proxy_add_header_map_value"
TYPES = """
  (type $allocate (func (param i32) (result i32)))
  (type $two (func (param i32 i32)))
  (type $three (func (param i32 i32 i32)))
  (type $give (func (param i32 i32 i32 i64)))
  (memory (export "memory") 1)
  (table (export "functions") 5 funcref)"""
STUB = f"""(module {TYPES}
  (func (export "{GET}") (param i32 i32 i32 i32 i32) (result i32) (local $at i32)
    (local.set $at (call_indirect (type $allocate) (i32.const 13) (i32.const 0)))
    (call_indirect (type $two) (local.get 3) (local.get $at) (i32.const 1))
    (call_indirect (type $two) (local.get 4) (i32.const 13) (i32.const 1))
    (i32.const 0))"""
CROSSING = f"""(module {TYPES}
  (func (export "{GET}") (param i32 i32 i32 i32 i32) (result i32) (local $at i32)
    (call_indirect (type $two) (i32.const 0) (local.get 1) (i32.const 2))
    (local.set $at (call_indirect (type $allocate) (i32.const 13) (i32.const 0)))
    (call_indirect (type $give)
      (local.get $at) (i32.const 64) (i32.const 13)
      (i64.or (i64.extend_i32_u (local.get 3)) (i64.shl (i64.extend_i32_u (local.get 4)) (i64.const 32)))
      (i32.const 4))
    (i32.const 0))
  (func (export "{ADD}") (param i32 i32 i32 i32 i32) (result i32)
    (call_indirect (type $three) (i32.const 0) (local.get 1) (local.get 3) (i32.const 3))
    (i32.const 0))"""
LOOP = """(module
  (import "filter" "proxy_on_context_create" (func $create (param i32 i32)))
  (import "filter" "proxy_on_request_headers" (func $request (param i32 i32 i32) (result i32)))
  (import "filter" "proxy_on_response_headers" (func $response (param i32 i32 i32) (result i32)))
  (import "filter" "proxy_on_response_body" (func $body (param i32 i32 i32) (result i32)))
  (import "filter" "proxy_on_log" (func $log (param i32)))
  (import "filter" "proxy_on_done" (func $done (param i32) (result i32)))
  (func (export "run") (param $count i32)
    (loop $more
      (call $create (i32.const 2) (i32.const 1))
      (drop (call $request (i32.const 2) (i32.const 20) (i32.const 1)))
      (drop (call $response (i32.const 2) (i32.const 5) (i32.const 0)))
      (drop (call $body (i32.const 2) (i32.const 10) (i32.const 0)))
      (drop (call $body (i32.const 2) (i32.const 0) (i32.const 1)))
      (call $log (i32.const 2))
      (drop (call $done (i32.const 2)))
      (local.set $count (i32.sub (local.get $count) (i32.const 1)))
      (br_if $more (local.get $count)))))"""


def bare_loop(module: bytes) -> Loop:
    """A function that runs the filter's callbacks so many times; host functions give a result, no more."""
    return _loop(wasmtime.Engine(), module, STUB)


def crossing_loop(module: bytes) -> Loop:
    """The same where host functions read their arguments into a memory of the host, and give from there.

    The engine is the proxy's own, which can be interrupted, and so is the bridge between the memories.
    """
    return _loop(engine(False), module, CROSSING)


def _loop(engine: wasmtime.Engine, module: bytes, host: str) -> Loop:
    store, code = wasmtime.Store(engine), wasmtime.Module(engine, module)
    store.set_epoch_deadline(1)
    others = []
    for wanted in code.imports:
        kind = wanted.type
        assert isinstance(kind, wasmtime.FuncType)
        if f'"{wanted.name}"' not in host:
            params = " ".join(map(str, kind.params))
            result = "(result i32) (i32.const 0)" if kind.results else ""
            others.append(f'(func (export "{wanted.name}") (param {params}) {result})')

    def instance(text: str, imports: list[Any]) -> Any:
        compiled = wasmtime.Module(engine, wasmtime.wat2wasm(text))
        return wasmtime.Instance(store, compiled, imports).exports(store)

    stub = instance(f"{host} {' '.join(others)})", [])
    guest = wasmtime.Instance(store, code, [stub[wanted.name] for wanted in code.imports]).exports(store)
    bridge = instance(BRIDGE, [guest["memory"], stub["memory"]])
    allocate = next(guest[n] for n in ("malloc", "proxy_on_memory_allocate") if n in guest)
    crossed = [bridge[name] for name in ("store32", "copy_16", "copy_16_twice", "give")]
    for place, function in enumerate((allocate, *crossed)):
        stub["functions"].set(store, place, function)
    wanted = wasmtime.Module(engine, wasmtime.wat2wasm(LOOP)).imports
    loop = instance(LOOP, [guest[each.name] for each in wanted])["run"]
    return lambda count: loop(store, count)


def timed(work: Callable[[], object]) -> float:
    """Seconds."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
