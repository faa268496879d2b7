"""C++: the names of the C++ SDK at work, messages in cell lines, the same in the real Envoy."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from wasmhub_magics.abi import HOST_FUNCTIONS
from wasmhub_magics.build import BuildOptions, build_module, cpp_library, language_of
from wasmhub_magics.build.cache import cache_root
from wasmhub_magics.build.clang import find_ziglang
from wasmhub_magics.build.cpp import CALLBACKS, GUEST, INCLUDE, Cpp
from wasmhub_magics.build.cpp_toolchain import find_clang_cpp
from wasmhub_magics.build.language import Toolchain
from wasmhub_magics.envoy import EnvoyProxy, verify
from wasmhub_magics.errors import BuildError, CompileError, StartError, ToolchainMissing
from wasmhub_magics.http import Request, Response
from wasmhub_magics.module import Module
from wasmhub_magics.plugin import Plugin, encode_config
from wasmhub_magics.proxy import Proxy

CELL = BuildOptions(first_line=2)
HEADER = '#include "proxy_wasm_intrinsics.h"\n'


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """One cache for all: the runtime is compiled once."""
    monkeypatch.setenv("WASMHUB_CACHE", str(tmp_path_factory.getbasetemp() / "languages"))


def build(source: str, options: BuildOptions = CELL) -> Module:
    return build_module(HEADER + source, "cpp", options=options).module


def stream(body: str, before: str = "") -> str:
    """A filter with these methods of its context, all on one line each."""
    return (
        f"{before}class Mine : public Context {{ public: using Context::Context; {body} }};\n"
        "static RegisterContextFactory mine(CONTEXT_FACTORY(Mine));\n"
    )


def on_request(statements: str, before: str = "") -> str:
    return stream(
        f"FilterHeadersStatus onRequestHeaders(uint32_t, bool) override {{ {statements} "
        "return FilterHeadersStatus::Continue; }",
        before,
    )


def plugin(source: str, config: Any = None, options: BuildOptions = CELL, root_id: str = "") -> Plugin:
    return Plugin(build(source, options), "filter", configuration=encode_config(config), root_id=root_id)


def failure(source: str, options: BuildOptions = CELL) -> CompileError:
    with pytest.raises(CompileError) as caught:
        build(source, options)
    return caught.value


GATE = """
#include <map>

class Root : public RootContext {
public:
  explicit Root(uint32_t id, std::string_view root_id) : RootContext(id, root_id) {}
  bool onConfigure(size_t size) override {
    auto configuration = getBufferBytes(WasmBufferType::PluginConfiguration, 0, size);
    token = configuration->toString();
    LOG_INFO("token of " + std::to_string(token.size()) + " bytes");
    return !token.empty();
  }
  std::string token;
};

class Gate : public Context {
public:
  explicit Gate(uint32_t id, RootContext *root) : Context(id, root), root_(static_cast<Root *>(root)) {}

  FilterHeadersStatus onRequestHeaders(uint32_t headers, bool end_of_stream) override {
    if (getRequestHeader("x-token")->view() != root_->token) {
      sendLocalResponse(403, "no_token", "no\\n", {{"x-why", "token"}, {"x-count", std::to_string(headers)}});
      return FilterHeadersStatus::StopIteration;
    }
    path_ = getRequestHeader(":path")->toString();
    removeRequestHeader("x-token");
    removeRequestHeader("content-length");
    addRequestHeader("x-tag", "a");
    addRequestHeader("x-tag", "b");
    std::map<std::string_view, int> seen;
    auto pairs = getRequestHeaderPairs();
    for (auto &[name, value] : pairs->pairs()) seen[name]++;
    replaceRequestHeader("x-tags", std::to_string(seen["x-tag"]));
    size_t bytes = 0;
    if (getRequestHeaderSize(&bytes) != WasmResult::Ok || bytes < 20) abort();
    return FilterHeadersStatus::Continue;
  }

  FilterDataStatus onRequestBody(size_t size, bool end_of_stream) override {
    if (!end_of_stream) return FilterDataStatus::StopIterationAndBuffer;
    auto body = getBufferBytes(WasmBufferType::HttpRequestBody, 0, size)->toString();
    std::string back(body.rbegin(), body.rend());
    size_t length = size;
    setBuffer(WasmBufferType::HttpRequestBody, 0, size, back + "!", &length);
    if (length != size + 1) abort();
    return FilterDataStatus::Continue;
  }

  FilterHeadersStatus onResponseHeaders(uint32_t, bool) override {
    std::string protocol;
    if (getValue({"request", "protocol"}, &protocol)) addResponseHeader("x-protocol", protocol);
    int64_t code = 0;
    if (getValue({"response", "code"}, &code)) addResponseHeader("x-code", std::to_string(code));
    addResponseHeader("x-path", path_);
    return FilterHeadersStatus::Continue;
  }

private:
  Root *root_;
  std::string path_;
};

static RegisterContextFactory gate(CONTEXT_FACTORY(Gate), ROOT_FACTORY(Root));
"""


def test_a_filter_of_headers_bodies_and_configuration_does_the_same_in_envoy() -> None:
    requests = [
        Request("GET", "/a"),
        Request("GET", "/b", {"x-token": "sesame"}),
        Request("POST", "/c", {"x-token": "sesame", "content-length": "6"}, b"abcdef", chunks=[2, 2]),
    ]
    report = verify([plugin(GATE, "sesame")], requests)
    assert report.agrees, report
    refused, plain, posted = (embedded for embedded, _ in report.exchanges)
    assert (refused.response.status, refused.response.headers["x-why"]) == (403, "token")
    assert plain.upstream_request.headers["x-tags"] == "2"
    assert "x-token" not in plain.upstream_request.headers
    assert posted.upstream_request.body == b"fedcba!"
    assert (posted.response.headers["x-path"], posted.response.headers["x-protocol"]) == ("/c", "HTTP/1.1")
    assert posted.response.headers["x-code"] == "200"


def test_a_configuration_that_is_refused_refuses_the_start() -> None:
    with pytest.raises(StartError):
        Proxy(plugin(GATE, "")).close()


def test_memory_stays_flat_over_many_requests() -> None:
    with Proxy(plugin(GATE, "t"), Response(200)) as proxy:
        request = Request("POST", "/" + "p" * 900, {"x-token": "t"}, b"b" * 9000)
        proxy.loop(request, 500)
        before = proxy.memory
        proxy.loop(request, 20_000)
        assert proxy.memory == before
        assert max(before) < 1 << 20


WORLD = """
static Counter<std::string, int> *seen;

class Root : public RootContext {
public:
  using RootContext::RootContext;
  bool onStart(size_t) override {
    seen = Counter<std::string, int>::New("seen", "method", "length");
    return true;
  }
  bool onConfigure(size_t) override {
    proxy_set_tick_period_milliseconds(100);
    return registerSharedQueue("q", &queue) == WasmResult::Ok;
  }
  void onTick() override { ticks++; logInfo("tick"); }
  void onQueueReady(uint32_t token) override {
    WasmDataPtr item;
    if (dequeueSharedQueue(token, &item) == WasmResult::Ok) logInfo("queue " + item->toString());
  }
  uint32_t queue = 0, ticks = 0;
};

class World : public Context {
public:
  using Context::Context;
  FilterHeadersStatus onRequestHeaders(uint32_t, bool) override {
    auto path = getRequestHeader(":path")->toString();
    seen->increment(2, getRequestHeader(":method")->toString(), static_cast<int>(path.size()));
    auto get = seen->resolve("GET", 5);
    get++;
    Gauge<bool>("open", "tls").record(7, false);
    Histogram<>("size").record(9);
    Metric total(MetricType::Counter, "total", {MetricTag{"kind", MetricTag::TagType::String}});
    total.increment(3, "all");
    logInfo("metrics " + std::to_string(get.get()) + " " + std::to_string(total.get("all")));

    uint32_t cas = 0;
    WasmDataPtr value;
    if (getSharedData("key", &value, &cas) == WasmResult::NotFound) setSharedData("key", "first");
    getSharedData("key", &value, &cas);
    logInfo("shared " + value->toString() + " " + toString(setSharedData("key", "later", cas + 1)) + " " +
            toString(setSharedData("key", "second", cas)) + " " + getSharedDataValue("key")->toString());
    auto token = static_cast<Root *>(root())->queue;
    enqueueSharedQueue(token, path);

    auto squeezed = callForeignFunction("compress", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    auto again = callForeignFunction("uncompress", (*squeezed)->view());
    logInfo("foreign " + (*again)->toString() + " " + (callForeignFunction("nope", "") ? "yes" : "no"));
    setFilterState("mark", "left");
    logInfo("property " + getProperty({"mark"}).value()->toString() +
            (getProperty(std::vector<std::string>{"nope"}) ? "?" : "") +
            (getCurrentTimeNanoseconds() > 1600000000000000000u ? " now" : ""));

    auto result = root()->httpCall(
        "auth", {{":method", "POST"}, {":path", "/check"}, {":authority", "auth"}, {"x-of", path}}, "body",
        {}, 999, [this](uint32_t headers, size_t body_size, uint32_t) {
          auto map = WasmHeaderMapType::HttpCallResponseHeaders;
          auto verdict = getHeaderMapValue(map, "x-verdict")->toString();
          auto body = getBufferBytes(WasmBufferType::HttpCallResponseBody, 0, body_size)->toString();
          setEffectiveContext();
          if (verdict == "yes") {
            addRequestHeader("x-auth", verdict + " " + body);
            continueRequest();
          } else {
            sendLocalResponse(headers ? 401 : 504, "", "refused", {});
          }
        });
    return result == WasmResult::Ok ? FilterHeadersStatus::StopIteration : FilterHeadersStatus::Continue;
  }
  void onLog() override {
    LogLevel level;
    getLogLevel(&level);
    logWarn("log " + getResponseHeader(":status")->toString());
  }
};
static RegisterContextFactory world(CONTEXT_FACTORY(World), ROOT_FACTORY(Root), "here");
"""


@pytest.mark.parametrize("kind", [Proxy, EnvoyProxy])
def test_calls_data_queues_metrics_properties_and_ticks_work_in_both_proxies(kind: Any) -> None:
    def auth(request: Request) -> Response:
        assert (request.method, request.body) == ("POST", b"body")
        good = request.headers["x-of"] == "/good"
        return Response(200, {"x-verdict": "yes" if good else "no"}, b"hello")

    with kind([plugin(WORLD, root_id="here")], clusters={"auth": auth}) as proxy:
        good, bad = proxy.send(Request("GET", "/good")), proxy.send(Request("GET", "/bad"))
        said = [line.message for line in [*good.log, *bad.log, *proxy.log]]
        metrics = list(proxy.metrics)
    assert good.upstream_request is not None
    assert good.upstream_request.headers["x-auth"] == "yes hello"
    assert (bad.response.status, bad.response.body) == (401, b"refused")
    for line in (
        "metrics 3 3",
        "shared first CasMismatch Ok second",
        f"foreign {'a' * 41} no",
        "property left now",
        "queue /good",
        "log 200",
        "log 401",
    ):
        assert line in said, (line, said)
    assert any("GET.length.5.seen" in name for name in metrics), metrics


def test_ticks_come_to_the_plugin() -> None:
    with Proxy(plugin(WORLD, root_id="here")) as proxy:
        proxy.tick()
        assert "tick" in [line.message for line in proxy.log]


def test_grpc_handlers_and_callbacks_get_what_comes(guest) -> None:
    source = stream(
        "FilterHeadersStatus onRequestHeaders(uint32_t, bool) override {"
        " root()->grpcCallHandler("
        '"s", "n", "m", {{"k", "v"}}, "call", 9, std::make_unique<Call>());'
        " return FilterHeadersStatus::Continue; }"
        " FilterHeadersStatus onResponseHeaders(uint32_t, bool) override {"
        ' root()->grpcStreamHandler("s", "n", "m", {}, std::make_unique<Chat>());'
        " return FilterHeadersStatus::Continue; }"
        " FilterTrailersStatus onRequestTrailers(uint32_t) override {"
        ' root()->grpcSimpleCall("s", "n", "m", {}, "simple", 9,'
        ' [](size_t size) { logInfo("simple " + std::to_string(size)); },'
        ' [](GrpcStatus s) { logInfo("simple failed " + std::to_string(static_cast<int>(s))); });'
        " return FilterTrailersStatus::Continue; }"
        " FilterTrailersStatus onResponseTrailers(uint32_t) override {"
        ' root()->grpcSimpleCall("s", "n", "m", {}, Text{}, 9,'
        ' [](GrpcStatus s, size_t size) { logInfo("typed " + std::to_string(size)); });'
        " return FilterTrailersStatus::Continue; }",
        "struct Text { bool SerializeToString(std::string *out) const"
        ' { *out = "message"; return true; } };\n'
        "struct Call : GrpcCallHandlerBase {"
        " void onSuccess(size_t) override { logInfo(getBufferBytes(WasmBufferType::GrpcReceiveBuffer,"
        " 0, 99)->toString()); }"
        ' void onFailure(GrpcStatus s) override { logInfo("failed " + std::to_string(static_cast<int>(s)));'
        " } };\n"
        "struct Chat : GrpcStreamHandler<Text, Text> {"
        ' void onReceiveInitialMetadata(uint32_t n) override { logInfo("initial"); }'
        ' void onReceive(size_t size) override { send(Text{}, false); send(std::string_view("x"), true); }'
        ' void onReceiveTrailingMetadata(uint32_t n) override { logInfo("trailing"); }'
        ' void onRemoteClose(GrpcStatus) override { logInfo("closed"); }'
        ' ~Chat() override { logInfo("gone"); } };\n',
    )
    host = guest(build(source))
    host.properties[b"plugin_root_id"] = b""
    host("proxy_on_context_create", 1, 0)
    host("proxy_on_context_create", 2, 1)
    host.buffers[5] = b"answer"
    host("proxy_on_request_headers", 2, 0, 0)
    host("proxy_on_grpc_receive", 1, 0, 6)
    host("proxy_on_request_headers", 2, 0, 0)
    host("proxy_on_grpc_close", 1, 0, 14)
    host("proxy_on_grpc_close", 1, 0, 14)  # nobody waits any more
    host("proxy_on_request_trailers", 2, 0)
    host("proxy_on_grpc_receive", 1, 0, 4)
    host("proxy_on_request_trailers", 2, 0)
    host("proxy_on_grpc_close", 1, 0, 5)
    host("proxy_on_response_trailers", 2, 0)
    host("proxy_on_grpc_receive", 1, 0, 8)
    host("proxy_on_response_headers", 2, 0, 0)
    host("proxy_on_grpc_receive_initial_metadata", 1, 0, 1)
    host("proxy_on_grpc_receive", 1, 0, 1)
    host("proxy_on_grpc_receive_trailing_metadata", 1, 0, 1)
    host("proxy_on_grpc_close", 1, 0, 0)
    assert [text for _, text in host.log] == [
        *("answer", "failed 14", "simple 4", "simple failed 5", "typed 8"),
        *("initial", "trailing", "closed", "gone"),
    ]
    sent = [name for name, _ in host.calls if "grpc" in name]
    assert sent.count("proxy_grpc_call") == 5
    assert sent.count("proxy_grpc_send") == 2


def test_factories_are_found_by_the_root_id_and_one_plugin_may_find_another() -> None:
    source = """
    struct A : Context { using Context::Context;
      FilterHeadersStatus onRequestHeaders(uint32_t, bool) override {
      addRequestHeader("x-who", "a"); return FilterHeadersStatus::Continue; } };
    struct B : Context { using Context::Context;
      FilterHeadersStatus onRequestHeaders(uint32_t, bool) override {
      addRequestHeader("x-who", getRoot("b") == root() ? "b" : "?");
      return FilterHeadersStatus::Continue; } };
    static RegisterContextFactory a(CONTEXT_FACTORY(A), "a");
    static RegisterContextFactory b(CONTEXT_FACTORY(B), ROOT_FACTORY(RootContext), "b");
    """
    for root_id, who in (("a", "a"), ("b", "b"), ("c", None)):
        with Proxy(plugin(source, root_id=root_id)) as proxy:
            request = proxy.send(Request()).upstream_request
            assert request is not None
            assert request.headers.get("x-who") == who


def test_what_the_standard_library_has_works() -> None:
    source = on_request(
        'std::stringstream s; s << std::hex << 255 << " " << 1.5; '
        'std::string path = getRequestHeader(":path")->toString(); std::smatch m; '
        'if (std::regex_search(path, m, std::regex("/([a-z]+)-([0-9]+)")))'
        ' s << " " << m[1] << std::stoi(m[2]) + 1; '
        'addRequestHeader("x-said", s.str() + " " + std::to_string(std::stod("2.25")));',
        "#include <regex>\n#include <sstream>\n",
    )
    with Proxy(plugin(source)) as proxy:
        request = proxy.send(Request("GET", "/abc-41")).upstream_request
    assert request is not None
    assert request.headers["x-said"] == "ff 1.5 abc2a 2.250000"


@pytest.mark.parametrize("kind", [Proxy, EnvoyProxy])
@pytest.mark.parametrize(
    ("statement", "said"),
    [
        (
            'std::vector<int> v(3); (void)v.at(getRequestHeader(":path")->size() + 9);',
            "std::out_of_range: vector",
        ),
        ('try { throw 7; } catch (...) { logInfo("caught"); }', "the filter threw i"),
        ("throw Refused();", "the filter threw Refused"),
        ("CHECK_RESULT(proxy_set_effective_context(99));", "proxy_set_effective_context(99): BadArgument"),
    ],
)
def test_what_a_filter_throws_is_logged_and_ends_it(kind: Any, statement: str, said: str) -> None:
    with kind([plugin(on_request(statement, "struct Refused {};\n"))]) as proxy:
        exchange = proxy.send(Request())
    assert exchange.response.status == 503
    assert any(said in line.message and line.level == "critical" for line in exchange.log), exchange.log


# --- options --------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", ["speed", "size", "none"])
def test_every_optimisation_level_builds_and_runs(level: Any) -> None:
    with Proxy(plugin(GATE, "t", BuildOptions(optimize=level))) as proxy:
        assert proxy.send(Request("GET", "/a", {"x-token": "t"})).response.headers["x-path"] == "/a"


def test_debug_keeps_source_lines_and_no_path_of_this_machine() -> None:
    source = on_request("abort();")
    plain, debug = build(source), build(source, BuildOptions(debug=True, first_line=2))
    assert plain.custom(".debug_line") is None
    assert debug.custom(".debug_line") is not None
    assert b"cell.cc" in (debug.custom(".debug_line_str") or b"") + (debug.custom(".debug_str") or b"")
    for module in (plain, debug):
        assert str(GUEST).encode() not in module.data
        assert b"site-packages" not in module.data
        assert any("onRequestHeaders" in (module.function_name(i) or "") for i in range(200))
    with Proxy(Plugin(debug, "lines")) as proxy:
        assert "onRequestHeaders(unsigned int, bool) (cell.cc line 3)" in proxy.send().log[-1].message


def test_the_same_source_gives_the_same_bytes_and_names_functions() -> None:
    one, two = (build_module(HEADER + GATE, "cpp", force=True).module for _ in range(2))
    assert one.digest == two.digest
    assert one.size < 200_000


def test_names_can_be_defined_and_further_sources_are_compiled_too() -> None:
    options = BuildOptions(
        defines=(("WHO", '"there"'),),
        files=(
            ("lib/greet.h", "#include <string>\nstd::string greet();\n"),
            ("lib/greet.cc", '#include "lib/greet.h"\nstd::string greet() { return "hello " WHO; }\n'),
        ),
    )
    source = on_request('addRequestHeader("x-said", greet());', '#include "lib/greet.h"\n')
    with Proxy(plugin(source, options=options)) as proxy:
        request = proxy.send(Request()).upstream_request
    assert request is not None
    assert request.headers["x-said"] == "hello there"


def test_flags_go_to_the_compiler_and_to_the_linker() -> None:
    module = build(
        on_request('addRequestHeader("x", std::to_string(__cplusplus));'),
        BuildOptions(flags=("-std=gnu++17", "-Wl,--max-memory=1048576")),
    )
    with Proxy(Plugin(module, "filter")) as proxy:
        request = proxy.send(Request()).upstream_request
    assert request is not None
    assert request.headers["x"] == "201703"
    assert "--bar" in failure("", BuildOptions(flags=("--bar",))).rendered
    assert "--bar" in failure("", BuildOptions(flags=("-Wl,--bar",))).rendered


def test_a_library_comes_by_its_headers_and_its_archive(tmp_path: Path) -> None:
    (tmp_path / "twice.h").write_text("namespace twice { int of(int number); }\n")
    (tmp_path / "twice.cc").write_text('#include "twice.h"\nint twice::of(int n) { return 2 * n; }\n')
    zig = [sys.executable, "-m", "ziglang"]
    compiler = [*zig, "c++", "-target", "wasm32-wasi", "-O2", "-c", "twice.cc", "-o", "twice.o"]
    for command in (compiler, [*zig, "ar", "rcs", "libtwice.a", "twice.o"]):
        subprocess.run(command, cwd=tmp_path, check=True, timeout=240)
    source = on_request('addRequestHeader("x", std::to_string(twice::of(21)));', "#include <twice.h>\n")
    options = BuildOptions(flags=(f"-I{tmp_path}", f"-Wl,{tmp_path / 'libtwice.a'}"))
    with Proxy(plugin(source, options=options)) as proxy:
        request = proxy.send(Request()).upstream_request
    assert request is not None
    assert request.headers["x"] == "42"
    assert "a library by --flag=-IHEADERS" in failure("#include <twice.h>\n").rendered


def test_a_source_on_the_bare_abi_gets_nothing_else() -> None:
    source = """
    #include "proxy_wasm_externs.h"
    #include <cstdlib>
    extern "C" void proxy_abi_version_0_2_0() {}
    extern "C" void *proxy_on_memory_allocate(size_t size) { return malloc(size); }
    extern "C" FilterHeadersStatus proxy_on_request_headers(uint32_t, uint32_t, uint32_t) {
      proxy_log(LogLevel::info, "raw", 3);
      return FilterHeadersStatus::Continue;
    }
    """
    module = build_module(source, "cpp").module
    assert module.abi == "0.2.0"
    assert {each.name for each in module.exports} == {
        *("memory", "_initialize", "proxy_abi_version_0_2_0", "proxy_on_memory_allocate"),
        "proxy_on_request_headers",
    }
    assert module.size < 12_000


def test_a_callback_that_the_source_defines_itself_takes_the_place_of_ours(guest) -> None:
    host = guest(build('WASM_EXPORT(uint32_t, proxy_on_done, (uint32_t)) { logWarn("mine"); return 7; }'))
    assert host("proxy_on_done", 1) == 7
    assert host.log == [(3, "mine")]


@pytest.mark.parametrize("name", ["c++", "cxx", "cc", "CPP"])
def test_it_answers_to_its_names(name: str) -> None:
    assert build_module(HEADER + on_request(""), name).language == "cpp"


@pytest.mark.parametrize("suffix", [".cc", ".cpp", ".cxx"])
def test_its_files_are_known_by_their_suffixes(suffix: str) -> None:
    assert language_of(f"a/filter{suffix}") == "cpp"


# --- messages -------------------------------------------------------------------------------------


def test_an_error_has_its_cell_line_and_a_mark_under_its_place() -> None:
    error = failure("int f() {\n  return nope;\n}\n")
    assert error.rendered.splitlines() == [
        "cell:4:10: error: use of undeclared identifier 'nope'",
        "   4 |   return nope;",
        "     |          ^^^^",
    ]
    assert str(error).startswith("the C++ source has an error\n")


def test_columns_count_characters_also_after_accents_and_emoji() -> None:
    (found,) = failure('void f() { const char *é = "é😀"; é = "😀" + nope; }').diagnostics
    assert (found.line, found.column, found.end_column) == (3, 44, 48)


def test_an_error_inside_of_the_standard_library_is_told_where_the_cell_led_there() -> None:
    error = failure(
        "#include <algorithm>\nstruct S {};\n"
        "void f(std::vector<S> &v) {\n  std::sort(v.begin(), v.end());\n}\n"
    )
    assert {each.line for each in error.diagnostics if each.severity == "error"} == {6}
    assert len(error.diagnostics) < 6
    assert "invalid operands" in error.rendered
    assert "/" not in error.rendered.replace("cell:", "")


@pytest.mark.parametrize(
    ("method", "said"),
    [
        ("FilterHeadersStatus onRequestHeader(uint32_t, bool) override", "did you mean onRequestHeaders?"),
        ("FilterHeadersStatus onRequestHeaders(uint32_t) override", "(uint32_t headers, bool end_of_stream)"),
        ("FilterDataStatus onRequestHeaders(uint32_t, bool) override", "different return type"),
    ],
)
def test_a_method_that_overrides_nothing_is_shown_what_it_could_be(method: str, said: str) -> None:
    error = failure(stream(f"{method} {{ return {{}}; }}"))
    assert error.diagnostics[0].line == 3
    assert said in error.rendered


def test_a_callback_that_nobody_calls_is_a_warning_at_its_line() -> None:
    source = HEADER + stream("FilterHeadersStatus onRequestHeader(uint32_t, bool) { return {}; }")
    (warning,) = build_module(source, "cpp", options=CELL).diagnostics
    assert (warning.severity, warning.line) == ("warning", 3)
    assert "did you mean onRequestHeaders?" in warning.message


def test_a_filter_that_registers_nothing_is_warned_of() -> None:
    source = HEADER + "struct Mine : Context { using Context::Context; };\n"
    (warning,) = build_module(source, "cpp").diagnostics
    assert "nothing is registered" in warning.message


def test_what_is_declared_and_not_defined_is_an_error_at_its_line() -> None:
    error = failure(on_request("helper(1);", "void helper(int);\n"))
    (found,) = error.diagnostics
    assert (found.line, found.column) == (3, 6)
    assert found.message == "helper(int) is declared but not defined"


def test_messages_of_further_files_name_them_and_hold_no_path() -> None:
    options = BuildOptions(files=(("mine.h", "int f(int a);\nint 5;\n"),), origin="a.cc")
    text = failure('#include "mine.h"\n#include <nope.h>\n', options).rendered
    assert "mine.h:2:5: error: expected" in text
    assert "/" not in text


def test_a_wrong_argument_shows_what_the_function_takes() -> None:
    error = failure(on_request('addRequestHeader("x", 5);'))
    assert error.diagnostics[0].line == 3
    assert "std::string_view" in error.rendered or "string_view" in error.rendered


# --- compilers ------------------------------------------------------------------------------------


def test_a_missing_compiler_is_one_sentence_with_the_command() -> None:
    with pytest.raises(ToolchainMissing, match=r"C\+\+ needs a compiler") as caught:
        build_module("", Cpp([lambda: None]))
    assert "pip install" in caught.value.do


OWN_THROW = """
extern "C" [[noreturn]] void __cxa_throw(void *, std::type_info *, void (*)(void *)) {
  logCritical("thrown in a way of my own");
  __builtin_trap();
}
"""


@pytest.mark.parametrize(
    ("more", "said"), [("", "the filter threw Refused"), (OWN_THROW, "thrown in a way of my own")]
)
@pytest.mark.parametrize("finder", [find_ziglang, find_clang_cpp])
def test_a_clang_of_the_machine_does_as_well_as_the_one_inside_zig(finder: Any, more: str, said: str) -> None:
    assert finder() is not None, "make test gets clang lld libc++-dev-wasm32 libclang-rt-dev-wasm32"
    source = on_request("throw Refused();", "#include <typeinfo>\nstruct Refused {};\n") + more
    with Proxy([Plugin(build_module(HEADER + source, Cpp([finder])).module, "filter")]) as proxy:
        (line,) = [line for line in proxy.send(Request()).log if line.message.startswith(said[:9])]
    assert line.message.startswith(said)


def test_a_clang_that_cannot_make_webassembly_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clang = tmp_path / "clang++"
    clang.write_text('#!/bin/sh\n[ "$1" = --version ] && echo clang version 19.1.7 && exit\nexit 1\n')
    clang.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    monkeypatch.setattr("shutil.which", lambda name: str(clang) if name == "clang++" else None)
    find_clang_cpp.cache_clear()
    try:
        assert find_clang_cpp() is None
    finally:
        find_clang_cpp.cache_clear()


def test_what_is_made_once_is_not_made_again_and_a_build_is_quick_afterwards() -> None:
    steps: list[str] = []
    Cpp().warm(steps.append)
    steps.clear()
    Cpp().warm(steps.append)
    assert steps == []

    def seconds(*flags: str) -> float:
        def once() -> float:
            start = time.perf_counter()
            build_module(HEADER + GATE, "cpp", options=BuildOptions(flags=flags), force=True)
            return time.perf_counter() - start

        return min(once() for _ in range(3))

    assert seconds() < seconds("-DANY")  # which needs the header compiled anew


def test_a_header_that_was_compiled_for_another_place_is_left_out() -> None:
    build(GATE)
    prepared = list(cache_root().glob("cpp/*/*/speed"))
    for folder in prepared:
        (folder / "sdk.pch").write_bytes(b"nothing of the kind")
    try:
        assert build_module(HEADER + GATE, "cpp", force=True).module.size
    finally:
        for folder in prepared:
            shutil.rmtree(folder)


def test_a_library_that_cannot_be_made_is_an_error_of_ours_and_leaves_nothing(tmp_path: Path) -> None:
    script = tmp_path / "zig"
    script.write_text("#!/bin/sh\necho 'error: no space left' >&2\nexit 1\n")
    script.chmod(0o755)
    folder = tmp_path / "made" / "lib"
    with pytest.raises(BuildError, match="no space left"):
        cpp_library.make_library(Toolchain("zig clang", "0.0", (str(script),)), folder)
    assert list((tmp_path / "made").iterdir()) == []


def test_the_library_of_this_version_is_taken_from_the_package() -> None:
    zig = find_ziglang()
    assert zig is not None
    assert cpp_library.made_by(cpp_library.PACKAGED) == zig.version, "make .make/cpp"
    assert cpp_library.standard_library(zig, pytest.fail) == cpp_library.PACKAGED


# --- header ---------------------------------------------------------------------------------------


def test_the_header_declares_every_host_function_with_the_type_of_the_abi() -> None:
    text = (INCLUDE / "proxy_wasm_externs.h").read_text()
    declared = set(re.findall(r"^PROXY_WASM_HOST\((\w+)", text, re.M))
    functions = {
        each.name: each.type
        for each in HOST_FUNCTIONS.values()
        if each.module == "env" and each.name.startswith(("proxy_", "envoy_"))
    }
    assert declared == set(functions)
    usable = {
        each.name for each in HOST_FUNCTIONS.values() if "0.2.1" in each.versions and each.name in declared
    }
    source = "void *all[] = {" + ", ".join(f"(void *){name}" for name in sorted(usable)) + "};\n"
    module = build(source + "WASM_EXPORT(void *, keep, ()) { return all; }\n")
    imports = {each.name: each.type for each in module.imports if each.module == "env"}
    assert imports == {name: functions[name] for name in usable}


def test_every_virtual_method_is_known_as_a_callback() -> None:
    text = (INCLUDE / "proxy_wasm" / "contexts.h").read_text()
    methods = set(re.findall(r"virtual \w+ ((?:on|validate)\w+)\(", text))
    assert methods == set(CALLBACKS)


def test_every_callback_of_the_abi_is_exported() -> None:
    from wasmhub_magics.abi import CALLBACKS as ABI_CALLBACKS

    wanted = {
        each.name for each in ABI_CALLBACKS if "0.2.1" in each.versions and each.name.startswith("proxy_")
    }
    exported = {each.name for each in build(on_request("")).exports}
    assert wanted - exported == set()
