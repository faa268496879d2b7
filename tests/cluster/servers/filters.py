"""Filters in WAT."""

from __future__ import annotations

from typing import Any

import wasmtime

from wasmhub_magics.module import Module
from wasmhub_magics.plugin import Plugin

SOURCE = """(module
  (import "env" "proxy_add_header_map_value" (func $add (param i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 2)
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 65536))
  (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32)
    (drop (call $add (i32.const 2) (i32.const 1024) (i32.const 9) (i32.const 2048) (i32.const {size})))
    (i32.const 0))
  (data (i32.const 1024) "x-version")
  (data (i32.const 2048) "{value}"))
"""


def make(value: str, name: str = "greeter", **settings: Any) -> Plugin:
    """A filter that adds x-version with this value to each response."""
    source = SOURCE.format(value=value, size=len(value))
    return Plugin(Module(bytes(wasmtime.wat2wasm(source))), name=name, **settings)


def with_import(line: str) -> Module:
    """The module of such a filter with one more import."""
    source = SOURCE.format(value="one", size=3).replace("(module\n", f"(module\n  {line}\n", 1)
    return Module(bytes(wasmtime.wat2wasm(source)))
