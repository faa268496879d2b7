"""All that is told about a filter travels with it by itself: what was written, tested and measured."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from tests.notebook.conftest import PYTHON_GREETER, Shell
from tests.notebook.test_hub_magics import notebook
from wasmhub_magics import build
from wasmhub_magics.evidence import read_tests
from wasmhub_magics.hub import info
from wasmhub_magics.testing import Results, Suite

CASES = """\
- name: greets ada
  request: "curl -H 'x-user: ada' /items"
  expect: {status: 200, upstream.x-greeting: hello ada}
- name: never refuses
  request: /other
  expect: {status: 404}
"""
STANDARD = "org.opencontainers.image."


def test_everything_that_is_told_travels_and_comes_back(
    greeter: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = "%%wasm_filter greeter\n" + PYTHON_GREETER
    notebook(tmp_path / "book.ipynb", ("markdown", "# Greeter\n\nGreets *all*."), ("code", cell))
    monkeypatch.setenv("JPY_SESSION_NAME", str(tmp_path / "book.ipynb"))
    greeter.run("%%wasm_cases greeter\n" + CASES)
    report = greeter.run("%wasm_bench greeter --seconds 0.1 --no-live")
    greeter.run("schema = {'type': 'object'}")
    greeter.run(
        "%wasm_push greeter demo/greeter:v1 --version 1.2.3 --licenses MIT --keyword hello --keyword demo "
        "--category traffic --schema @schema --example-config '{}'"
    )
    told = greeter.run("%wasm_info demo/greeter:v1")
    about, notes = told.about, told.image.annotations
    assert about.readme == "# Greeter\n\nGreets *all*."
    assert notes[STANDARD + "version"] == "1.2.3"
    assert notes[STANDARD + "licenses"] == "MIT"
    assert notes[STANDARD + "description"] == "Greets all."
    assert about.keywords == ("hello", "demo")
    assert about.category == "traffic"
    assert about.config_schema == {"type": "object"}
    assert about.example_config == "{}"
    assert [each["name"] for each in about.tests["cases"]] == ["greets ada", "never refuses"]
    assert [each["passed"] for each in about.tests["result"]["cases"]] == [True, False]
    assert about.benchmark["latency_ns"]["p50"] == report.p50
    assert about.source.rstrip() == PYTHON_GREETER.rstrip()
    assert about.source_digest == "sha256:" + hashlib.sha256(about.source.encode()).hexdigest()
    assert "MicroPython" in about.toolchain
    assert "--opt" in about.flags
    assert "every import is one that Envoy offers" in about.verdict
    shown = repr(told)
    assert "2 cases, failed: never refuses in the embedded proxy" in shown
    assert "benchmark        p50 " in shown

    pulled = greeter.run("%wasm_pull demo/greeter:v1 --as theirs")
    assert "2 cases came with it: %wasm_cases theirs" in repr(pulled)
    again = greeter.run("%wasm_cases theirs")
    assert [each.passed for each in again] == [True, False]


def test_cases_hold_for_whoever_pulls_a_filter_that_was_configured(greeter: Shell) -> None:
    greeter.run(
        "%%wasm_filter tagger --config blue\n"
        "def on_request_headers(ctx):\n    ctx.request.headers['x-team'] = ctx.configuration.decode()\n"
    )
    greeter.run("%%wasm_cases tagger\n- name: tags\n  request: /\n  expect: {upstream.x-team: blue}\n")
    greeter.run("%wasm_push tagger demo/tagger:v1")
    greeter.run("%wasm_pull demo/tagger:v1 --as theirs")
    assert [each.passed for each in greeter.run("%wasm_cases theirs")] == [True]
    greeter.run("%wasm_push tagger demo/tagger:v2 --example-config TEAM")
    about = greeter.run("%wasm_info demo/tagger:v2").about
    assert (about.example_config, "config" in about.tests["cases"][0]) == ("TEAM", False)


def test_cases_of_ones_own_are_not_exchanged_for_those_of_an_image(greeter: Shell) -> None:
    greeter.run("%%wasm_cases greeter\n" + CASES)
    greeter.run("%wasm_push greeter demo/greeter:v1")
    greeter.run("%%wasm_cases greeter\n" + "- name: mine\n  request: /\n")
    assert "came with it" not in repr(greeter.run("%wasm_pull demo/greeter:v1"))
    assert [each.case.name for each in greeter.run("%wasm_cases greeter")] == ["mine"]


def test_what_another_build_gave_is_not_told_of_this_one(greeter: Shell) -> None:
    greeter.run("%%wasm_cases greeter\n" + CASES)
    greeter.run("%wasm_bench greeter --seconds 0.1 --no-live")
    greeter.run("%%wasm_filter greeter\n" + PYTHON_GREETER + "\n# changed\n")
    greeter.run("%wasm_push greeter demo/greeter:v1")
    told = greeter.run("%wasm_info demo/greeter:v1")
    assert "2 cases, not run with this module" in repr(told)
    assert told.about.benchmark is None


def test_results_and_a_report_can_be_pushed_from_a_script(greeter: Shell) -> None:
    made = build(PYTHON_GREETER, name="greeter")
    results: Results = made.check(Suite.parse(CASES))
    report = made.bench(n=200)
    image = made.push("demo/script:v1", tests=results, benchmark=report)
    about = info(image.reference).about
    assert about.tests["result"]["module"] == made.digest
    assert about.benchmark["engine"] == "embedded"
    suite = read_tests(about.tests)
    assert suite == Suite.parse(CASES)


@pytest.mark.parametrize(
    "value", [None, [], {"cases": 7}, {"cases": [{"name": "a", "what": 1}]}, {"cases": []}]
)
def test_cases_that_cannot_be_read_are_none(value: Any) -> None:
    assert read_tests(value) is None
