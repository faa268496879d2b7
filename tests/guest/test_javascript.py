"""What a JavaScript filter does, the same in the embedded proxy and in the real Envoy."""

from __future__ import annotations

import re
import textwrap
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from wasmhub_magics.build import BuildOptions, build_module, find_language
from wasmhub_magics.envoy import verify
from wasmhub_magics.errors import BuildError, CompileError, StartError, ToolchainMissing
from wasmhub_magics.guest.javascript import CALLBACKS, SOURCE_LIMIT, embed
from wasmhub_magics.http import Request, Response
from wasmhub_magics.module import Module
from wasmhub_magics.plugin import Limits, Plugin, encode_config
from wasmhub_magics.proxy import Exchange, Proxy


def plugin(source: str, config: Any = None, **fields: Any) -> Plugin:
    """A plugin from a source; its first line is line 2 as in a cell."""
    text = textwrap.dedent(source).lstrip("\n")
    build = build_module(text, "javascript", options=BuildOptions(first_line=2))
    return Plugin(build.module, "filter", configuration=encode_config(config), **fields)


def agreed(filter_: Plugin, *requests: Request, upstream: Any = None) -> list[Exchange]:
    """What the embedded proxy does with requests, which is what Envoy does."""
    report = verify([filter_], requests, *([upstream] if upstream else []))
    assert report.agrees, str(report)
    return [embedded for embedded, _ in report.exchanges]


def send(source: str, request: Request | None = None, config: Any = None) -> Exchange:
    with Proxy(plugin(source, config)) as proxy:
        return proxy.send(request or Request())


def test_headers_are_read_set_added_and_removed() -> None:
    (exchange,) = agreed(
        plugin(
            """
            function onRequestHeaders(ctx) {
              const { headers } = ctx.request;
              headers.set("x-greeting", "hello " + (headers.get("X-User") ?? "stranger"));
              headers.add("x-tag", "a");
              headers.add("x-tag", 2);
              headers.set("x-tags", headers.getAll("X-Tag").join("+"));
              headers.delete("x-secret");
              headers.set("x-has", `${headers.has("x-secret")} ${headers.get("nope")}`);
              ctx.request.path = "/v2" + ctx.request.path;
              ctx.method = ctx.request.method;
              log([...headers].length === headers.entries().length, headers.keys().includes("x-tag"));
            }
            function onResponseHeaders(ctx) {
              ctx.response.headers = { "x-only": "this", "x-method": ctx.method };
              ctx.response.status = 202;
            }
            """
        ),
        Request("DELETE", "/a", {"x-user": "ada", "x-secret": "s"}),
    )
    seen = exchange.upstream_request
    assert (seen.path, seen.headers["x-greeting"], seen.headers["x-tags"]) == ("/v2/a", "hello ada", "a+2")
    assert seen.headers["x-has"] == "false null"
    assert "x-secret" not in seen.headers
    assert (exchange.response.status, exchange.response.headers["x-method"]) == (202, "DELETE")
    assert exchange.log[0].message == "true true"


def test_a_whole_body_is_rewritten_in_both_directions() -> None:
    (exchange,) = agreed(
        plugin(
            """
            function onRequestHeaders(ctx) { ctx.request.headers.delete("content-length"); }
            function onRequestBody(ctx) {
              if (!ctx.endOfStream) return ctx.PAUSE;
              log(ctx.request.body.length, ctx.request.body instanceof Uint8Array);
              ctx.request.body = ctx.request.body.reverse();
            }
            function onResponseHeaders(ctx) { ctx.response.headers.delete("content-length"); }
            function onResponseBody(ctx) {
              if (!ctx.endOfStream) return ctx.BUFFER;
              ctx.response.prependBody("<é");
              ctx.response.appendBody(new Uint8Array([62, 0, 255]));
            }
            """
        ),
        Request("POST", "/", {}, b"\xffabc\0", chunks=[2]),
        upstream=Response(200, {"content-length": "6"}, b"answer", chunks=[2, 2]),
    )
    assert exchange.upstream_request.body == b"\0cba\xff"
    assert exchange.response.body == "<éanswer>".encode() + b"\0\xff"
    assert exchange.log[0].message == "5 true"


GATE = """
const onConfigure = (ctx) => {
  ctx.token = ctx.config.token;
  return Boolean(ctx.token);
};
function onRequestHeaders(ctx) {
  if (ctx.request.headers.get("x-token") !== ctx.root.token) {
    return ctx.respond(403, [["x-a", "1"], ["x-a", "2"]], "who?", "no token");
  }
}
"""


def test_a_filter_answers_by_itself_as_its_configuration_says() -> None:
    refused, passed = agreed(
        plugin(GATE, {"token": "sesame"}), Request("GET", "/"), Request("GET", "/", {"x-token": "sesame"})
    )
    assert (refused.response.status, refused.response.body) == (403, b"who?")
    assert refused.response.headers.getall("x-a") == ("1", "2")
    assert refused.upstream_request is None
    assert passed.response.status == 200


def test_a_refused_configuration_keeps_the_filter_from_starting() -> None:
    report = verify([plugin(GATE, {})], [Request()])
    assert report.agrees
    with pytest.raises(StartError, match="onConfigure refused: it returned false"):
        Proxy(plugin(GATE, {}))


def test_an_error_is_logged_with_the_lines_of_the_cell() -> None:
    (exchange,) = agreed(
        plugin(
            """
            function helper(headers) {
              return headers.get("x-count").length;
            }
            function onRequestHeaders(ctx) {
              return helper(ctx.request.headers);
            }
            """
        ),
        Request("GET", "/"),
    )
    assert exchange.response.status == 503
    assert exchange.log[0].level == "error"
    assert exchange.log[0].message.splitlines() == [
        "TypeError: cannot read property 'length' of null",
        "    at helper (cell:3:18)",
        "    at onRequestHeaders (cell:6:17)",
    ]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("\n\nnope();\n", r"ReferenceError: nope is not defined\n\s+at <eval> \(cell:4:"),
        ("function onConfigure(ctx) {\n  throw new Error('bad day');\n}\n", r"Error: bad day\n.*cell:3:"),
        ("async function onConfigure(ctx) {}\n", "onConfigure cannot wait, so it cannot be async"),
        ("throw 5;\n", "Uncaught 5"),
    ],
)
def test_a_start_that_fails_says_why_and_where(source: str, said: str) -> None:
    module = build_module(source, "js", options=BuildOptions(first_line=2)).module
    with pytest.raises(StartError, match=said):
        Proxy(Plugin(module, "filter"))


@pytest.mark.parametrize(
    ("source", "place"),
    [
        ("const a = 1;\nconst b = = 2;\n", (3, 11)),
        ("const é = '😀' + @;\n", (2, 17)),
        ("export const a = 1;\nlet a;\n", (3, 6)),
        ("let a;\nlet a;\n", (3, 6)),
        ("function f() {\n  return 'abc\n}\n", (3, 10)),
    ],
)
def test_a_syntax_error_is_found_by_the_build_and_marked(source: str, place: tuple[int, int]) -> None:
    with pytest.raises(CompileError) as caught:
        build_module(source, "js", options=BuildOptions(first_line=2))
    (found,) = caught.value.diagnostics
    assert (found.line, found.column, found.code) == (*place, "SyntaxError")


def test_what_only_the_run_can_tell_does_not_fail_the_build() -> None:
    for source in ("import {x} from './nowhere.js';", "(" * 100_000, "await 1;\nexport {};", "nope();"):
        assert build_module(source, "js").module.size


def test_properties_have_the_types_that_javascript_gives_them() -> None:
    (exchange,) = agreed(
        plugin(
            """
            function onRequestHeaders(ctx) {
              log(["request.path", "request.method", "no.such"].map((name) => ctx.property(name)));
              log(typeof ctx.property("source.port"), ctx.property("request", "path"));
              ctx.setProperty("tenant", "blue");
            }
            function onResponseHeaders(ctx) {
              log(ctx.property("tenant"), ctx.property("response.code"));
            }
            """
        ),
        Request("GET", "/p"),
    )
    assert [line.message for line in exchange.log] == ['["/p","GET",null]', "number /p", "blue 200"]


def test_values_are_logged_so_that_they_can_be_read() -> None:
    exchange = send(
        """
        function onRequestHeaders(ctx) {
          const ring = {};
          ring.ring = ring;
          const data = new Uint8Array([1, 2]);
          log("a", 1, 2n, [1, "x"], { b: null }, data, undefined, function onLog() {}, ring);
          console.error(new RangeError("far"));
          console.assert(false, "so");
          log.critical("end");
        }
        """
    )
    lines = [(line.level, line.message.split("\n")[0]) for line in exchange.log]
    assert lines == [
        (
            "info",
            'a 1 2 [1,"x"] {"b":null} Uint8Array(2) [1, 2] undefined [function onLog] [object Object]',
        ),
        ("error", "RangeError: far"),
        ("error", "Assertion failed: so"),
        ("critical", "end"),
    ]


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("ctx.request.headers.set('x', 'a\\nb')", "TypeError: a header cannot hold a line break"),
        ("ctx.request.headers.set('', 'a')", "TypeError: a header needs a name"),
        ("ctx.request.headers.get(5)", "TypeError: the name of a header must be a string, not 5"),
        ("ctx.response.status", "HostError: the response headers cannot be used here"),
        ("ctx.respond(20)", "RangeError: a response needs a status from 200 to 599, not 20"),
        ("ctx.request.nothing = 1", "TypeError"),
        ("return true", "TypeError: onRequestHeaders must return nothing, ctx.CONTINUE"),
        ("return Promise.resolve(true)", "TypeError: onRequestHeaders must return nothing, ctx.CONTINUE"),
        ("Promise.reject(new Error('lost'))", "Error: lost"),
        ("(function f() { f(); })()", "RangeError: Maximum call stack size exceeded"),
    ],
)
def test_a_mistake_is_told_in_words(statement: str, said: str) -> None:
    exchange = send(f"'use strict';\nfunction onRequestHeaders(ctx) {{\n  {statement};\n}}\n")
    assert exchange.response.status == 503
    assert said in exchange.log[0].message


def test_promises_are_run_before_the_callback_ends() -> None:
    exchange = send(
        """
        function onRequestHeaders(ctx) {
          (async () => {
            await null;
            try { await Promise.reject(new Error("caught")); } catch (error) { log(error.message); }
            ctx.request.headers.set("x-late", "yes");
          })();
        }
        """
    )
    assert exchange.upstream_request.headers["x-late"] == "yes"
    assert exchange.log[0].message == "caught"


def test_exact_bytes_of_a_header_are_at_hand_and_text_is_replaced() -> None:
    exchange = send(
        """
        function onRequestHeaders(ctx) {
          const { headers } = ctx.request;
          headers.set("x-copy", headers.getBytes("x-raw"));
          log(headers.get("x-raw"), new TextDecoder().decode(new TextEncoder().encode("é😀")));
        }
        """,
        Request("GET", "/", {"x-raw": "é\udcff!"}),
    )
    assert exchange.upstream_request.headers["x-copy"] == "é\udcff!"
    assert exchange.log[0].message == "é\ufffd! é😀"


def test_memory_stays_flat_over_many_requests() -> None:
    source = """
    function onRequestHeaders(ctx) {
      ctx.kept = "k".repeat(500);
      const data = JSON.parse(`{"a": [1, 2, {"b": "c"}], "n": ${ctx.id}}`);
      const ring = { data };
      ring.ring = ring;
      ctx.request.headers.set("x-n", JSON.stringify(data).replace(/[0-9]/g, "#"));
      ctx.names = ctx.request.headers.keys();
    }
    function onResponseHeaders(ctx) {
      ctx.response.headers.set("x-names", ctx.names.join(","));
    }
    """
    with Proxy(plugin(source), Response(200)) as proxy:
        request = Request("GET", "/", {"x-user": "ada"})
        proxy.loop(request, 1000)
        before = proxy.memory
        proxy.loop(request, 20_000)
        assert proxy.memory == before
        assert max(before) < 6 << 20


def test_a_filter_that_eats_all_memory_is_told_so() -> None:
    source = """
    const kept = [];
    function onRequestHeaders(ctx) { for (;;) kept.push("x".repeat(1000) + kept.length); }
    """
    filter_ = Plugin(
        Module(embed(source, memory_limit=8 << 20)), "hungry", limits=Limits(callback_seconds=20)
    )
    with Proxy(filter_, Response(200)) as proxy:
        exchange = proxy.send(Request())
        assert exchange.response.status == 503
        assert "out of memory" in exchange.log[0].message


def test_time_and_chance_repeat_with_a_seed() -> None:
    filter_ = plugin(
        """
        function onRequestHeaders(ctx) {
          log(Date.now(), Math.random(), [...Array(1000)].every(() => Math.random() < 1));
        }
        """
    )
    said = []
    for seed in (1, 1, 2):
        with Proxy(filter_, clock=1_700_000_000, seed=seed) as proxy:
            said.append(proxy.send(Request()).log[0].message)
    assert said[0] == said[1] != said[2]
    assert said[0].startswith("1700000000")
    assert said[0].endswith(" true")


def test_two_plugins_in_one_machine_keep_their_configurations_apart() -> None:
    source = """
    let count = 0;
    function onRequestHeaders(ctx) { ctx.request.headers.add("x-config", `${ctx.config} ${++count}`); }
    """
    module = plugin(source).module
    chain = [Plugin(module, name, configuration=name.encode(), vm_id="one") for name in ("a", "b")]
    with Proxy(chain) as proxy:
        sent = [proxy.send(Request()).upstream_request.headers.getall("x-config") for _ in range(2)]
    assert sent == [("a 1", "b 2"), ("a 3", "b 4")]


# --- building -------------------------------------------------------------------------------------


def test_a_module_wants_nothing_but_what_every_proxy_has() -> None:
    module = Module(embed("let a;"))
    module.check()
    assert (module.abi, module.notes) == ("0.2.1", ())
    one, other = module.hollow(), Module(embed("let b = 5;", "other", first_line=9)).hollow()
    assert one is not None
    assert other is not None
    assert one[0] == other[0]
    assert one[1][:-1] == other[1][:-1]


def test_a_source_may_fill_its_area_and_no_more() -> None:
    source = "log('end');".rjust(SOURCE_LIMIT)
    with Proxy(Plugin(Module(embed(source)), "long")) as proxy:
        assert proxy.log[0].message == "end"
    with pytest.raises(BuildError, match="a JavaScript filter may have 1,048,500"):
        embed(source + " ")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("function onRequestHeader(ctx) {}", "did you mean onRequestHeaders?"),
        ("const onLogs = (ctx) => {};", "did you mean onLog?"),
        ("async function onLog(ctx) {}", "cannot be async"),
    ],
)
def test_a_callback_that_cannot_work_is_a_warning_at_its_line(source: str, said: str) -> None:
    build = build_module("\n" + source, "javascript", options=BuildOptions(first_line=2))
    (warning,) = build.diagnostics
    assert (warning.severity, warning.line, warning.column) == (
        "warning",
        3,
        re.search(r"\bon[A-Z]", source).start() + 1,
    )
    assert said in warning.message


def test_the_language_answers_to_its_short_name_and_a_lost_runtime_is_a_clear_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert find_language("js").name == "javascript"
    monkeypatch.setattr(import_module("wasmhub_magics.build.javascript"), "RUNTIME", tmp_path / "none")
    with pytest.raises(ToolchainMissing, match="lacks its JavaScript runtime"):
        build_module("", "js")


def test_the_page_names_every_callback() -> None:
    page = (Path(__file__).parents[2] / "docs" / "javascript.md").read_text()
    assert not [name for name in CALLBACKS if f"`{name}(ctx)`" not in page]
