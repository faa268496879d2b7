"""Random modules: valid ones that ask for odd things and lie, and bytes that were once a module."""

from __future__ import annotations

import random
import struct

import wasmtime

from wasmhub_magics.abi import CALLBACKS, HOST_FUNCTIONS, VERSIONS, marker
from wasmhub_magics.errors import WasmhubError
from wasmhub_magics.http import Request, Response
from wasmhub_magics.module import Module
from wasmhub_magics.plugin import Limits, Plugin
from wasmhub_magics.proxy import Proxy

__all__ = ["broken", "random_module", "seeds", "tried"]

NAMES = tuple(HOST_FUNCTIONS)
NUMBERS = (0, 1, 2, 7, 64, 1024, 65_535, 65_536, 0x7FFFFFFF, 0x80000000, 0xFFFFFFF0, 0xFFFFFFFF)
ALLOCATORS = ("malloc", "proxy_on_memory_allocate")
EXPORTS = tuple({each.name: each for each in CALLBACKS if each.name not in ALLOCATORS}.values())


def random_module(draw: random.Random) -> bytes:
    """A valid module with random imports, exports of right and wrong types, memories and calls."""
    version = draw.choice(("0.1.0", "0.2.0", *["0.2.1"] * 12, "0.3.0"))
    there = [n for n in NAMES if version in HOST_FUNCTIONS[n].versions and n[0] != "wasi_unstable"] or NAMES
    names = draw.sample(there, draw.randint(0, 8)) + draw.choices(NAMES, k=draw.random() < 0.05)
    functions = [HOST_FUNCTIONS[name] for name in dict.fromkeys(names)]
    imports, calls = [], []
    for number, each in enumerate(functions):
        params, results = each.type.params, each.type.results
        if draw.random() < 0.02:
            params = (*params, "i64")
        name = each.name if draw.random() > 0.01 else each.name + "_"
        result = f"(result {results[0]})" if results else ""
        imports.append(
            f'(import "{each.module}" "{name}" (func $h{number} (param {" ".join(params)}) {result}))'
        )
        arguments = " ".join(f"({kind}.const {draw.choice(NUMBERS)})" for kind in params)
        call = f"(call $h{number} {arguments})"
        calls.append(f"(drop {call})" if results else call)
    memory = draw.choice(
        ('(memory (export "memory") 1)', '(memory (export "memory") 0 0)', "(memory 1)", "",
         '(memory (export "memory") 1 70)', '(memory (export "memory") i64 1)',
         '(memory (export "memory") 4000)')
        if draw.random() < 0.15 else ('(memory (export "memory") 2)',)
    )  # fmt: skip

    def body() -> str:
        parts = draw.choices(calls, k=draw.randint(0, 4)) if calls else []
        odd = draw.random()
        if odd < 0.03:
            parts.append("unreachable")
        elif odd < 0.05 and memory:
            parts.append("(drop (memory.grow (i32.const 60000)))")
        elif odd < 0.07:
            parts.append("(call $deep)")
        return " ".join(parts)

    exports = []
    for each in draw.sample(EXPORTS, draw.randint(0, 10)):
        if version in VERSIONS and version not in each.versions:
            continue
        params, results = each.type.params, each.type.results
        if draw.random() < 0.02:
            params = draw.choice(((), ("i64",), ("f32", "i32")))
        value = "".join(f"({kind}.const {draw.choice(NUMBERS)})" for kind in results)
        exports.append(
            f'(func (export "{each.name}") (param {" ".join(params)})'
            f" {f'(result {results[0]})' if results else ''} {body()} {value})"
        )
    odd_allocator = draw.random() < 0.15
    allocator = draw.choice(
        (f'(func (export "malloc") (param i32) (result i32) {body()} (i32.const {draw.choice(NUMBERS)}))',)
        if not odd_allocator else
        ("", f'(func (export "malloc") (param i32) (result i32) {body()} (i32.const {draw.choice(NUMBERS)}))',
         '(func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 8))',
         '(func (export "malloc") (param i64) (result i32) (i32.const 8))')
    )  # fmt: skip
    start = f"(func $start {body()}) (start $start)" if draw.random() < 0.1 else ""
    table = '(table (export "__indirect_function_table") 2 funcref)' if draw.random() < 0.2 else ""
    text = f"""(module {" ".join(imports)} {memory} {table} (func $deep (call $deep))
      (func (export "{marker(version)}")) {allocator} {" ".join(exports)} {start})"""
    return bytes(wasmtime.wat2wasm(text))


def seeds(draw: random.Random, count: int) -> list[bytes]:
    """Modules to break."""
    return [random_module(draw) for _ in range(count)]


def broken(draw: random.Random, data: bytes, others: list[bytes]) -> bytes:
    """The bytes of a module, changed here and there."""
    raw = bytearray(data)
    for _ in range(draw.choice((1, 1, 2, 4, 8))):
        at = draw.randrange(len(raw)) if raw else 0
        match draw.randrange(6):
            case 0 if raw:
                raw[at] = draw.randrange(256)
            case 1 if raw:
                raw[at] ^= 1 << draw.randrange(8)
            case 2:
                del raw[at : at + draw.randint(1, 16)]
            case 3:
                raw[at:at] = draw.randbytes(draw.randint(1, 8))
            case 4:
                raw[at : at + 5] = b"\xff\xff\xff\xff\x0f"
            case _:
                other = draw.choice(others)
                cut = draw.randrange(len(other))
                raw[at:] = other[cut:]
    if draw.random() < 0.5:
        raw[:8] = struct.pack("<4sI", b"\0asm", 1)
    return bytes(raw)


def tried(data: bytes, *, run: bool) -> str:
    """What becomes of a module: how far it got. Only errors of ours may come of one."""
    try:
        module = Module(data)
        assert module.digest
        _ = module.imports, module.exports, module.abi
        module.check()
        if not run:
            return "checked"
        plugin = Plugin(module, name="random", limits=Limits(callback_seconds=2, memory_bytes=64 << 20))
        with Proxy([plugin], Response(200, [("x", "y")], b"body"), trace=False) as proxy:
            exchange = proxy.send(Request("POST", "/", [("a", "b")], b"body"))
            return exchange.outcome
    except WasmhubError as error:
        return type(error).__name__
