"""From a source to a module: what building finds, and what it writes."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from wasmhub_magics.build.build import build_module
from wasmhub_magics.build.language import BuildOptions
from wasmhub_magics.build.languages import languages
from wasmhub_magics.errors import BuildError, CompileError, Diagnostic, ToolchainMissing
from wasmhub_magics.guest import python as guest
from wasmhub_magics.guest.python import SOURCE_LIMIT, embed
from wasmhub_magics.module import Module

SOURCE = "def on_request_headers(ctx):\n    pass\n"


def diagnostics(source: str) -> tuple[Diagnostic, ...]:
    with pytest.raises(CompileError) as caught:
        build_module(source, "python", options=BuildOptions(first_line=2))
    return caught.value.diagnostics


def warnings(source: str) -> list[tuple[int, int, str]]:
    build = build_module(source, "python", options=BuildOptions(first_line=2))
    return [(each.line, each.column, each.message) for each in build.diagnostics]


def test_python_is_the_default_language() -> None:
    build = build_module(SOURCE)
    assert (build.language, build.toolchain) == ("python", "MicroPython 1.27.0")
    assert next(iter(languages())) == "python"


def test_a_module_wants_nothing_but_what_every_proxy_has() -> None:
    module = Module(embed(SOURCE))
    module.check()
    assert module.abi == "0.2.1"
    assert module.notes == ()
    assert {each.module for each in module.imports} == {"env", "wasi_snapshot_preview1"}


def test_sources_differ_in_one_data_segment_only() -> None:
    one, other = Module(embed(SOURCE)), Module(embed(SOURCE * 5, "other", first_line=9))
    assert one.digest != other.digest
    (hollow, data), (same, more) = one.hollow() or (b"", ()), other.hollow() or (b"x", ())
    assert hollow == same
    assert data[:-1] == more[:-1]
    assert [data[-1][1].endswith(SOURCE.encode()), more[-1][0]] == [True, data[-1][0]]


def test_the_same_source_gives_the_same_bytes() -> None:
    assert embed(SOURCE) == embed(SOURCE)


def test_a_source_may_fill_its_area_and_no_more() -> None:
    Module(embed("#" * SOURCE_LIMIT, "n" * 100)).check()
    with pytest.raises(BuildError, match="may have 1,048,500"):
        embed("#" * (SOURCE_LIMIT + 1))


def test_a_source_of_almost_a_megabyte_runs(start: Any) -> None:
    numbers = ", ".join(map(str, range(20_000)))
    comment = "# a line of a comment\n" * ((SOURCE_LIMIT - len(numbers) - 100) // 22)
    proxy = start(f"{comment}table = [{numbers}]\nlog(table[-1])\n")
    assert proxy.log[-1].message == "19999"


def test_half_a_character_is_refused() -> None:
    with pytest.raises(BuildError, match="UTF-8"):
        embed("x = '\ud800'")


def test_a_lost_runtime_is_a_clear_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    room = import_module("wasmhub_magics.build.python")
    monkeypatch.setattr(room, "RUNTIME", tmp_path / "runtime.wasm")
    with pytest.raises(ToolchainMissing, match="lacks its Python runtime"):
        build_module(SOURCE)
    monkeypatch.setattr(guest, "RUNTIME", tmp_path / "runtime.wasm")
    guest._runtime.cache_clear()
    with pytest.raises(BuildError, match="lacks its Python runtime"):
        embed(SOURCE)
    monkeypatch.undo()
    guest._runtime.cache_clear()
    embed(SOURCE)


def test_a_syntax_error_has_its_place_in_the_cell() -> None:
    (found,) = diagnostics("def on_request_headers(ctx):\n    é = = 1\n")
    assert (found.severity, found.line, found.column) == ("error", 3, 9)
    assert found.message == "invalid syntax"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("match 1:\n    case 1:\n        pass\n", "no match statement"),
        ("def f(a, /):\n    pass\n", "positional-only"),
        ("try:\n    pass\nexcept* ValueError:\n    pass\n", "except*"),
        ("x = {**{}}\n", "dict display"),
        ("x = [*[1]]\n", "list display"),
        ("def on_log():\n    pass\n", "write def on_log(ctx)"),
        ("def on_log(ctx, extra):\n    pass\n", "write def on_log(ctx)"),
        ("async def on_log(ctx):\n    pass\n", "cannot be async"),
        ("x = '\0'\n", "null"),
        ("x = " + "(" * 1000, "nested"),
    ],
)
def test_what_cannot_run_is_found_when_building(source: str, said: str) -> None:
    found = diagnostics(source)
    assert said in found[0].message
    assert found[0].line == 2 or found[0].line == 4


def test_what_is_hardly_meant_is_a_warning() -> None:
    assert warnings("def on_request_header(ctx):\n    pass\n") == [
        (2, 1, "on_request_header is no callback, so nobody calls it; did you mean on_request_headers?")
    ]
    assert warnings("if True:\n    import requests.auth\n") == [
        (3, 5, "MicroPython has no module requests.auth: this import fails when the filter runs")
    ]
    assert warnings("x = '\\d'\n") == [(2, 0, "invalid escape sequence '\\d'")]


@pytest.mark.parametrize(
    "source",
    [
        "",
        "# nothing\n",
        "def on_log(ctx, *rest, more=1):\n    pass\n",
        "def on_log(*args):\n    pass\n",
        "on_log = lambda ctx: None\n",
        "from typing import Any\ndef on_log(ctx: Any) -> None:\n    x: int | None = 1\n",
        "x = 1\r\ndef on_log(ctx):\r\n    pass\r\n",
        "x = 1\ry = 2\r",
        "\ufeffx = 1\n",
    ],
)
def test_every_ordinary_source_builds_without_a_word_and_starts(source: str, start: Any) -> None:
    assert warnings(source) == []
    assert start(source).log == ()
