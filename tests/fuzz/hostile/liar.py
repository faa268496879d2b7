"""A filter that calls host functions as a program of bytes says, with whatever arguments.

The program stands in the filter's memory: a byte for the function, then its arguments as they are. Byte 0 and
four bytes end the running callback with that number, byte 255 traps. Its allocator can lie as well.
"""

from __future__ import annotations

import struct
from functools import cache

import wasmtime

from wasmhub_magics.abi import CALLBACKS, HOST_FUNCTIONS, HostFunction
from wasmhub_magics.module import Module

__all__ = [
    "BLOB",
    "BLOB_SIZE",
    "CELLS",
    "DICTIONARY",
    "FUNCTIONS",
    "PROGRAM",
    "PROGRAM_SIZE",
    "RESULTS",
    "WORDS",
    "liar",
    "memory_image",
]

RESULTS = 0x100
"""Where results are asked to go."""
CELLS = 0x10
"""Words: where the program stands, where it ends, how the allocator lies, what it says then, what a callback
returns, and how many steps are left until it has ended wherever it stands."""
DICTIONARY, BLOB, BLOB_SIZE, PROGRAM, PROGRAM_SIZE, HEAP = 0x1000, 0x6000, 0x800, 0x8000, 0x2000, 0x10000
START = ("_initialize", "_start", "main", "__main_void")


def _pairs(*pairs: tuple[bytes, bytes]) -> bytes:
    sizes = b"".join(struct.pack("<II", len(name), len(value)) for name, value in pairs)
    return struct.pack("<I", len(pairs)) + sizes + b"".join(n + b"\0" + v + b"\0" for n, v in pairs)


CALL = _pairs((b":method", b"GET"), (b":path", b"/"), (b":authority", b"a"), (b"x", b"y"))
TEXTS = (
    *(b"", b":path", b":method", b":authority", b":status", b":scheme", b"host", b"x-a", b"X-B", b"cookie"),
    *(b"content-length", b"content-type", b"te", b"grpc-status", b"x-request-id", b"x-envoy-retry-on"),
    *(
        b"auth",
        b"rpc",
        b"upstream",
        b"nobody",
        b"GET",
        b"HEAD",
        b"/",
        b"200",
        b"0",
        b"12",
        b"trailers",
        b"a, b",
    ),
    *(b"request\0path", b"request\0headers\0x-a", b"request", b"response\0code", b"response\0trailers"),
    *(
        b"xds\0cluster_name",
        b"plugin_name",
        b"mine",
        b"filter_state\0wasm.mine",
        b"upstream\0address",
        b"\0",
        b"a\0\0b",
    ),
    *(b"metadata\0filter_metadata", b"node", b"connection\0id", b"source\0port", b"request\0time"),
    *(b"compress", b"uncompress", b"clear_route_cache", b"set_envoy_filter_state", b"declare_property"),
    *(b"expr_create", b"expr_evaluate", b"expr_delete", b"verify_signature", b"sign", b"request.path == '/'"),
    *(
        b"metric",
        b"queue",
        b"key",
        b"\xff\xfe",
        b"x" * 300,
        b"\x0a\x03abc\x12\x03def\x18\x01",
        b"\x0a\xff\xff\xff\xff\x0f",
    ),
    *(b"x\x9c\x03\0\0\0\0\x01", b"\x78\x9c\xed\xc1", CALL, _pairs(), _pairs((b"x-a", b"1"), (b"x-a", b"2"))),
    *(
        b"\xff\xff\xff\xff",
        b"\1\0\0\0\xff\xff\xff\xff\1\0\0\0",
        struct.pack("<I", 1024) + bytes(8192),
        b"\1\0\0\0",
    ),
    *(struct.pack("<IIII", 0x1000, 8, 0xFFFFFFF0, 9), struct.pack("<IIII", 0x1000, 0, 0x1000, 5)),
)


def _layout() -> tuple[dict[int, int], bytes]:
    places, data = {}, b""
    for text in TEXTS:
        places[DICTIONARY + len(data)] = len(text)
        data += text + b"\0"
    assert len(data) <= BLOB - DICTIONARY
    return places, data


WORDS, _DATA = _layout()
"""Where texts of the dictionary stand, and their sizes."""
FUNCTIONS: tuple[HostFunction, ...] = tuple(
    each for each in HOST_FUNCTIONS.values() if "0.2.1" in each.versions and each.module != "wasi_unstable"
)
"""The functions by the byte that calls them, from 1."""


@cache
def liar() -> Module:
    """The filter."""
    return Module(bytes(wasmtime.wat2wasm(_text())))


def _text() -> str:
    imports, bodies = [], []
    for number, each in enumerate(FUNCTIONS):
        kinds = each.type.params
        result = f"(result {each.type.results[0]})" if each.type.results else ""
        imports.append(
            f'(import "{each.module}" "{each.name}" (func $h{number} (param {" ".join(kinds)}) {result}))'
        )
        loads, at = [], 1
        for kind in kinds:
            loads.append(f"({kind}.load offset={at} (local.get $at))")
            at += 8 if kind == "i64" else 4
        call = f"(call $h{number} {' '.join(loads)})"
        bodies.append(
            f"(i32.store (i32.const {CELLS}) (i32.add (local.get $at) (i32.const {at})))"
            f"{f'(drop {call})' if result else call} (return (i32.const 0))"
        )
    opens = "".join(f"(block $c{number} " for number in reversed(range(len(FUNCTIONS))))
    table = " ".join(f"$c{number}" for number in range(len(FUNCTIONS)))
    calls = "".join(f") {body}" for body in bodies)
    data = "".join(f"\\{byte:02x}" for byte in _DATA)
    return f"""(module
{" ".join(imports)}
(memory (export "memory") 4 32)
(data (i32.const {DICTIONARY}) "{data}")
(func (export "proxy_abi_version_0_2_1"))
(global $heap (mut i32) (i32.const {HEAP}))
(global $depth (mut i32) (i32.const 0))
(func $step (result i32) (local $at i32) (local $op i32)
  (local.set $at (i32.load (i32.const {CELLS})))
  (if (i32.ge_u (local.get $at) (i32.load (i32.const {CELLS + 4}))) (then
    (i32.store (i32.const {CELLS + 16}) (i32.const 0)) (return (i32.const 1))))
  (if (i32.ge_u (local.get $at) (i32.const {PROGRAM + PROGRAM_SIZE})) (then
    (i32.store (i32.const {CELLS + 16}) (i32.const 0)) (return (i32.const 1))))
  (if (i32.eqz (i32.load (i32.const {CELLS + 20}))) (then
    (i32.store (i32.const {CELLS}) (i32.load (i32.const {CELLS + 4}))) (return (i32.const 1))))
  (i32.store (i32.const {CELLS + 20}) (i32.sub (i32.load (i32.const {CELLS + 20})) (i32.const 1)))
  (local.set $op (i32.load8_u (local.get $at)))
  (if (i32.eq (local.get $op) (i32.const 255)) (then unreachable))
  (block $wrong (block $stop {opens} (block $dispatch
    (br_table $stop {table} $wrong (local.get $op))){calls})
  (i32.store (i32.const {CELLS + 16}) (i32.load offset=1 (local.get $at)))
  (i32.store (i32.const {CELLS}) (i32.add (local.get $at) (i32.const 5)))
  (return (i32.const 1)))
  (i32.store (i32.const {CELLS}) (i32.add (local.get $at) (i32.const 1)))
  (i32.const 0))
(func $play (result i32)
  (loop $go (br_if $go (i32.eqz (call $step))))
  (i32.load (i32.const {CELLS + 16})))
(func (export "malloc") (param i32) (result i32) (local $how i32) (local $at i32)
  (local.set $how (i32.load (i32.const {CELLS + 8})))
  (if (i32.eq (local.get $how) (i32.const 1)) (then (return (i32.const 0))))
  (if (i32.eq (local.get $how) (i32.const 2)) (then (return (i32.load (i32.const {CELLS + 12})))))
  (if (i32.and (i32.eq (local.get $how) (i32.const 3)) (i32.lt_u (global.get $depth) (i32.const 3))) (then
    (global.set $depth (i32.add (global.get $depth) (i32.const 1)))
    (drop (call $step))
    (global.set $depth (i32.sub (global.get $depth) (i32.const 1)))))
  (if (i32.and (i32.eq (local.get $how) (i32.const 4)) (i32.const 1)) (then
    (drop (memory.grow (i32.const 1)))))
  (local.set $at (global.get $heap))
  (if (i32.gt_u (i32.add (local.get $at) (local.get 0)) (i32.const 0x3fff0)) (then
    (local.set $at (i32.const {HEAP}))))
  (global.set $heap (i32.and (i32.add (i32.add (local.get $at) (local.get 0)) (i32.const 7)) (i32.const -8)))
  (if (i32.gt_u (global.get $heap) (i32.const 0x3fff0)) (then (global.set $heap (i32.const {HEAP}))))
  (local.get $at))
{_callbacks()})"""


def _callbacks() -> str:
    text = []
    for each in CALLBACKS:
        if "0.2.1" not in each.versions or each.name in (*START, "malloc", "proxy_on_memory_allocate"):
            continue
        params = f"(param {' '.join(each.type.params)})" if each.type.params else ""
        if each.name in ("proxy_on_vm_start", "proxy_on_configure"):
            body, result = "(drop (call $play)) (i32.const 1)", "(result i32)"
        elif each.type.results:
            body, result = "(call $play)", "(result i32)"
        else:
            body, result = "(drop (call $play))", ""
        text.append(f'(func (export "{each.name}") {params} {result} {body})')
    return "\n".join(text)


def memory_image(blob: bytes, program: bytes) -> bytes:
    """What stands in the filter's memory from ``DICTIONARY`` on when a case begins."""
    head = _DATA.ljust(BLOB - DICTIONARY, b"\0") + blob[:BLOB_SIZE].ljust(PROGRAM - BLOB, b"\0")
    return head + program[:PROGRAM_SIZE]
