"""Modules from anywhere: whatever they are and whatever they claim, nothing breaks."""

from __future__ import annotations

import pytest
import wasmtime

from wasmhub_magics.errors import LinkError, MalformedModule, StartError
from wasmhub_magics.http import Request, Response
from wasmhub_magics.module import Module
from wasmhub_magics.plugin import Plugin
from wasmhub_magics.proxy import Proxy

FILTER = """(module
  {imports}
  (memory (export "memory") 1)
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "malloc") (param i32) (result i32) {malloc})
  {body})"""


def module(imports="", body="", malloc="i32.const 1024"):
    return Module(bytes(wasmtime.wat2wasm(FILTER.format(imports=imports, body=body, malloc=malloc))))


def on_request(calls):
    return f'(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) {calls} i32.const 0)'


def send(given, **options):
    with Proxy(given, Response(200), **options) as proxy:
        return proxy.send(Request())


@pytest.mark.parametrize("data", [b"", b"\0asm", b"\0asm\1\0\0\0\1", b"not a module at all"])
def test_bytes_that_are_no_module_are_refused(data):
    with pytest.raises(MalformedModule):
        Proxy(Module(data))


def test_a_module_that_is_cut_off_is_refused(puppet_module):
    with pytest.raises(MalformedModule):
        Proxy(Module(puppet_module.data[:5000]))


def test_code_that_is_not_valid_is_refused():
    good = module(body='(func (export "f") (result i32) i32.const 7)').data
    with pytest.raises((LinkError, MalformedModule, Exception), match="compiled"):
        Proxy(Module(good.replace(b"\x41\x07\x0b", b"\x01\x01\x0b")))


def test_a_module_without_a_marker_is_refused():
    data = wasmtime.wat2wasm('(module (memory (export "memory") 1))')
    with pytest.raises(LinkError, match="ABI version"):
        Proxy(Module(bytes(data)))


def test_an_unknown_import_is_refused_by_name():
    with pytest.raises(LinkError, match="proxy_no_such_thing"):
        Proxy(module('(import "env" "proxy_no_such_thing" (func))'))


def test_a_callback_with_a_wrong_signature_is_refused():
    with pytest.raises(LinkError, match="proxy_on_request_headers"):
        Proxy(module(body='(func (export "proxy_on_request_headers") (param i32) (result i32) i32.const 0)'))


def test_a_filter_without_callbacks_lets_everything_pass():
    assert send(module()).response.status == 200


def test_a_memory_that_is_imported_is_made_as_envoy_does():
    data = wasmtime.wat2wasm(
        '(module (import "env" "memory" (memory 1)) (func (export "proxy_abi_version_0_2_1"))'
        ' (func (export "malloc") (param i32) (result i32) i32.const 8))'
    )
    assert send(Module(bytes(data))).response.status == 200


GET = '(import "env" "proxy_get_header_map_value" (func $get (param i32 i32 i32 i32 i32) (result i32)))'
LOG = '(import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))'
ADD = '(import "env" "proxy_add_header_map_value" (func $add (param i32 i32 i32 i32 i32) (result i32)))'
BUFFER = '(import "env" "proxy_get_buffer_bytes" (func $buffer (param i32 i32 i32 i32 i32) (result i32)))'
TIME = '(import "env" "proxy_get_current_time_nanoseconds" (func $time (param i32) (result i32)))'
PAIRS = '(import "env" "proxy_set_header_map_pairs" (func $pairs (param i32 i32 i32) (result i32)))'
REPLY = '(import "env" "proxy_send_local_response" (func $reply (param {}) (result i32)))'.format("i32 " * 8)


def numbers(*values):
    return " ".join(f"(i32.const {value})" for value in values)


@pytest.mark.parametrize(
    ("imports", "call"),
    [
        (LOG, f"(call $log {numbers(2, -1, 1)})"),
        (LOG, f"(call $log {numbers(2, 0, -1)})"),
        (LOG, f"(call $log {numbers(2, 65536, 1)})"),
        (LOG, f"(call $log {numbers(2, -16, 32)})"),
        (ADD, f"(call $add {numbers(0, 0, 1, 65535, 2)})"),
        (ADD, f"(call $add {numbers(0, -1, -1, -1, -1)})"),
        (GET, f"(call $get {numbers(0, -1, 5, 0, 4)})"),
        (TIME, f"(call $time {numbers(65529)})"),
        (TIME, f"(call $time {numbers(-1)})"),
        (PAIRS, f"(call $pairs {numbers(0, 0, 65537)})"),
        (REPLY, f"(call $reply {numbers(200, 0, 0, -1, 10, 0, 0, -1)})"),
        (BUFFER, f"(call $buffer {numbers(6, 0, -1, -4, 0)})"),
    ],
)
def test_lying_pointers_and_lengths_are_invalid_memory(imports, call):
    exchange = send(module(imports, on_request(f"(drop {call})")))
    assert exchange.trace.host_calls[0].status == "InvalidMemoryAccess"
    assert exchange.response.status == 200


@pytest.mark.parametrize("at", ["(i32.const 0)", "(i32.const -1)", "(i32.const 65530)"])
def test_an_allocator_that_lies_is_invalid_memory(at):
    body = '(data (i32.const 0) ":authority")' + on_request(
        f"(drop (call $get {numbers(0, 0, 10, 100, 104)}))"
    )
    exchange = send(module(GET, body, malloc=at))
    assert exchange.trace.host_calls[0].status == "InvalidMemoryAccess"


def test_an_allocator_that_logs_is_heard_and_one_that_traps_fails_the_stream():
    body = '(data (i32.const 0) ":authority")' + on_request(
        f"(drop (call $get {numbers(0, 0, 10, 100, 104)}))"
    )
    talks = module(GET + LOG, body, malloc=f"(drop (call $log {numbers(2, 0, 3)})) (i32.const 1024)")
    assert [line.message for line in send(talks).log] == [":au"]
    exchange = send(module(GET, body, malloc="unreachable"))
    assert (exchange.response.status, exchange.details) == (503, "wasm_fail_stream")


WASI = '(import "wasi_snapshot_preview1" "{name}" (func $wasi (param {params}) (result i32)))'


@pytest.mark.parametrize(
    ("name", "params", "call", "errno"),
    [
        ("fd_write", "i32 i32 i32 i32", numbers(1, -8, 1, 0), 21),
        ("fd_write", "i32 i32 i32 i32", numbers(1, 65528, 200, 0), 21),
        ("fd_write", "i32 i32 i32 i32", numbers(7, 0, 1, 0), 8),
        ("random_get", "i32 i32", numbers(65530, 100), 21),
        ("random_get", "i32 i32", numbers(0, 65537), 28),
        ("random_get", "i32 i32", numbers(0, 16), 0),
        ("clock_time_get", "i32 i64 i32", "(i32.const 0) (i64.const 0) (i32.const 65535)", 21),
        ("clock_time_get", "i32 i64 i32", "(i32.const 2) (i64.const 0) (i32.const 0)", 58),
        ("environ_sizes_get", "i32 i32", numbers(-1, 0), 21),
        ("fd_prestat_get", "i32 i32", numbers(3, 0), 8),
        ("fd_read", "i32 i32 i32 i32", numbers(0, 0, 0, 0), 52),
    ],
)
def test_wasi_answers_as_envoy_does(name, params, call, errno):
    imports = WASI.format(name=name, params=params)
    exchange = send(module(imports, on_request(f"(drop (call $wasi {call}))")))
    assert [(call.name, call.result) for call in exchange.trace.host_calls] == [(name, errno)]


def test_standard_output_and_error_are_log_lines_without_their_line_break():
    imports = WASI.format(name="fd_write", params="i32 i32 i32 i32")
    body = '(data (i32.const 0) "\\10\\00\\00\\00\\03\\00\\00\\00\\13\\00\\00\\00\\03\\00\\00\\00one" "two")'
    body = '(data (i32.const 0) "\\10\\00\\00\\00\\03\\00\\00\\00\\13\\00\\00\\00\\04\\00\\00\\00onetwo\\0a")'
    calls = f"(drop (call $wasi {numbers(1, 0, 2, 100)})) (drop (call $wasi {numbers(2, 0, 1, 100)}))"
    exchange = send(module(imports, body + on_request(calls)))
    assert [(line.level, line.message) for line in exchange.log] == [("info", "onetwo"), ("error", "one")]


def test_environment_variables_reach_the_filter():
    imports = WASI.format(name="environ_get", params="i32 i32") + LOG
    body = on_request(f"(drop (call $wasi {numbers(0, 64)})) (drop (call $log {numbers(2, 64, 7)}))")
    plugin = Plugin(module(imports, body), name="f", environment=(("A", "b"), ("C", "d")))
    assert send(plugin).log[0].message == "A=b\0C=d"


def test_proc_exit_returns_with_a_warning():
    imports = '(import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))'
    exchange = send(module(imports, on_request("(call $exit (i32.const 3)) unreachable")))
    assert "proc_exit(3)" in exchange.warnings[0]
    assert exchange.details == "wasm_fail_stream"


@pytest.mark.parametrize("start", ["_initialize", "_start"])
def test_start_functions_run_before_anything_else(start):
    body = f'(data (i32.const 0) "early") (func (export "{start}") (drop (call $log {numbers(2, 0, 5)})))'
    with Proxy(module(LOG, body)) as proxy:
        assert [line.message for line in proxy.log] == ["early"]


def test_main_follows_initialize():
    body = f"""(data (i32.const 0) "ab")
      (func (export "_initialize") (drop (call $log {numbers(2, 0, 1)})))
      (func (export "main") (param i32 i32) (result i32)
        (drop (call $log {numbers(2, 1, 1)})) (i32.const 0))"""
    with Proxy(module(LOG, body)) as proxy:
        assert [line.message for line in proxy.log] == ["a", "b"]


def test_a_start_section_that_traps_is_a_start_error():
    with pytest.raises(StartError, match="unreachable"):
        Proxy(module(body="(func $s unreachable) (start $s)"))


def test_data_segments_arrive_in_memory_whether_or_not_they_were_compiled_in():
    body = f'(data (i32.const 65530) "abcdef") {on_request(f"(drop (call $log {numbers(2, 65530, 6)}))")}'
    assert send(module(LOG, body)).log[0].message == "abcdef"
    other = body.replace("abcdef", "ghijkl")
    assert send(module(LOG, other)).log[0].message == "ghijkl"


def test_a_data_segment_outside_the_memory_is_refused():
    with pytest.raises(Exception, match=r"does not fit|out of bounds"):
        Proxy(module(body='(data (i32.const 65535) "ab")'))
