"""Rust: the official crate and the bare ABI, diagnostics at their place, crates, and no network once warm."""

from __future__ import annotations

import importlib.util
import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from wasmhub_magics import build
from wasmhub_magics.build import BuildOptions, build_module
from wasmhub_magics.build.process import run
from wasmhub_magics.build.rust import Rust
from wasmhub_magics.build.rust_toolchain import Rustc, find_rust, rustcs, with_library, with_source
from wasmhub_magics.errors import BuildError, CompileError, LinkError, ToolchainMissing
from wasmhub_magics.hub import info
from wasmhub_magics.plugin import Plugin
from wasmhub_magics.proxy import Proxy

CELL = BuildOptions(first_line=2)
SDK = """use proxy_wasm::traits::*;
use proxy_wasm::types::*;

proxy_wasm::main! {{
    proxy_wasm::set_http_context(|_, _| -> Box<dyn HttpContext> { Box::new(Filter) });
}}

struct Filter;
impl Context for Filter {}
impl HttpContext for Filter {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        BODY
        Action::Continue
    }
}
"""
BARE = """#[no_mangle] pub extern "C" fn proxy_abi_version_0_2_1() {}
#[no_mangle] pub extern "C" fn proxy_on_memory_allocate(size: usize) -> *mut u8 {
    Vec::with_capacity(size).leak().as_mut_ptr()
}
"""


def sdk(body: str) -> str:
    return SDK.replace("BODY", body)


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
        build_module(source, "rust", options=options)
    return caught.value


def sent(source: str, options: BuildOptions = CELL) -> dict[str, str]:
    """The headers that the upstream got."""
    with Proxy([Plugin(build_module(source, "rust", options=options).module, "f")]) as proxy:
        request = proxy.send().upstream_request
    assert request is not None
    return dict(request.headers)


def test_an_error_is_told_at_its_line_and_column_in_characters_and_without_a_path() -> None:
    error = failure(sdk('let _ = ("é😀", missing);'))
    (found,) = (each for each in error.diagnostics if each.severity == "error")
    assert (found.line, found.column, found.end_line, found.end_column) == (13, 24, 13, 31)
    assert found.code == "E0425"
    assert "cell:13:24: error: cannot find value `missing` in this scope" in error.rendered
    assert not re.search(r"/(tmp|root|home)/|languages/", str(error))


def test_an_error_inside_a_macro_of_a_crate_is_told_where_the_source_uses_it() -> None:
    error = failure(sdk("").replace("set_http_context(", "set_http_contxt("))
    assert next((each.line, each.severity) for each in error.diagnostics) == (6, "error")
    (found, *_) = failure(sdk('log::info!("{}");')).diagnostics
    assert (found.line, found.message) == (
        13,
        "1 positional argument in format string, but no arguments were given",
    )


def test_what_helps_is_told_beside_the_error() -> None:
    notes = failure(sdk('self.set_http_request_headr("a", None);')).diagnostics[1:]
    assert any("similar name" in each.message and each.line == 13 for each in notes)


def test_a_warning_does_not_fail_the_build_and_is_kept_with_it() -> None:
    source = sdk("let unused = 1;")
    built = build_module(source, "rust", options=CELL)
    assert [(each.severity, each.line) for each in built.diagnostics] == [("warning", 13)]
    again = build_module(source, "rust", options=CELL)
    assert again.cached
    assert again.diagnostics == built.diagnostics


def test_a_host_function_that_is_misspelt_is_told_with_its_neighbour() -> None:
    source = """extern "C" { fn proxy_set_tick_period_millisecond(period: u32) -> u32; }
    #[no_mangle] pub extern "C" fn proxy_on_log(_: u32) {
        unsafe { proxy_set_tick_period_millisecond(1); }
    }
    """
    with pytest.raises(LinkError, match="proxy_set_tick_period_milliseconds"):
        build_module(BARE + source, "rust")


def test_an_allocator_under_the_name_of_the_librarys_is_told_how_to_be_named() -> None:
    source = BARE.replace("proxy_on_memory_allocate", "malloc")
    if Rust().detect().target == "wasm32-wasip1":
        assert "export yours as proxy_on_memory_allocate" in failure(source).rendered
    else:  # its library has none
        assert build_module(source, "rust").module.abi == "0.2.1"


def test_crates_and_their_features_are_used_as_named_and_published_with_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = sdk('self.set_http_request_header("x-hex", Some(&hex::encode("hi")));')
    options = BuildOptions(packages=("hex[alloc]=0.4",))
    assert sent(source, options)["x-hex"] == "6869"
    monkeypatch.setenv("WASMHUB_STORE", str(tmp_path))
    build(source, "rust", "hexed", options=options).push("team/hexed:v1")
    sbom = info("team/hexed:v1").sbom
    assert sbom is not None
    packages = {each["name"]: each["versionInfo"] for each in sbom["packages"]}
    assert packages["hex"].startswith("0.4.")
    assert packages.keys() >= {"hexed", "proxy-wasm", "log", "hashbrown"}
    assert "cell" not in packages


def test_definitions_and_further_files_reach_the_source() -> None:
    source = "mod words;\n" + sdk('self.set_http_request_header(words::NAME, Some(env!("GREETING")));')
    options = BuildOptions(
        files=(("words.rs", 'pub const NAME: &str = "x-word";'),), defines=(("GREETING", "hello"),)
    )
    assert sent(source, options)["x-word"] == "hello"
    assert sent(source, BuildOptions(files=options.files, defines=(("GREETING", "bye"),)))["x-word"] == "bye"


def test_the_newest_edition_can_be_asked_for() -> None:
    options = BuildOptions(flags=("--edition=2024",))
    assert "extern blocks must be unsafe" in failure(BARE + 'extern "C" { fn f(); }', options).rendered


def test_a_crate_that_needs_a_newer_compiler_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "lib.rs").touch()
    manifest = '[package]\nname = "young"\nversion = "1.0.0"\nedition = "2021"\nrust-version = "1.999"\n'
    (tmp_path / "Cargo.toml").write_text(manifest)
    options = BuildOptions(packages=(f'young={{path="{tmp_path}"}}',))
    with pytest.raises(BuildError, match=r"young.* requires rustc 1\.999") as caught:
        build_module(BARE, "rust", options=options)
    assert caught.value.do == "name an older release, --crate young==VERSION, or get Rust 1.999 or newer"


@pytest.mark.parametrize("name", ["no such", "=1", "a=1\nb=2", 'a="', "1a=1"])
def test_what_names_no_crate_is_refused(name: str) -> None:
    with pytest.raises(BuildError, match="names no crate"):
        build_module(BARE, "rust", options=BuildOptions(packages=(name,)))


def test_a_definition_that_would_change_the_compiler_is_refused() -> None:
    with pytest.raises(BuildError, match="cannot be defined"):
        build_module(BARE, "rust", options=BuildOptions(defines=(("RUSTFLAGS", "-g"),)))


def test_without_a_network_what_was_built_before_builds_and_a_new_crate_says_what_to_do(
    unplugged: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert build_module(sdk("// warm"), "rust").module.abi is not None
    assert build_module(BARE + "// no crate", "rust").module.abi == "0.2.1"
    monkeypatch.setenv("CARGO_HOME", str(tmp_path))  # it has no crate yet
    with pytest.raises(BuildError) as caught:
        build_module(BARE, "rust", options=BuildOptions(packages=("oorandom=11.1",)))
    assert "connect to the registry of crates once" in caught.value.do
    assert "127.0.0.1" not in caught.value.do


def test_debug_keeps_source_lines_and_names_are_kept_always() -> None:
    source = BARE + '#[no_mangle] pub extern "C" fn proxy_on_log(_: u32) { panic!("no"); }'
    plain = build_module(source, "rust").module
    debug = build_module(source, "rust", options=BuildOptions(debug=True)).module
    assert plain.custom(".debug_line") is None
    assert plain.custom("name") is not None
    assert b"cell.rs" in (debug.custom(".debug_line") or b"") + (debug.custom(".debug_str") or b"")
    with Proxy(Plugin(debug, "lines")) as proxy:
        told = proxy.send().log[-1].message
    assert "proxy_on_log (cell.rs line 5)" in told
    assert "core::panicking::panic_fmt" in told


def test_the_same_source_gives_the_same_bytes_without_a_path_of_this_machine(kept: Path) -> None:
    one, two = (build_module(sdk("let x = 1 + 1; let _ = x;"), "rust", force=True).module for _ in range(2))
    assert one.digest == two.digest
    assert str(Path.home()).encode() + b"/" not in one.data
    assert str(kept).encode() not in one.data


def test_the_steps_of_the_compiler_are_told_as_they_come() -> None:
    told: list[str] = []
    build_module(sdk("// told"), "rust", progress=told.append)
    assert told[-1] == "Compiling the source"


def test_lines_are_handed_on_while_the_command_runs(tmp_path: Path) -> None:
    script = "import sys; print('one', file=sys.stderr, flush=True); print('out'); sys.stdin.read()"
    heard: list[str] = []
    done = run([sys.executable, "-c", script], cwd=tmp_path, timeout=20, watch=heard.append)
    assert (heard, done.stdout, done.stderr, done.code) == (["one"], "out\n", "one\n", 0)
    with pytest.raises(BuildError, match=r"longer than 0\.5 s"):
        run(["sleep", "30"], cwd=tmp_path, timeout=0.5, watch=heard.append)


def test_an_interrupt_while_lines_are_awaited_ends_the_command(tmp_path: Path) -> None:
    def interrupt(line: str) -> None:
        raise KeyboardInterrupt

    script = f"echo started >&2; sleep 30; touch {tmp_path}/survived"
    with pytest.raises(KeyboardInterrupt):
        run(["sh", "-c", script], cwd=tmp_path, timeout=20, watch=interrupt)
    assert not (tmp_path / "survived").exists()


def test_a_compiler_with_the_library_goes_first_and_one_with_its_source_builds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rust(name: str, version: str, *parts: str) -> Path:
        home = tmp_path / name
        for part in (*parts, "bin/cargo", "lib/rustlib/host/bin/rust-lld"):
            (home / part).parent.mkdir(parents=True, exist_ok=True)
            (home / part).touch()
        script = f'#!/bin/sh\n[ "$1" = --version ] && echo "rustc {version} (x)" || echo "{home}"\n'
        (home / "bin/rustc").write_text(script)
        (home / "bin/rustc").chmod(0o755)
        return home / "bin"

    source = rust("source", "1.96.0", "lib/rustlib/src/rust/library/Cargo.lock")
    ready = rust("ready", "1.90.0", "lib/rustlib/wasm32-unknown-unknown/lib/libstd-1.rlib")
    monkeypatch.setenv("PATH", f"{source}:{ready}")
    found = find_rust()
    assert found is not None
    assert (found.version, found.command) == ("1.90.0 for wasm32-unknown-unknown", (str(ready / "cargo"),))
    only = next(each for each in rustcs() if each.path == source / "rustc")
    built = with_source(only)
    assert built is not None
    assert built.flags == ("-Zbuild-std=std,panic_abort",)
    assert with_library(only) is None


def test_a_compiler_without_a_linker_of_its_own_links_with_the_one_that_was_found(tmp_path: Path) -> None:
    found, seen = find_rust(), tmp_path / "seen"
    zig = importlib.util.find_spec("ziglang")
    assert found is not None
    assert zig is not None
    assert zig.submodule_search_locations
    linker = tmp_path / "linker"
    linker.write_text(
        f'#!/bin/sh\necho "$1" >>{seen}\nexec {zig.submodule_search_locations[0]}/zig wasm-ld "$@"\n'
    )
    linker.chmod(0o755)
    borrowing = Rust(lambda: replace(found, version=f"{found.version} borrowing", linker=(str(linker),)))
    assert build_module(BARE, borrowing).module.abi == "0.2.1"
    assert "-flavor" not in seen.read_text()


def test_the_newest_linker_is_taken_whichever_has_the_plain_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for part in ("bin/cargo", "lib/rustlib/src/rust/library/Cargo.lock", "bin/wasm-ld", "bin/wasm-ld-19"):
        (tmp_path / part).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / part).touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    found = with_source(Rustc(tmp_path / "bin" / "rustc", (1, 96, 0), tmp_path))
    assert found is not None
    assert found.linker == (str(tmp_path / "bin" / "wasm-ld-19"),)


def test_a_missing_compiler_is_one_sentence_with_the_command() -> None:
    with pytest.raises(ToolchainMissing) as caught:
        build_module(BARE, Rust(lambda: None))
    assert "rustup target add wasm32-wasip1" in caught.value.do


def test_a_compiler_that_did_not_answer_is_asked_again(tmp_path, monkeypatch):
    script = tmp_path / "rustc"
    script.write_text(
        f"#!/bin/sh\n[ -e {tmp_path}/awake ] || exit 1\n"
        f'case "$1" in --version) echo "rustc 1.95.0 (x)";; *) echo {tmp_path};; esac\n'
    )
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    assert script not in [each.path for each in rustcs()]
    (tmp_path / "awake").touch()
    assert script in [each.path for each in rustcs()]
