"""AssemblyScript: its compiler's messages in cell lines, its glue at work, the same in the real Envoy."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from wasmhub_magics.abi import HOST_FUNCTIONS
from wasmhub_magics.build import BuildOptions, build_module, find_language
from wasmhub_magics.build.assemblyscript_entry import CALLBACKS
from wasmhub_magics.build.assemblyscript_toolchain import GUEST
from wasmhub_magics.envoy import EnvoyProxy, verify
from wasmhub_magics.errors import BuildError, CompileError, StartError, ToolchainMissing
from wasmhub_magics.http import Request, Response
from wasmhub_magics.module import Module
from wasmhub_magics.plugin import Plugin, encode_config
from wasmhub_magics.proxy import Proxy

CELL = BuildOptions(first_line=2, optimize="none")
"""Optimizing takes three times as long; the levels have their test, and the examples are built so."""
IMPORT = 'import { Action, Header, Metric, MetricKind, Plugin, Queue, Stream } from "proxy_wasm";\n'


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One cache for all: npm installs the compiler once."""
    place = tmp_path_factory.getbasetemp() / "languages"
    monkeypatch.setenv("WASMHUB_CACHE", str(place))
    return place


def build(source: str, options: BuildOptions = CELL) -> Module:
    return build_module(IMPORT + source, "assemblyscript", options=options).module


def plugin(source: str, config: Any = None) -> Plugin:
    return Plugin(build(source), "filter", configuration=encode_config(config))


def failure(source: str, options: BuildOptions = CELL) -> CompileError:
    with pytest.raises(CompileError) as caught:
        build(source, options)
    return caught.value


GATE = """
let token = "";
const paths = new Map<u32, string>();

export function onConfigure(plugin: Plugin): bool {
  token = plugin.configuration;
  console.log("token of " + token.length.toString());
  return token.length > 0;
}

export function onRequestHeaders(stream: Stream): Action {
  const headers = stream.request.headers;
  if (headers.get("x-token") != token) {
    return stream.respond(403, "no\\n", [new Header("x-why", "tokén")]);
  }
  paths.set(stream.id, headers.get(":path")!);
  headers.remove("x-token");
  headers.remove("content-length");
  headers.add("x-tag", "a");
  headers.add("x-tag", "b");
  headers.set("x-tags", headers.getAll("X-Tag").join("+"));
  return Action.Continue;
}

export function onRequestBody(stream: Stream): Action {
  if (!stream.endOfStream) return Action.Pause;
  stream.request.body = stream.request.body.reverse();
  stream.request.append(new Uint8Array(1));
  return Action.Continue;
}

export function onResponseHeaders(stream: Stream): void {
  if (paths.has(stream.id)) stream.response.headers.set("x-path", paths.get(stream.id));
}

export function onDelete(stream: Stream): void {
  paths.delete(stream.id);
}
"""


def test_a_filter_of_headers_bodies_and_configuration_does_the_same_in_envoy() -> None:
    requests = [
        Request("GET", "/a"),
        Request("GET", "/b", {"x-token": "sesame"}),
        Request("POST", "/c", {"x-token": "sesame", "content-length": "6"}, b"abcdef", chunks=[2, 2]),
    ]
    report = verify([plugin(GATE, "sesame")], requests)
    assert report.agrees, str(report)
    refused, plain, posted = (embedded for embedded, _ in report.exchanges)
    assert (refused.response.status, refused.response.headers["x-why"]) == (403, "tokén")
    assert plain.upstream_request.headers["x-tags"] == "a+b"
    assert "x-token" not in plain.upstream_request.headers
    assert posted.upstream_request.body == b"fedcba\0"
    assert posted.response.headers["x-path"] == "/c"


def test_a_refused_configuration_keeps_the_filter_from_starting() -> None:
    with pytest.raises(StartError, match="onConfigure refused: it returned false"):
        Proxy(plugin(GATE)).close()


def test_memory_stays_flat_over_many_requests() -> None:
    with Proxy(plugin(GATE, "t"), Response(200)) as proxy:
        request = Request("POST", "/" + "p" * 900, {"x-token": "t"}, b"b" * 900)
        proxy.loop(request, 3000)
        before = proxy.memory
        proxy.loop(request, 20_000)
        assert proxy.memory == before
        assert max(before) < 2 << 20


def test_an_error_is_logged_with_its_line_and_ends_the_filter() -> None:
    source = 'export function onRequestHeaders(stream: Stream): void {\n  throw new Error("too late");\n}\n'
    with Proxy(plugin(source)) as proxy:
        exchange = proxy.send(Request())
    assert exchange.response.status == 503
    assert exchange.log[0].message == "too late\n    at cell:4:3"


def test_a_source_may_export_functions_of_the_abi_itself(guest) -> None:
    source = """
    @external("env", "proxy_log") declare function say(level: u32, text: usize, size: u32): u32;
    export function proxy_abi_version_0_2_0(): void {}
    export function proxy_on_done(id: u32): u32 {
      say(4, changetype<usize>(String.UTF8.encode("raw")), 3);
      return 0;
    }
    """
    module = build_module(source, "as").module
    assert module.abi == "0.2.0"
    host = guest(module)
    assert host("proxy_on_done", 1) == 0
    assert host.log == [(4, "raw")]


def test_data_queues_metrics_and_properties_work_in_envoy() -> None:
    source = """
    import { getProperty, getShared, setProperty, setShared, log } from "proxy_wasm";
    export function onRequestHeaders(stream: Stream): void {
      const metric = new Metric(MetricKind.Counter, "seen");
      metric.increment(2);
      setShared("key", "value");
      const value = getShared("key")!;
      const queue = Queue.register("q");
      queue.push("item");
      log.info(`${metric.value} ${value.text} ${queue.pop()!} ${queue.pop() === null}`);
      setProperty("own", "1");
      log.info(`${getProperty("request.path")!} ${getProperty("own")!} ${getProperty("no.such") === null}`);
      log.info(setShared("key", "other", value.cas + 77).toString());
    }
    """
    with EnvoyProxy(plugin(source)) as proxy:
        messages = [line.message for line in proxy.send(Request("GET", "/p")).log]
    assert messages == ["2 value item true", "/p 1 true", "false"]


def test_a_call_out_is_made_and_its_answer_read(guest) -> None:
    host = guest(
        build(
            """
            import { CallResponse, httpCall, log } from "proxy_wasm";
            export function onTick(plugin: Plugin): void {
              log.info(httpCall("auth", [new Header(":path", "/")], "", 5).toString());
            }
            export function onHttpCallResponse(plugin: Plugin, response: CallResponse): void {
              log.info(`${response.token} ${response.headers.get(":status")!} ${response.text}`);
              const stream = new Stream(9);
              stream.activate();
              stream.resumeRequest();
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


OLD = """
export * from "@solo-io/proxy-runtime/proxy";
import {
  RootContext, Context, BaseContext, registerRootContext, FilterHeadersStatusValues, stream_context,
  send_local_response, continue_request, GrpcStatusValues, log, LogLevelValues,
  get_shared_data, set_shared_data, makeHeaderPair
} from "@solo-io/proxy-runtime/assembly";

class Root extends RootContext {
  createContext(id: u32): Context { return new Auth(id, this); }
}

class Auth extends Context {
  constructor(id: u32, root: Root) { super(id, root); }

  onRequestHeaders(count: u32, end: bool): FilterHeadersStatusValues {
    const headers = stream_context.headers.request;
    if (this.root_context.getConfiguration() == "") {
      headers.add("x-open", headers.get(":path"));
      set_shared_data("pair", makeHeaderPair("x-kept", "").key);
      headers.add("x-shared", String.UTF8.decode(get_shared_data("pair").value!));
      return FilterHeadersStatusValues.Continue;
    }
    const cluster = this.root_context.getConfiguration();
    this.root_context.httpCall(cluster, headers.get_headers(), new ArrayBuffer(0), [], 1000,
      this, (origin: BaseContext, headers: u32, body: usize, trailers: u32) => {
        if (stream_context.headers.http_callback.get(":status") == "200") {
          stream_context.headers.request.add("x-checked", "yes");
          continue_request();
        } else {
          const body = String.UTF8.encode("refused");
          send_local_response(403, "no", body, [], GrpcStatusValues.PermissionDenied);
        }
      });
    log(LogLevelValues.info, "asked");
    return FilterHeadersStatusValues.StopAllIterationAndWatermark;
  }
}
registerRootContext((id: u32) => { return new Root(id); }, "auth");
"""


@pytest.mark.parametrize("kind", [Proxy, EnvoyProxy])
def test_filters_written_for_the_sdk_of_old_run_as_they_are(kind: Any) -> None:
    built = build_module(OLD, "assemblyscript", options=CELL)
    module = built.module
    assert [name for name, _ in built.packages] == ["@solo-io/proxy-runtime"]

    def auth(request: Request) -> Response:
        return Response(200 if request.path == "/good" else 500)

    asking = Plugin(module, "asking", root_id="auth", configuration=b"auth")
    with kind([asking], clusters={"auth": auth}) as proxy:
        good, bad = proxy.send(Request("GET", "/good")), proxy.send(Request("GET", "/bad"))
    assert good.upstream_request is not None
    assert good.upstream_request.headers["x-checked"] == "yes"
    assert (bad.response.status, bad.response.body) == (403, b"refused")
    assert "asked" in [line.message for line in bad.log]
    with kind([Plugin(module, "open", root_id="auth")]) as proxy:  # which that SDK alone does not survive
        request = proxy.send(Request("GET", "/a")).upstream_request
    assert request is not None
    assert (request.headers["x-open"], request.headers["x-shared"]) == ("/a", "x-kept")


# --- messages -------------------------------------------------------------------------------------


def test_an_error_has_its_cell_line_and_a_mark_under_its_place() -> None:
    error = failure('export function onLog(stream: Stream): void {\n  const é = "😀"; nope();\n}\n')
    assert error.rendered.splitlines() == [
        "cell:4:18: error: Cannot find name 'nope'. [TS2304]",
        '   4 |   const é = "😀"; nope();',
        "     |                   ^^^^",
    ]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("export function onLog(id: u32): void {}", "onLog is called with (stream: Stream)"),
        ("export function onTick(): void {}", "onTick is called with (plugin: Plugin)"),
        ('export function onRequestBody(s: Stream): string { return ""; }', "onRequestBody is called with"),
    ],
)
def test_a_callback_of_the_wrong_type_is_told_in_its_line(source: str, said: str) -> None:
    error = failure(source)
    assert {each.line for each in error.diagnostics if each.severity == "error"} == {3}
    assert said in error.rendered


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("export function onRequestHeader(stream: Stream): void {}", "did you mean onRequestHeaders?"),
        ("function onRequestHeaders(stream: Stream): void {}", "is not exported"),
    ],
)
def test_a_callback_that_nobody_calls_is_a_warning_at_its_line(source: str, said: str) -> None:
    (warning,) = build_module(IMPORT + source, "assemblyscript", options=CELL).diagnostics
    assert (warning.severity, warning.line, warning.column) == (
        *("warning", 3),
        source.index("onRequestHeader") + 1,
    )
    assert said in warning.message


def test_messages_hold_no_path_of_this_machine() -> None:
    options = BuildOptions(files=(("lib/x.ts", "export const x: i32 = nope;\n"),), origin="a.ts")
    text = failure(
        'import { x } from "./lib/x";\nexport function onLog(s: Stream): void { x; }', options
    ).rendered
    assert "lib/x.ts:1:23: error: Cannot find name 'nope'" in text
    assert "/tmp" not in text


# --- options and compiler -------------------------------------------------------------------------


def test_names_can_be_defined_and_files_imported(guest) -> None:
    options = BuildOptions(
        defines=(("ANSWER", "42"), ("WHO", 'a "b"'), ("YES", "true")),
        files=(("more/who.ts", 'export const text = "lib";'),),
    )
    source = """
    import { ANSWER, WHO, YES } from "options";
    import { text } from "./more/who";
    export function onTick(_: Plugin): void { if (YES) console.log(`${ANSWER + 1} ${WHO} ${text}`); }
    """
    host = guest(build(source, options))
    host("proxy_on_tick", 1)
    assert host.log == [(2, '43 a "b" lib')]
    with pytest.raises(BuildError, match="cannot be defined"):
        build("", BuildOptions(defines=(("a-b", "1"),)))


@pytest.mark.parametrize("level", ["speed", "size", "none"])
def test_every_optimisation_level_builds_and_runs(level: str) -> None:
    module = build(GATE, BuildOptions(optimize=level))
    with Proxy(Plugin(module, "gate", configuration=b"t")) as proxy:
        assert proxy.send(Request("GET", "/a", {"x-token": "t"})).response.headers["x-path"] == "/a"


def test_the_same_source_gives_the_same_bytes() -> None:
    one, two = (build_module(IMPORT + GATE, "as", force=True).module for _ in range(2))
    assert one.digest == two.digest


def test_a_machine_without_node_is_told_so_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ToolchainMissing, match="AssemblyScript needs node and npm") as caught:
        find_language("as").detect()
    assert "install Node.js" in caught.value.do


def test_a_compiler_on_the_path_serves_where_there_is_no_npm(
    cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    build("export function onLog(stream: Stream): void {}")
    (found,) = cache.glob("assemblyscript-*/node_modules/assemblyscript/bin/asc.js")
    script = tmp_path / "asc"
    script.write_text(f'#!/bin/sh\nexec {shutil.which("node")} {found} "$@"\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin-without-node")
    toolchain = find_language("as").detect()
    assert (toolchain.command, toolchain.version) == ((str(script),), "0.28.20")
    failed = failure("export function onTick(plugin: Plugin): void { nope(); }")
    assert "Cannot find name 'nope'" in failed.rendered


def test_an_npm_that_fails_leaves_nothing_and_says_what_it_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, text in (("node", "exit 0"), ("npm", "echo 'npm error code E404' >&2; exit 1")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("WASMHUB_CACHE", str(tmp_path / "cache"))
    with pytest.raises(
        BuildError, match="npm cannot install the AssemblyScript compiler: npm error code E404"
    ):
        build("")
    assert not list((tmp_path / "cache").glob("*assemblyscript*"))
    assert not list((tmp_path / "cache").glob(".partial*"))


# --- glue -----------------------------------------------------------------------------------------


def test_the_glue_declares_host_functions_with_the_types_of_the_abi() -> None:
    text = (GUEST / "proxy_wasm.ts").read_text()
    declared = re.findall(
        r'@external\("(\w+)", "(\w+)"\)\s+export declare function \w+\((.*?)\): (\w+);', text
    )
    assert len(declared) > 30
    kinds = {"u32": "i32", "i32": "i32", "usize": "i32", "u64": "i64", "i64": "i64"}
    for module, name, parameters, result in declared:
        wanted = HOST_FUNCTIONS[module, name].type
        types = tuple(kinds[each.split(": ")[1]] for each in parameters.split(", ") if each)
        assert (types, (kinds[result],)) == (wanted.params, wanted.results), name


def test_every_callback_is_on_the_page_and_builds() -> None:
    page = (Path(__file__).parents[2] / "docs" / "assemblyscript.md").read_text()
    assert not [name for name in CALLBACKS if name not in page]
    more = {"onHttpCallResponse": ", r: CallResponse", "onQueueReady": ", q: Queue"}
    source = 'import { CallResponse } from "proxy_wasm";\n'
    for name, (_, _, how) in CALLBACKS.items():
        kind = "Stream" if how in ("headers", "body", "trailers", "stream") else "Plugin"
        source += f"export function {name}(_: {kind}{more.get(name, '')}): void {{}}\n"
    module = build(source)
    assert module.notes == ()
    exported = {each.name for each in module.exports}
    assert {export for export, _, _ in CALLBACKS.values()} <= exported


def test_a_trap_tells_its_functions_and_for_debugging_their_lines():
    source = """
function far(address: i32): i32 {
  return load<i32>(address * 0x1000000);
}
export function onRequestHeaders(stream: Stream): void {
  stream.request.headers.set("x", far(stream.request.headers.get(":path")!.length - 2).toString());
}"""
    stacks = []
    for debug in (False, True):
        module = build(source, BuildOptions(first_line=2, debug=debug))
        with Proxy([Plugin(module, "filter")]) as proxy:
            stacks.append(proxy.send(Request()).log[-1].message.splitlines()[2:])
    plain, positions = stacks
    assert [line.partition(" - ")[2] for line in plain] == [
        "cell/onRequestHeaders",
        "entry/proxy_on_request_headers",
    ]
    assert positions[0] == f"{plain[0]} (cell.ts line 5)"
    assert positions[1].startswith(f"{plain[1]} (entry.ts line ")
