"""Zig: its compiler's messages in cell lines, its module at work, the same in the real Envoy."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from wasmhub_magics.abi import HOST_FUNCTIONS
from wasmhub_magics.build import BuildOptions, build_module
from wasmhub_magics.build.zig import CALLBACKS, GUEST, Zig
from wasmhub_magics.envoy import EnvoyProxy, verify
from wasmhub_magics.errors import BuildError, CompileError, StartError, ToolchainMissing
from wasmhub_magics.http import Request, Response
from wasmhub_magics.module import Module
from wasmhub_magics.plugin import Plugin, encode_config
from wasmhub_magics.proxy import Proxy

CELL = BuildOptions(first_line=2)
IMPORT = 'const pw = @import("proxy_wasm");\n'


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """One cache for all: the compiler's runtime library is compiled once."""
    monkeypatch.setenv("WASMHUB_CACHE", str(tmp_path_factory.getbasetemp() / "languages"))


def build(source: str, options: BuildOptions = CELL) -> Module:
    return build_module(IMPORT + source, "zig", options=options).module


def plugin(source: str, config: Any = None) -> Plugin:
    return Plugin(build(source), "filter", configuration=encode_config(config))


def failure(source: str, options: BuildOptions = CELL) -> CompileError:
    with pytest.raises(CompileError) as caught:
        build(source, options)
    return caught.value


GATE = """
const std = @import("std");
const log = std.log.scoped(.gate);
const Config = struct { token: []const u8, suffix: []const u8 = "!" };
var config: Config = undefined;
var paths: pw.PerStream([]const u8) = .init("");

pub fn onConfigure(plugin: pw.Plugin) !void {
    config = try plugin.parse(Config);
    log.info("token of {d} bytes", .{config.token.len});
}

pub fn onRequestHeaders(stream: pw.Stream) !pw.Action {
    const headers = stream.request.headers;
    const token = try headers.get("x-token") orelse "";
    if (!std.mem.eql(u8, token, config.token)) {
        const why: pw.Header = .{ .name = "x-why", .value = "token" };
        return stream.respond(403, .{ .headers = &.{why}, .body = "no\\n" });
    }
    (try paths.of(stream)).* = try pw.allocator.dupe(u8, (try headers.get(":path")).?);
    try headers.remove("x-token");
    try headers.remove("content-length");
    try headers.add("x-tag", "a");
    try headers.add("x-tag", "b");
    try headers.print("x-tags", "{d}", .{(try headers.getAll("X-Tag")).len});
    return .proceed;
}

pub fn onRequestBody(stream: pw.Stream) !pw.Action {
    if (!stream.end_of_stream) return .pause;
    const body = try stream.request.body.get();
    std.mem.reverse(u8, body);
    try stream.request.body.set(body);
    try stream.request.body.append(config.suffix);
    return .proceed;
}

pub fn onResponseHeaders(stream: pw.Stream) !void {
    try stream.response.headers.set("x-path", (try paths.of(stream)).*);
}

pub fn onDelete(stream: pw.Stream) !void {
    pw.allocator.free((try paths.of(stream)).*);
}
"""


def test_a_filter_of_headers_bodies_and_configuration_does_the_same_in_envoy() -> None:
    gate = plugin(GATE, {"token": "sesame", "more": [1]})
    requests = [
        Request("GET", "/a"),
        Request("GET", "/b", {"x-token": "sesame"}),
        Request("POST", "/c", {"x-token": "sesame", "content-length": "6"}, b"abcdef", chunks=[2, 2]),
    ]
    report = verify([gate], requests)
    assert report.agrees, report
    refused, plain, posted = (embedded for embedded, _ in report.exchanges)
    assert (refused.response.status, refused.response.headers["x-why"]) == (403, "token")
    assert plain.upstream_request.headers["x-tags"] == "2"
    assert "x-token" not in plain.upstream_request.headers
    assert posted.upstream_request.body == b"fedcba!"
    assert posted.response.headers["x-path"] == "/c"


def test_a_configuration_of_another_shape_refuses_the_start() -> None:
    with pytest.raises(StartError, match=r"onConfigure refused: error\.MissingField"):
        Proxy(plugin(GATE, {"tokens": 1})).close()


def test_memory_stays_flat_over_many_requests() -> None:
    with Proxy(plugin(GATE, {"token": "t"}), Response(200)) as proxy:
        request = Request("POST", "/" + "p" * 900, {"x-token": "t"}, b"b" * 9000)
        proxy.loop(request, 500)
        before = proxy.memory
        proxy.loop(request, 20_000)
        assert proxy.memory == before
        assert max(before) < 1 << 20


def test_an_error_is_logged_with_its_callback_and_ends_the_filter() -> None:
    source = "pub fn onRequestHeaders(_: pw.Stream) !void {\n    return error.TooLate;\n}\n"
    with Proxy(plugin(source)) as proxy:
        exchange = proxy.send(Request())
    assert exchange.response.status == 503
    assert (exchange.log[0].level, exchange.log[0].message) == (
        "error",
        "onRequestHeaders: error.TooLate",
    )


def test_a_panic_says_why() -> None:
    source = """pub fn onRequestHeaders(stream: pw.Stream) !void {
        const path = (try stream.request.headers.get(":path")).?;
        try stream.request.headers.set("x", path[3..4]);
    }"""
    with Proxy(plugin(source)) as proxy:
        exchange = proxy.send(Request("GET", "/"))
    assert exchange.response.status == 503
    assert "panic: " in exchange.log[0].message
    assert "index" in exchange.log[0].message


@pytest.mark.parametrize("level", ["speed", "size", "none"])
def test_every_optimisation_level_builds_and_runs(level: str) -> None:
    module = build(GATE, BuildOptions(optimize=level))
    with Proxy(Plugin(module, "gate", configuration=b'{"token": ""}')) as proxy:
        assert proxy.send(Request("GET", "/a")).response.headers["x-path"] == "/a"


def test_debug_keeps_source_lines() -> None:
    source = 'pub fn onLog(_: pw.Stream) void {\n    @panic("no");\n}'
    assert build(source).custom(".debug_line") is None
    debug = build(source, BuildOptions(debug=True))
    assert debug.custom(".debug_line") is not None
    with Proxy(Plugin(debug, "lines")) as proxy:
        assert "(cell.zig line 3)" in proxy.send().log[-1].message


def test_the_same_source_gives_the_same_bytes() -> None:
    one, two = (build_module(IMPORT + GATE, "zig", force=True).module for _ in range(2))
    assert one.digest == two.digest


def test_a_source_that_exports_everything_itself_gets_nothing_else() -> None:
    module = build_module(
        """
        extern "env" fn proxy_log(level: u32, text: [*]const u8, length: usize) u32;
        export fn proxy_abi_version_0_2_0() void {}
        export fn proxy_on_memory_allocate(_: usize) ?*anyopaque { return null; }
        export fn proxy_on_request_headers(_: u32, _: u32, _: bool) u32 { return proxy_log(2, "raw", 3); }
        """,
        "zig",
    ).module
    assert module.abi == "0.2.0"
    assert {each.name for each in module.exports} - {"__stack_pointer"} == {
        *("memory", "proxy_abi_version_0_2_0", "proxy_on_memory_allocate", "proxy_on_request_headers")
    }
    assert module.size < 400


def test_exports_of_the_source_take_the_place_of_ours(guest) -> None:
    host = guest(build('export fn proxy_on_done(_: u32) bool { pw.log(.warn, "mine", .{}); return false; }'))
    assert host("proxy_on_done", 1) == 0
    assert host.log == [(3, "mine")]


# --- messages -------------------------------------------------------------------------------------


def test_an_error_has_its_cell_line_and_a_mark_under_its_place() -> None:
    error = failure("pub fn onLog(_: pw.Stream) void {\n    nope();\n}\n")
    assert error.rendered.splitlines() == [
        "cell:4:5: error: use of undeclared identifier 'nope'",
        "   4 |     nope();",
        "     |     ^^^^",
    ]
    (found,) = error.diagnostics
    assert (found.line, found.column, found.end_line, found.end_column) == (4, 5, 4, 9)


def test_columns_count_characters_also_after_accents_and_emoji() -> None:
    (found,) = failure('pub fn onLog(_: pw.Stream) void { const x = "é😀"; _ = x; nope(); }').diagnostics
    assert (found.line, found.column, found.end_column) == (3, 58, 62)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("pub fn onLog(_: u32) void {}", "onLog is called with (pw.Stream)"),
        ("pub fn onTick() void {}", "onTick is called with (pw.Plugin)"),
        ("pub fn onRequestBody(_: pw.Stream) u8 { return 1; }", "must return void or pw.Action"),
    ],
)
def test_a_callback_of_the_wrong_type_is_shown_the_right_one_in_its_line(source: str, said: str) -> None:
    error = failure(source)
    assert {each.line for each in error.diagnostics} == {3}
    assert said in error.rendered


def test_messages_hold_no_path_of_this_machine() -> None:
    options = BuildOptions(files=(("lib/x.zig", "pub const x = nope;\n"),), origin="a.zig", first_line=2)
    source = 'pub fn onLog(_: pw.Stream) void { _ = @import("lib/x.zig").x; pw.log(.info, "{d}", .{"a"}); }'
    text = failure(source, options).rendered
    assert "lib/x.zig:1:15: error: use of undeclared identifier" in text
    assert str(GUEST) not in text
    assert "/tmp" not in text


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("pub fn onRequestHeader(_: pw.Stream) void {}", "did you mean onRequestHeaders?"),
        ("fn onRequestHeaders(_: pw.Stream) void {}", "is not pub"),
    ],
)
def test_a_callback_that_nobody_calls_is_a_warning_at_its_line(source: str, said: str) -> None:
    (warning,) = build_module(IMPORT + source, "zig", options=CELL).diagnostics
    assert (warning.severity, warning.line) == ("warning", 3)
    assert said in warning.message


def test_an_unknown_flag_is_told() -> None:
    assert "--bar" in failure("", BuildOptions(flags=("--bar",))).rendered


# --- options --------------------------------------------------------------------------------------


def test_names_can_be_defined_and_files_imported(guest) -> None:
    options = BuildOptions(
        defines=(("ANSWER", "42"), ("WHO", 'a "b"'), ("YES", "true")),
        files=(("lib/who.zig", 'pub const text = "lib";'),),
    )
    source = """
    const options = @import("options");
    pub fn onTick(_: pw.Plugin) void {
        const who = @import("lib/who.zig").text;
        if (options.YES) pw.log(.info, "{d} {s} {s}", .{ options.ANSWER + 1, options.WHO, who });
    }
    """
    host = guest(build(source, options))
    host("proxy_on_tick", 1)
    assert host.log == [(2, '43 a "b" lib')]
    with pytest.raises(BuildError, match="cannot be defined"):
        build("", BuildOptions(defines=(("a-b", "1"),)))
    with pytest.raises(BuildError, match="cannot be the name of a source file"):
        build("", BuildOptions(files=(("../x.zig", ""),)))


def test_a_missing_compiler_is_one_sentence_with_the_command() -> None:
    with pytest.raises(ToolchainMissing, match="Zig needs its compiler") as caught:
        build_module("", Zig(lambda: None))
    assert "pip install" in caught.value.do


# --- module ---------------------------------------------------------------------------------------


def test_the_module_declares_every_host_function_with_the_type_of_the_abi() -> None:
    functions = [
        each
        for each in HOST_FUNCTIONS.values()
        if "0.2.1" in each.versions and each.name.startswith(("proxy_", "envoy_"))
    ]
    text = (GUEST / "abi.zig").read_text()
    declared = set(re.findall(r'extern "env" fn (\w+)', text))
    assert declared == {each.name for each in functions}
    uses = "".join(
        f"    taken[{i}] = @intFromPtr(&pw.abi.{name});\n" for i, name in enumerate(sorted(declared))
    )
    module = build(
        f"var taken: [99]usize = undefined;\nexport fn take() *anyopaque {{\n{uses}    return &taken;\n}}"
    )
    imports = {each.name: each.type for each in module.imports}
    assert {each.name: each.type for each in functions} == imports


def test_every_callback_of_the_module_is_on_the_page_and_builds() -> None:
    page = (Path(__file__).parents[2] / "docs" / "zig.md").read_text()
    start = (GUEST / "start.zig").read_text()
    assert set(re.findall(r'"(on[A-Z]\w+)"', start)) == set(CALLBACKS)
    assert not [name for name in CALLBACKS if name not in page]
    more = {
        **{name: ", _: pw.Grpc" for name in CALLBACKS if "Grpc" in name},
        "onGrpcClose": ", _: pw.Grpc, _: u32",
        "onHttpCallResponse": ", _: pw.CallResponse",
        "onQueueReady": ", _: pw.Queue",
        "onForeignFunction": ", _: u32, _: pw.Body",
    }
    streams = ("onRequest", "onResponse", "onLog", "onDone", "onDelete")
    source = ""
    for name in CALLBACKS:
        first = "Stream" if name.startswith(streams) else "Plugin"
        source += f"pub fn {name}(_: pw.{first}{more.get(name, '')}) void {{}}\n"
    module = build(source)
    assert module.notes == ()
    assert sum(each.name.startswith("proxy_on_") for each in module.exports) == len(CALLBACKS) - 1 + 2


def test_data_queues_metrics_and_properties_work_in_envoy() -> None:
    source = """
    pub fn onRequestHeaders(_: pw.Stream) !void {
        const metric = try pw.Metric.define(.counter, "seen");
        try metric.increment(2);
        try pw.shared.set("key", "value", null);
        const value = (try pw.shared.get("key")).?;
        const queue = try pw.Queue.register("q");
        try queue.push("item");
        pw.log(.info, "{d} {s} {s} {?s} {?s}", .{
            try metric.get(), value.bytes, (try queue.pop()).?, try queue.pop(), try pw.property("no.such"),
        });
        try pw.setProperty("own", "1");
        pw.log(.info, "{s} {s}", .{ (try pw.property("request.path")).?, (try pw.property("own")).? });
        if (pw.shared.set("key", "other", value.cas +% 77)) |_| {} else |err| pw.log(.info, "{t}", .{err});
    }
    """
    with EnvoyProxy(plugin(source)) as proxy:
        exchange = proxy.send(Request("GET", "/p"))
    messages = [line.message for line in exchange.log]
    assert messages == ["2 value item null null", "/p 1", "CasMismatch"]


def test_a_call_out_is_made_and_its_answer_read(guest) -> None:
    host = guest(
        build(
            """
            pub fn onTick(_: pw.Plugin) !void {
                const headers = [_]pw.Header{.{ .name = ":path", .value = "/" }};
                pw.log(.info, "{d}", .{try pw.httpCall("auth", .{ .headers = &headers, .timeout_ms = 5 })});
            }
            pub fn onHttpCallResponse(_: pw.Plugin, response: pw.CallResponse) !void {
                const status = (try response.headers.get(":status")).?;
                pw.log(.info, "{d} {s} {s}", .{ response.token, status, try response.body.get() });
                const stream: pw.Stream = .{ .id = 9 };
                try stream.activate();
                try stream.request.proceed();
            }
            """
        )
    )
    host("proxy_on_tick", 1)
    ((name, arguments),) = host.calls
    assert (name, host.read(*arguments[:2]), arguments[8]) == ("proxy_http_call", b"auth", 5)
    assert host.read(*arguments[2:4]) == host.encode([(b":path", b"/")])
    host.headers, host.buffers[4] = [(b":status", b"200")], b"ok"
    host("proxy_on_http_call_response", 1, 7, 1, 2, 0)
    assert host.log[-1] == (2, "7 200 ok")
    assert host.calls[1:] == [("proxy_set_effective_context", (9,)), ("proxy_continue_stream", (0,))]
