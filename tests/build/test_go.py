"""Go: the SDK's names and the bare ABI, diagnostics at their place, modules, and no network once warm."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from wasmhub_magics import build
from wasmhub_magics.build import BuildOptions, Toolchain, build_module
from wasmhub_magics.build.go import Go
from wasmhub_magics.build.go_sdk import OLD_SDK
from wasmhub_magics.build.go_sdk import SDK as SDK_PATH
from wasmhub_magics.envoy import verify
from wasmhub_magics.errors import BuildError, CompileError, StartError, ToolchainMissing
from wasmhub_magics.http import Request, Response
from wasmhub_magics.plugin import Plugin
from wasmhub_magics.proxy import Proxy

CELL = BuildOptions(first_line=2)
SDK = """package main

import (
	IMPORTS
	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm"
	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm/types"
)

func init() {
	proxywasm.SetHttpContext(func(uint32) types.HttpContext { return &filter{} })
}

func main() {}

type filter struct{ types.DefaultHttpContext }

func (*filter) OnHttpRequestHeaders(int, bool) types.Action {
	BODY
	return types.ActionContinue
}
"""


def sdk(body: str, imports: str = "") -> str:
    return SDK.replace("BODY", body).replace("IMPORTS", imports)


@pytest.fixture(autouse=True)
def cache(kept: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WASMHUB_CACHE", str(kept))
    return kept


@pytest.fixture
def unplugged(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")


def failure(source: str, options: BuildOptions = CELL) -> CompileError:
    with pytest.raises(CompileError) as caught:
        build_module(source, "go", options=options)
    return caught.value


def sent(source: str, options: BuildOptions = CELL) -> dict[str, str]:
    """The headers that the upstream got."""
    with Proxy([Plugin(build_module(source, "go", options=options).module, "f")]) as proxy:
        request = proxy.send().upstream_request
    assert request is not None
    return dict(request.headers)


def test_errors_are_told_at_their_lines_and_columns_in_characters_and_without_a_path() -> None:
    error = failure(sdk('_, _ = "é😀", missing\n\tvar unused int'))
    assert [(each.line, each.column, each.message) for each in error.diagnostics] == [
        (19, 15, "undefined: missing"),
        (20, 6, "declared and not used: unused"),
    ]
    assert "cell:19:15: error: undefined: missing" in error.rendered
    assert not re.search(r"/(tmp|root|home|usr)/|languages/", str(error))


def test_a_filter_for_the_sdk_of_old_sets_its_context_in_main_and_is_exported_after_it_moved(
    tmp_path: Path,
) -> None:
    source = sdk('proxywasm.AddHttpRequestHeader("x-old", "yes")').replace("func main() {}", "")
    source = source.replace("func init()", "func main()").replace(SDK_PATH, OLD_SDK)
    assert sent(source)["x-old"] == "yes"
    report = verify([Plugin(build_module(source, "go").module, "old")], [Request()])
    assert report.agrees, repr(report)
    with pytest.raises(BuildError, match=f"imports {OLD_SDK}"):
        build(source, "go", "old").export(tmp_path / "old")
    with pytest.raises(StartError, match="no context is set"):
        sent(source.replace(OLD_SDK, SDK_PATH))


def test_a_message_of_several_lines_is_told_whole() -> None:
    (found,) = failure(sdk('proxywasm.AddHttpRequestHeader("a")')).diagnostics
    assert "have (string) want (string, string)" in found.message


def test_a_source_that_go_cannot_read_is_told_where() -> None:
    assert failure("import x").diagnostics[0].line == 2
    assert "function main is undeclared" in failure("package main").rendered
    assert failure(sdk("", '"os/exe"')).diagnostics[0].message == "package os/exe is not in std"


def test_a_module_that_nobody_named_is_told_with_the_flag_that_names_it() -> None:
    (found,) = failure(sdk("", '_ "github.com/tidwall/gjson/some"')).diagnostics
    assert (found.line, found.message) == (
        5,
        "no module is given for github.com/tidwall/gjson/some; use --module github.com/tidwall/gjson",
    )


def test_modules_of_the_proxy_and_folders_are_used_as_named(tmp_path: Path) -> None:
    (tmp_path / "go.mod").write_text("module example.com/mine\n\ngo 1.24\n")
    (tmp_path / "mine.go").write_text('package mine\n\nconst Name = "x-mine"\n')
    source = sdk(
        'proxywasm.AddHttpRequestHeader(mine.Name, gjson.Get(`{"a": "b"}`, "a").String())',
        '"github.com/tidwall/gjson"\n\t"example.com/mine"',
    )
    options = BuildOptions(packages=("github.com/tidwall/gjson@v1.18.0", f"example.com/mine={tmp_path}"))
    assert sent(source, options)["x-mine"] == "b"
    packages = dict(build_module(source, "go", options=options).packages)
    assert packages["github.com/tidwall/gjson"] == "v1.18.0"
    assert packages.keys() >= {"example.com/mine", "github.com/tidwall/match"}  # that of a module as well


def test_definitions_and_further_files_reach_the_source() -> None:
    source = sdk("proxywasm.AddHttpRequestHeader(name, greeting)") + 'var greeting = "none"\n'
    options = BuildOptions(
        files=(("more.go", 'package main\n\nconst name = "x-word"\n'),), defines=(("greeting", "hello you"),)
    )
    assert sent(source, options)["x-word"] == "hello you"


@pytest.mark.parametrize("name", ["gjson", "no such/module", "a.b/c@", "example.com/mine=/nowhere"])
def test_what_names_no_module_is_refused(name: str) -> None:
    with pytest.raises(BuildError, match=r"names no module|there is no go\.mod"):
        build_module(sdk(""), "go", options=BuildOptions(packages=(name,)))


def test_without_a_network_what_was_built_before_builds_and_a_new_module_says_what_to_do(
    unplugged: None,
) -> None:
    assert build_module(sdk("// warm"), "go").module.abi == "0.2.0"
    with pytest.raises(BuildError) as caught:
        build_module(sdk(""), "go", options=BuildOptions(packages=("github.com/google/uuid@v1.6.0",)))
    assert "connect to the module proxy once" in caught.value.do


def test_packages_that_only_the_sdk_itself_has_come_from_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    source = sdk(
        'host, _ := properties.GetRequestHost()\n\tproxywasm.AddHttpRequestHeader("x-host", host)',
        '"github.com/proxy-wasm/proxy-wasm-go-sdk/properties"',
    )
    assert sent(source)["x-host"] == "localhost"
    monkeypatch.setenv("WASMHUB_CACHE", str(tmp_path))
    request.getfixturevalue("unplugged")
    with pytest.raises(BuildError, match=r"go cannot get a module: github\.com/proxy-wasm") as caught:
        build_module(source, "go", force=True)
    assert "connect to the module proxy once" in caught.value.do
    assert "https://" not in str(caught.value)


def test_headers_bodies_properties_and_answers_are_as_the_sdk_tells_them_and_envoy_agrees() -> None:
    source = (
        sdk(
            """proxywasm.AddHttpRequestHeader("x-many", "1")
	proxywasm.AddHttpRequestHeader("x-many", "2")
	proxywasm.ReplaceHttpRequestHeader("x-one", "new")
	if _, err := proxywasm.GetHttpRequestHeader("x-absent"); err != types.ErrorStatusNotFound {
		proxywasm.LogCriticalf("no error, but %v", err)
	}
	pairs, _ := proxywasm.GetHttpRequestHeaders()
	for _, pair := range pairs {
		if pair[0] == "x-many" {
			proxywasm.LogInfof("%s is %q", pair[0], pair[1])
		}
	}
	path, err := proxywasm.GetProperty([]string{"request", "path"})
	proxywasm.LogWarnf("%s %v", path, err)""",
        )
        + """
func (*filter) OnHttpRequestBody(size int, end bool) types.Action {
	if !end {
		return types.ActionPause
	}
	body, err := proxywasm.GetHttpRequestBody(0, size)
	proxywasm.LogInfof("%s %v", body, err)
	proxywasm.PrependHttpRequestBody([]byte("<"))
	proxywasm.AppendHttpRequestBody([]byte(">"))
	return types.ActionContinue
}

func (*filter) OnHttpResponseHeaders(count int, end bool) types.Action {
	proxywasm.RemoveHttpResponseHeader("content-length")
	proxywasm.ReplaceHttpResponseHeaders([][2]string{{":status", "201"}, {"x-only", "é"}, {"x-empty", ""}})
	return types.ActionContinue
}

func (*filter) OnHttpStreamDone() { proxywasm.LogInfo("done") }
"""
    )
    request = Request("POST", "/path?q", headers=[("x-one", "old"), ("content-type", "a/b")], body="middle")
    plugin = Plugin(build_module(source, "go").module, "f")
    upstream = Response(200, [("x-gone", "1")], b"hi")
    with Proxy([plugin], upstream) as proxy:
        exchange = proxy.send(request)
    assert [(line.level, line.message) for line in exchange.log] == [
        ("info", 'x-many is "1"'),
        ("info", 'x-many is "2"'),
        ("warn", "/path?q <nil>"),
        ("info", "middle <nil>"),
        ("info", "done"),
    ]
    assert exchange.upstream_request is not None
    assert exchange.upstream_request.headers["x-one"] == "new"
    assert exchange.upstream_request.body == b"<middle>"
    assert exchange.response is not None
    assert exchange.response.status == 201
    assert exchange.response.headers["x-only"] == "é"
    assert "x-gone" not in exchange.response.headers
    report = verify([plugin], [request], upstream)
    assert report.agrees, str(report)


def test_what_is_empty_is_not_found_as_in_the_sdk() -> None:
    source = sdk(
        """_, err := proxywasm.GetHttpRequestBody(0, 10)
    _, more := proxywasm.GetHttpRequestTrailers()
    proxywasm.LogInfo(fmt.Sprint(err == types.ErrorStatusNotFound, more != nil))""",
        '"fmt"',
    )
    with Proxy(Plugin(build_module(source, "go").module, "filter")) as proxy:
        exchange = proxy.send(Request("POST", "/", body=b"x"))
    assert [line.message for line in exchange.log] == ["true true"]


def test_a_panic_is_told_with_its_line() -> None:
    built = build_module(sdk('panic("on purpose")'), "go", options=CELL)
    with Proxy([Plugin(built.module, "f")]) as proxy:
        exchange = proxy.send()
    told = next(line for line in exchange.log if line.level == "critical")
    assert told.message.startswith("panic: on purpose\n")
    assert "cell.go:19" in told.message
    assert exchange.response is not None
    assert exchange.response.status == 503


def test_a_filter_that_sets_no_context_says_so_when_it_starts() -> None:
    source = sdk("").replace("func init()", "func never()")
    with pytest.raises(StartError, match=r"no context is set: call proxywasm\.SetVMContext"):
        Proxy([Plugin(build_module(source, "go").module, "f")]).close()


def test_memory_that_the_host_filled_is_given_back() -> None:
    source = sdk('for range 2000 { proxywasm.GetHttpRequestHeader(":path") }')
    with Proxy([Plugin(build_module(source, "go").module, "f")]) as proxy:
        first = proxy.loop(Request(path="/" + "x" * 5000), 20)
    assert first.memory_after[0] < 64 << 20


def test_the_same_source_gives_the_same_bytes_without_a_path_of_this_machine(kept: Path) -> None:
    one, two = (build_module(sdk("// same"), "go", force=True).module for _ in range(2))
    assert one.digest == two.digest
    assert str(Path(__file__).parents[2]).encode() not in one.data
    assert str(kept).encode() not in one.data


def test_the_steps_of_the_compiler_are_told_as_they_come() -> None:
    told: list[str] = []
    build_module(sdk("// told"), "go", progress=told.append)
    assert told[-1] == "Compiling the source"


def test_a_compiler_that_is_missing_or_too_old_is_one_sentence_with_the_command() -> None:
    with pytest.raises(ToolchainMissing) as caught:
        build_module(sdk(""), Go(lambda: None))
    assert 'pip install "wasmhub-magics[go]"' in caught.value.do
    assert isinstance(Go().detect(), Toolchain)
