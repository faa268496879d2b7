"""The report of ``inspect``: what a module is and wants, and which Envoy takes it."""

from __future__ import annotations

import wasmtime

from wasmhub_magics import build
from wasmhub_magics.cli import main
from wasmhub_magics.inspection import inspect
from wasmhub_magics.module import Module
from wasmhub_magics.plugin import Plugin

HEAD = """
(memory (export "memory") 2)
(func (export "proxy_abi_version_0_2_1"))
(func (export "malloc") (param i32) (result i32) (i32.const 65536))
"""
C = """
#include "proxy_wasm.h"
pw_action proxy_on_request_headers(uint32_t context, uint32_t count, bool end) { return PW_CONTINUE; }
"""


def plugin(text):
    return Plugin(Module(bytes(wasmtime.wat2wasm(f"(module {text})"))), name="probe")


def test_a_filter_is_told_by_type_parts_and_cost():
    report = build(C, "c", "probe").inspect()
    assert (report.kind, report.abi) == ("Proxy-Wasm filter for HTTP, ABI 0.2.1", "0.2.1")
    assert report.loads == {"1.33": True, "1.37": True, "1.40": True}
    assert {item.name: item.about for item in report.exports}["proxy_on_request_headers"] == "callback"
    assert sum(size for _, size in report.sections) < report.size
    assert report.cost.code_bytes > 0
    assert report.cost.memory_bytes % 65536 == 0
    assert report.cost.compile_seconds > 0 < report.cost.start_seconds
    assert any(name == "clang" for name, _ in report.producers)


def test_an_import_that_came_later_is_refused_by_earlier_releases_alone():
    late = '(import "wasi_snapshot_preview1" "clock_res_get" (func (param i32 i32) (result i32)))'
    report = inspect(plugin(late + HEAD), measure=False)
    assert report.loads == {"1.33": False, "1.37": False, "1.40": True}
    (item,) = report.imports
    assert item.verdicts[2] == ""
    assert "Envoy 1.37 does not offer wasi_snapshot_preview1.clock_res_get" in repr(report)


def test_a_release_that_is_not_known_is_a_warning_and_judged_by_the_one_before_it():
    late = '(import "wasi_snapshot_preview1" "clock_res_get" (func (param i32 i32) (result i32)))'
    report = inspect(plugin(late + HEAD), ["1.36", "1.99", "1.2"], measure=False)
    assert report.loads == {"1.36": False, "1.99": True, "1.2": False}
    assert len(report.warnings) == 3


def test_a_module_that_no_proxy_takes_is_reported_and_not_refused():
    report = inspect(plugin('(import "env" "nothing" (func)) (func (export "_start"))'))
    assert report.kind == "a WASI program, no Proxy-Wasm filter"
    assert not any(report.loads.values())
    assert report.cost is None
    assert "no proxy offers env.nothing" in repr(report)


def test_a_module_that_does_not_start_says_why():
    report = inspect(plugin(HEAD + '(func (export "_initialize") unreachable)'))
    assert "_initialize failed" in report.cost.failed
    assert "does not start" in repr(report)


def test_a_network_filter_and_stripped_names_are_told():
    data = '(func (export "proxy_on_new_connection") (param i32) (result i32) (i32.const 0))'
    report = inspect(plugin(HEAD + data), measure=False)
    assert report.kind == "Proxy-Wasm filter for TCP, ABI 0.2.1"
    assert (report.names, report.debug_info) == ("stripped", "none")


def test_positions_of_the_source_are_seen():
    from wasmhub_magics.build import BuildOptions

    report = build(C, "c", "probe", options=BuildOptions(debug=True)).inspect(measure=False)
    assert report.debug_info == "present"
    assert report.names != "stripped"


def test_the_report_has_a_table_and_nothing_in_it_is_markup_of_the_module():
    report = inspect(plugin(HEAD + '(func (export "<b>bold</b>"))'), measure=False)
    assert "<b>bold</b>" not in report._repr_html_()
    assert "4 exports" in report._repr_html_()


def test_the_command_line_tells_whether_all_releases_take_it(tmp_path, capsys):
    good, bad = tmp_path / "good.wasm", tmp_path / "bad.wasm"
    good.write_bytes(plugin(HEAD).module.data)
    bad.write_bytes(plugin("").module.data)
    assert main(["inspect", str(good)]) == 0
    assert main(["inspect", str(bad), "--envoy", "1.40"]) == 1
    assert "declares no ABI version" in capsys.readouterr().out
