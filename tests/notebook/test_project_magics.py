"""%wasm_new and %wasm_export, and cells of several files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.notebook.conftest import PYTHON_GREETER, Shell
from wasmhub_magics.errors import BuildError, RequestError
from wasmhub_magics.examples import examples


def inserted(shell: Shell, line: str) -> str:
    """The cell that a magic asks the front end to insert."""
    shell.run(line)
    text: str = shell.ip.rl_next_input
    shell.ip.rl_next_input = None
    return text


@pytest.mark.parametrize("language", ["python", "javascript", "c", "zig", "wat"])
def test_a_new_cell_runs_at_once(shell: Shell, language: str) -> None:
    cell = inserted(shell, f"%wasm_new {language} greeter")
    assert cell.startswith("%%wasm_filter greeter")
    made = shell.run(cell)
    assert (made.name, made.language) == ("greeter", language)
    assert shell.run("%wasm_send greeter /").upstream_request.headers["x-greeting"] == "hello stranger"


def test_a_new_cell_may_begin_with_an_example(shell: Shell) -> None:
    cell = inserted(shell, "%wasm_new --example rate-limit js")
    assert cell.startswith("%%wasm_filter rate-limit --lang javascript --config '3 3600'\n// Rate limit")
    shell.run(cell)
    statuses = [shell.run("%wasm_send rate-limit /").response.status for _ in range(4)]
    assert statuses == [200, 200, 200, 429]
    assert "--crate hmac=0.12" in inserted(shell, "%wasm_new --example jwt rust")


def test_without_a_word_the_examples_are_listed(shell: Shell) -> None:
    gallery = shell.run("%wasm_new")
    assert [each.name for each in gallery] == [each.name for each in examples()]
    assert "rate-limit" in repr(gallery)
    assert ">cors</code>" in gallery._repr_html_()


def test_what_is_not_there_is_told_with_its_neighbour(shell: Shell) -> None:
    assert "did you mean cors?" in str(shell.fail("%wasm_new --example corss"))
    assert "did you mean rust?" in str(shell.fail("%wasm_new rusty"))
    assert isinstance(shell.fail("%wasm_new --example jwt wat"), RequestError)


def test_completion_offers_languages_and_examples(shell: Shell) -> None:
    assert "rust" in shell.complete("%wasm_new ru")
    assert "rate-limit" in shell.complete("%wasm_new --example ra")


def test_a_filter_is_exported_with_what_it_did_last_and_comes_back(shell: Shell, tmp_path: Path) -> None:
    made = shell.run("%%wasm_filter greeter --config text\n" + PYTHON_GREETER)
    shell.run("%wasm_send greeter /items -H 'x-user: ada'")
    folder = shell.run(f"%wasm_export greeter {tmp_path}/out")
    table = json.loads((folder / "tests" / "exchanges.json").read_text())
    assert table["config"] == "text"
    assert table["exchanges"][0]["forwarded"]["headers"] == {"x-greeting": "hello ada"}
    back = shell.run(f"%wasm_filter again --file {folder}")
    assert (back.name, back.digest, back.source) == ("again", made.digest, made.source)
    assert isinstance(shell.fail(f"%wasm_export greeter {folder}"), BuildError)
    assert shell.run(f"%wasm_export greeter {folder} --force") == folder


def test_a_cell_takes_further_files(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shell.run("%%writefile words.py\nHELLO = 'hello'\n")
    Path("deep").mkdir()
    Path("deep/names.h").write_text('#define NAME "deep"\n')
    body = (
        "import words\n\ndef on_request_headers(ctx):\n    ctx.request.headers['x-w'] = words.HELLO + NAME\n"
    )
    shell.run("%%wasm_filter a --file words.py --define NAME=you\n" + body)
    assert shell.run("%wasm_send a /").upstream_request.headers["x-w"] == "helloyou"
    source = '#include "proxy_wasm.h"\n#include "deep/names.h"\n'
    source += "void proxy_on_log(uint32_t c) { pw_log_info(NAME); }\n"
    shell.run("%%wasm_filter b --lang c --file deep/names.h\n" + source)
    assert shell.run("%wasm_send b /").log[0].message == "deep"
    Path("main.py").write_text(body)
    shell.run("%wasm_filter c --file main.py --file words.py --define NAME=too")
    assert shell.run("%wasm_send c /").upstream_request.headers["x-w"] == "hellotoo"
    assert "the source cannot be read" in str(shell.fail("%%wasm_filter d --file nothing.py\n" + body))
