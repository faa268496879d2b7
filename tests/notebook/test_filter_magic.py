"""%%wasm_filter and %wasm_filter."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.notebook.conftest import PYTHON_GREETER, Shell
from wasmhub_magics import Filter
from wasmhub_magics.errors import (
    CompileError,
    LinkError,
    MalformedModule,
    RequestError,
    ToolchainMissing,
    WasmhubError,
)

DIAGNOSTICS = "application/vnd.wasmhub.diagnostics.v1+json"

PLAIN_WAT = """\
(module
  (func (export "proxy_abi_version_0_2_1"))
  (memory (export "memory") 1)
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) i32.const 1024))
"""


def test_the_cell_becomes_a_filter_in_a_variable_of_its_name(shell: Shell) -> None:
    made = shell.run("%%wasm_filter greeter\n" + PYTHON_GREETER)
    assert isinstance(made, Filter)
    assert made.language == "python"
    assert shell.ip.user_ns["greeter"] is made
    assert shell.run("%wasm_filter greeter") is made


def test_without_a_name_it_is_called_filter_and_pythons_own_filter_stays(shell: Shell) -> None:
    shell.run("%%wasm_filter\n" + PYTHON_GREETER)
    assert shell.run("%wasm_filter filter").name == "filter"
    assert shell.run("list(filter(None, [0, 1]))") == [1]


def test_a_name_with_a_dash_is_kept_without_a_variable(shell: Shell) -> None:
    shell.run("%%wasm_filter my-filter\n" + PYTHON_GREETER)
    assert shell.run("%wasm_filter my-filter").name == "my-filter"
    assert "my-filter" not in shell.ip.user_ns


def test_the_body_is_never_templated(shell: Shell) -> None:
    shell.run("user = 'REPLACED'")
    body = 'def on_request_headers(ctx):\n    ctx.request.headers["x-a"] = "{user} $user {{user}}"\n'
    assert shell.run("%%wasm_filter a\n" + body).source.strip() == body.strip()
    exchange = shell.run("%wasm_send a /")
    assert exchange.upstream_request.headers["x-a"] == "{user} $user {{user}}"


def test_options_become_the_plugins_settings(shell: Shell) -> None:
    shell.run("settings = {'limit': 3}")
    made = shell.run(
        "%%wasm_filter a --config @settings --vm-config 'plain text' --root-id root --env MODE=test "
        "--env EMPTY= --failure-policy open\n" + PYTHON_GREETER
    )
    assert made.plugin.configuration == b'{"limit": 3}'
    assert made.plugin.vm_configuration == b"plain text"
    assert made.plugin.root_id == "root"
    assert made.plugin.environment == (("MODE", "test"), ("EMPTY", ""))
    assert made.plugin.failure_policy == "open"


def test_json_on_the_line_is_passed_on_as_it_is(shell: Shell) -> None:
    made = shell.run("""%%wasm_filter a --config '{"a":1}'\n""" + PYTHON_GREETER)
    assert made.plugin.configuration == b'{"a":1}'


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("%%wasm_filter a --config {a:1}", "--config is not JSON"),
        ("%%wasm_filter a --config @nothing", "no variable named 'nothing'"),
        ("%%wasm_filter a --env MODE", "not KEY=VALUE"),
        ("%%wasm_filter a --lang python3000", "python3000"),
        ("%%wasm_filter a --failure-policy maybe", "maybe"),
        ("%%wasm_filter a --no-such-option", "--no-such-option"),
        ("%%wasm_filter a b", "b"),
        ("%%wasm_filter 'two words'", "no name for a filter"),
        ("%%wasm_filter a --config 'open", "quote"),
        ("%%wasm_filter a --timeout soon", "soon"),
    ],
)
def test_a_mistake_on_the_line_is_told_in_a_sentence(shell: Shell, line: str, told: str) -> None:
    error = shell.fail(f"{line}\n{PYTHON_GREETER}")
    assert isinstance(error, WasmhubError)
    assert told in str(error)
    assert error.do
    assert "Traceback" not in "\n".join(error._render_traceback_())


def test_the_line_magic_lists_what_there_is(shell: Shell) -> None:
    assert "no filters yet" in repr(shell.run("%wasm_filter"))
    shell.run("%%wasm_filter one\n" + PYTHON_GREETER)
    shell.run("%%wasm_filter two --lang wat\n" + PLAIN_WAT)
    listed = shell.run("%wasm_filter")
    assert [made.name for made in listed] == ["one", "two"]
    assert "python" in repr(listed)
    assert "<td" in listed._repr_html_()


def test_an_unknown_name_lists_the_known_ones_and_the_nearest(greeter: Shell) -> None:
    greeter.run("%%wasm_filter other\n" + PYTHON_GREETER)
    error = greeter.fail("%wasm_send greter /")
    assert isinstance(error, RequestError)
    assert "did you mean greeter?" in str(error)
    assert "other" in str(error)


def test_a_filter_in_a_variable_is_found_by_the_variables_name(shell: Shell) -> None:
    shell.run(f"import wasmhub_magics as w\nmine = w.build({PYTHON_GREETER!r}, name='theirs')")
    assert (
        shell.run("%wasm_send mine / -H 'x-user: ada'").upstream_request.headers["x-greeting"] == "hello ada"
    )


def test_a_file_is_built_or_loaded(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "hello.py").write_text(PYTHON_GREETER)
    made = shell.run("%wasm_filter --file hello.py")
    assert (made.name, made.language) == ("hello", "python")
    made.save(tmp_path / "ready.wasm")
    loaded = shell.run("%wasm_filter ready2 --file ready.wasm")
    assert loaded.digest == made.digest
    assert loaded.language == "wasm"


def test_a_file_that_is_not_there_is_told(shell: Shell) -> None:
    assert "nothing.py" in str(shell.fail("%wasm_filter --file nothing.py"))
    assert "nothing.wasm" in str(shell.fail("%wasm_filter --file nothing.wasm"))


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", MalformedModule),
        (b"\0asm\x01\0\0\0\x01\xff", MalformedModule),
        (b"\0asm\x01\0\0\0", LinkError),
    ],
)
def test_a_broken_module_is_told(shell: Shell, tmp_path: Path, data: bytes, kind: type[Exception]) -> None:
    (tmp_path / "bad.wasm").write_bytes(data)
    assert isinstance(shell.fail("%wasm_filter --file bad.wasm"), kind)


def test_a_syntax_error_names_the_line_of_the_cell(shell: Shell) -> None:
    error = shell.fail("%%wasm_filter a\n\ndef on_request_headers(ctx):\n    x = = 1\n")
    assert isinstance(error, CompileError)
    assert error.diagnostics[0].line == 4
    assert "4" in str(error)
    (bundle,) = shell.bundles(DIAGNOSTICS)
    assert bundle["diagnostics"][0]["line"] == 4
    assert bundle["diagnostics"][0]["severity"] == "error"
    assert bundle["source"].startswith("sha256:")
    assert "line 4" in shell.bundles("text/plain")[0]


def test_empty_lines_above_the_magic_count(shell: Shell) -> None:
    error = shell.fail("\n\n%%wasm_filter a\ndef on_request_headers(ctx):\n    x = = 1\n")
    assert isinstance(error, CompileError)
    assert error.diagnostics[0].line == 5


def test_an_error_in_wat_names_the_line_of_the_cell(shell: Shell) -> None:
    error = shell.fail("%%wasm_filter a --lang wat\n(module\n  (func (export 1)))\n")
    assert isinstance(error, CompileError)
    assert error.diagnostics[0].line == 3


def test_an_error_in_c_names_the_line_of_the_cell(shell: Shell) -> None:
    error = shell.fail("%%wasm_filter a --lang c\n\nint broken( { return 0; }\n")
    assert isinstance(error, CompileError)
    assert error.diagnostics[0].line == 3


def test_a_failed_build_keeps_the_filter_that_was_there(greeter: Shell) -> None:
    before = greeter.run("%wasm_filter greeter")
    greeter.fail("%%wasm_filter greeter\ndef broken(:\n")
    assert greeter.run("%wasm_filter greeter") is before


def test_an_error_shows_no_frames_of_ours(shell: Shell) -> None:
    error = shell.fail("%%wasm_filter a\ndef broken(:\n")
    lines = "\n".join(error._render_traceback_())  # type: ignore[attr-defined]
    assert "File " not in lines
    assert "wasmhub_magics/" not in lines
    assert "CompileError" in lines


def test_the_same_cell_comes_from_the_cache(shell: Shell) -> None:
    cell = '%%wasm_filter a --lang c\n#include "proxy_wasm.h"\n'
    shell.run(cell)
    assert shell.run(cell).built.cached
    assert not shell.run(cell.replace("lang c", "lang c --force")).built.cached
    assert not shell.run(cell.replace("lang c", "lang c --define LIMIT=3")).built.cached


@pytest.fixture
def no_compiler(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A machine without a C compiler."""
    home = importlib.import_module("wasmhub_magics.build.clang")
    finders = (home.find_ziglang, home.find_clang)
    monkeypatch.setitem(sys.modules, "ziglang", None)
    monkeypatch.setenv("PATH", str(tmp_path))
    for finder in finders:
        finder.cache_clear()
    yield
    for finder in finders:
        finder.cache_clear()


@pytest.mark.usefixtures("no_compiler")
def test_a_missing_toolchain_is_one_sentence_with_a_command(shell: Shell) -> None:
    error = shell.fail("%%wasm_filter a --lang c\nint x;\n")
    assert isinstance(error, ToolchainMissing)
    assert "pip install" in error.do
    assert len(error._render_traceback_()) == 2  # type: ignore[attr-defined]
