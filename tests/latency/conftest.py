"""Small filters, written as text, that the measurements are tried on."""

from __future__ import annotations

import pytest
import wasmtime

from wasmhub_magics.module import Module
from wasmhub_magics.plugin import Plugin

FRAME = """(module
  (import "env" "proxy_add_header_map_value" (func $add (param i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 2)
  (data (i32.const 16) "x-addedyes")
  (global $next (mut i32) (i32.const 4096))
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 4096))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) {body}))
"""
ADD = "(drop (call $add (i32.const 0) (i32.const 16) (i32.const 7) (i32.const 23) (i32.const 3)))"
COUNT = "(global.set $next (i32.add (global.get $next) (i32.const 1)))"


def plugin(name: str, body: str) -> Plugin:
    return Plugin(Module(bytes(wasmtime.wat2wasm(FRAME.format(body=body)))), name=name)


@pytest.fixture(scope="session")
def adder() -> Plugin:
    """Adds ten headers to each request."""
    return plugin("adder", ADD * 10 + "(i32.const 0)")


@pytest.fixture(scope="session")
def lighter() -> Plugin:
    """Another build of it, which adds one header."""
    return plugin("adder", ADD + "(i32.const 0)")


@pytest.fixture(scope="session")
def trapper() -> Plugin:
    """Traps on each request."""
    return plugin("trapper", "unreachable")


@pytest.fixture(scope="session")
def grower() -> Plugin:
    """Takes a page of memory with every 64th request and keeps it."""
    due = "(i32.eqz (i32.rem_u (global.get $next) (i32.const 64)))"
    grow = f"(if {due} (then (drop (memory.grow (i32.const 1)))))"
    return plugin("grower", f"{COUNT} {grow} (i32.const 0)")


@pytest.fixture(scope="session")
def hanger() -> Plugin:
    """Never returns from a request."""
    return plugin("hanger", "(loop $again (br $again)) (i32.const 0)")


@pytest.fixture(scope="session")
def pauser() -> Plugin:
    """Pauses each request and never lets it go on."""
    return plugin("pauser", "(i32.const 1)")


@pytest.fixture(scope="session")
def late_trapper() -> Plugin:
    """Traps on the five hundredth request."""
    trap = "(if (i32.eq (global.get $next) (i32.const 4596)) (then unreachable))"
    return plugin("late_trapper", f"{COUNT} {trap} (i32.const 0)")
