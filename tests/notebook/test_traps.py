"""Where a filter failed is told by the line of its cell, in every language."""

from __future__ import annotations

from dataclasses import replace

import pytest

from wasmhub_magics import Request, build
from wasmhub_magics.build import BuildOptions
from wasmhub_magics.envoy import EnvoyProxy
from wasmhub_magics.notebook.traps import findings

FAILING = {
    "python": (
        """\
def on_request_headers(ctx):
    x = 1
    return x['a']
""",
        3,
        "subscriptable",
    ),
    "javascript": (
        """\
function onRequestHeaders(ctx) {
  const x = null;
  return x.a;
}
""",
        3,
        "of null",
    ),
    "c": (
        """\
#include "proxy_wasm.h"

pw_action proxy_on_request_headers(uint32_t context, uint32_t count, bool end) {
  __builtin_trap();
  return PW_CONTINUE;
}
""",
        4,
        "unreachable",
    ),
    "cpp": (
        """\
#include "proxy_wasm_intrinsics.h"
class G : public Context {
public:
  explicit G(uint32_t id, RootContext *root) : Context(id, root) {}
  FilterHeadersStatus onRequestHeaders(uint32_t, bool) override {
    __builtin_trap();
    return FilterHeadersStatus::Continue;
  }
};
static RegisterContextFactory g(CONTEXT_FACTORY(G));
""",
        6,
        "unreachable",
    ),
    "zig": (
        """\
const pw = @import("proxy_wasm");

pub fn onRequestHeaders(stream: pw.Stream) !void {
    _ = stream;
    @panic("no");
}
""",
        5,
        "panic: no",
    ),
    "rust": (
        """\
use proxy_wasm::traits::*;
use proxy_wasm::types::*;

proxy_wasm::main! {{
    proxy_wasm::set_http_context(|_, _| Box::new(G));
}}
struct G;
impl Context for G {}
impl HttpContext for G {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        let v: Option<u8> = None;
        v.unwrap();
        Action::Continue
    }
}
""",
        12,
        "unwrap()",
    ),
    "go": (
        """\
package main

import (
	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm"
	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm/types"
)

func main() {}

func init() {
	proxywasm.SetHttpContext(func(uint32) types.HttpContext { return &g{} })
}

type g struct{ types.DefaultHttpContext }

func (c *g) OnHttpRequestHeaders(n int, e bool) types.Action {
	var m []int
	_ = m[n]
	return types.ActionContinue
}
""",
        18,
        "index out of range",
    ),
    "assemblyscript": (
        """\
import { Stream } from "proxy_wasm";

export function onRequestHeaders(stream: Stream): void {
  assert(stream == null, "no");
}
""",
        4,
        "no",
    ),
    "wat": (
        """\
(module
  (memory (export "memory") 1)
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) i32.const 1024)
  (func (export "proxy_on_context_create") (param i32 i32))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    unreachable))
""",
        6,
        "unreachable",
    ),
}


@pytest.mark.parametrize("language", FAILING)
def test_the_line_that_failed_is_told(language: str) -> None:
    source, line, words = FAILING[language]
    made = build(source, language, "failing", options=BuildOptions(first_line=2))
    (found,) = findings(made, made.send(Request("GET", "/")).log)
    assert found.line == line + 1
    assert words in found.message


@pytest.mark.parametrize("language", ["c", "wat"])
def test_the_line_that_failed_in_envoy_is_told(language: str) -> None:
    source, line, _ = FAILING[language]
    made = build(source, language, "failing")
    with EnvoyProxy([made.plugin]) as proxy:
        log = proxy.send().log
    assert [found.line for found in findings(made, log)] == [line]


@pytest.mark.parametrize("language", ["python", "javascript", "assemblyscript", "rust"])
def test_the_line_is_told_whatever_filter_and_source_are_called(language: str) -> None:
    source, line, words = FAILING[language]
    made = build(source, language, options=BuildOptions(origin="my filter.v2"))
    (found,) = findings(made, made.send().log)
    assert found.line == line
    assert words in found.message


def test_positions_in_the_module_itself_are_taken() -> None:
    source, line, _ = FAILING["c"]
    made = build(source, "c", "failing", options=BuildOptions(debug=True))
    assert [found.line for found in findings(made, made.send().log)] == [line]


def test_a_ready_made_module_without_positions_has_no_line() -> None:
    made = build(FAILING["c"][0], "c", "failing")
    assert findings(replace(made, built=None), made.send().log) == ()


def test_what_went_well_has_no_findings() -> None:
    made = build("def on_request_headers(ctx):\n    ctx.log('File \"cell\", line 3')\n", name="well")
    assert findings(made, made.send().log) == ()
