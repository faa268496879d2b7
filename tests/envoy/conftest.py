"""Filters in WAT for the tests of the real Envoy."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import wasmtime

from wasmhub_magics.envoy import EnvoyProxy, verify
from wasmhub_magics.module import Module
from wasmhub_magics.plugin import Plugin
from wasmhub_magics.proxy.upstream import echo

# What plays a TCP client before the real Envoy belongs to the tests of parity.
sys.path.insert(0, str(Path(__file__).parent.parent / "parity"))

HEAD = """
(import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
(import "env" "proxy_add_header_map_value" (func $add (param i32 i32 i32 i32 i32) (result i32)))
(import "env" "proxy_get_buffer_bytes" (func $get (param i32 i32 i32 i32 i32) (result i32)))
(import "env" "proxy_send_local_response" (func $reply (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
(import "env" "proxy_close_stream" (func $close (param i32) (result i32)))
(memory (export "memory") 8)
(global $heap (mut i32) (i32.const 131072))
(global $count (mut i32) (i32.const 0))
(func (export "proxy_abi_version_0_2_1"))
(func (export "proxy_on_memory_allocate") (param i32) (result i32)
  (local $at i32)
  (local.set $at (global.get $heap))
  (global.set $heap
    (i32.add (global.get $heap) (i32.and (i32.add (local.get 0) (i32.const 7)) (i32.const -8))))
  (local.get $at))
"""
SHAPES = {
    "vm_start": ("(param i32 i32) (result i32)", "(i32.const 1)"),
    "configure": ("(param i32 i32) (result i32)", "(i32.const 1)"),
    "request_headers": ("(param i32 i32 i32) (result i32)", "(i32.const 0)"),
    "request_body": ("(param i32 i32 i32) (result i32)", "(i32.const 0)"),
    "response_headers": ("(param i32 i32 i32) (result i32)", "(i32.const 0)"),
    "response_body": ("(param i32 i32 i32) (result i32)", "(i32.const 0)"),
    "request_metadata": ("(param i32 i32) (result i32)", "(i32.const 0)"),
    "response_metadata": ("(param i32 i32) (result i32)", "(i32.const 0)"),
    "log": ("(param i32)", ""),
}


def module(**callbacks: str) -> Module:
    """A filter with these callbacks; LOG("..") and ADD(map, "..", "..") stand for calls with text."""
    segments: list[str] = []
    place = 1024

    def text(literal: str) -> str:
        nonlocal place
        raw = literal.encode().decode("unicode_escape").encode("latin-1")
        escaped = "".join("\\" + format(byte, "02x") for byte in raw)
        segments.append(f'(data (i32.const {place}) "{escaped}")')
        start, place = place, place + len(raw)
        return f"(i32.const {start}) (i32.const {len(raw)})"

    def body(code: str) -> str:
        code = re.sub(r'LOG\("([^"]*)"\)', lambda m: f"(drop (call $log (i32.const 2) {text(m[1])}))", code)
        return re.sub(
            r'ADD\((\d), "([^"]*)", "([^"]*)"\)',
            lambda m: f"(drop (call $add (i32.const {m[1]}) {text(m[2])} {text(m[3])}))",
            code,
        )

    functions = []
    for name, code in callbacks.items():
        shape, result = SHAPES[name]
        functions.append(f'(func (export "proxy_on_{name}") {shape} {body(code)} {result})')
    return Module(bytes(wasmtime.wat2wasm(f"(module {HEAD} {' '.join([*functions, *segments])})")))


def make(name: str = "probe", *, options: dict | None = None, **callbacks: str) -> Plugin:
    """A plugin of such a module."""
    return Plugin(module(**callbacks), name=name, **(options or {}))


@pytest.fixture(scope="session")
def plugin():
    """The maker of plugins."""
    return make


@pytest.fixture(scope="module")
def envoy():
    """One Envoy for a whole file of tests: each swaps its own filter in."""
    with EnvoyProxy([], timeout=1.0, slots=3) as proxy:
        yield proxy


PUPPET = Path(__file__).parents[1] / "proxy" / "puppet.c"


@pytest.fixture(scope="session")
def puppet(tmp_path_factory):
    """A filter that does what its configuration says."""
    target = tmp_path_factory.mktemp("puppet") / "puppet.wasm"
    command = [sys.executable, "-m", "ziglang", "cc", "-target", "wasm32-freestanding", "-O2", "-nostdlib"]
    command += ["-fno-builtin", "-Wl,--no-entry", "-o", str(target), str(PUPPET)]
    subprocess.run(command, check=True, timeout=240)
    compiled = Module(target.read_bytes())

    def make(script, **fields):
        fields.setdefault("name", "puppet")
        return Plugin(compiled, configuration=script.encode() or b" ", **fields)

    return make


@pytest.fixture
def beside(puppet):
    """Holds that both proxies do the same with a script; gives the exchanges."""

    def run(script, requests, clusters=None, *, timeout=1.5, upstream=echo, **fields):
        report = verify([puppet(script, **fields)], requests, upstream, clusters=clusters, timeout=timeout)
        assert report.agrees, repr(report)
        return report.exchanges

    return run
