"""Whatever runs a filter, the line that failed is kept for its cell, until the source changes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.notebook.conftest import Shell
from tests.notebook.test_tester import ask, form, send
from wasmhub_magics.errors import ProxyError
from wasmhub_magics.notebook.session import SESSION

BROKEN = "%%wasm_filter broken\ndef on_request_headers(ctx):\n    x = 1\n    return x['a']\n"
UNSTARTED = "%%wasm_filter broken\ndef on_configure(ctx):\n    raise ValueError('no such mode')\n"


@pytest.fixture
def broken(shell: Shell) -> Shell:
    """A shell in which a filter has been built that fails in line 4 of its cell."""
    shell.run(BROKEN)
    return shell


def marked() -> list[int]:
    """The lines of the filter's cell that are marked."""
    return [each.line for each in SESSION.history.attempts["broken"].findings]


@pytest.mark.parametrize("line", ["%wasm_send broken", "%wasm_verify broken GET /"])
def test_who_shows_failures_marks_the_line(broken: Shell, line: str) -> None:
    broken.run(line)
    assert marked() == [4]


def test_a_filter_that_cannot_be_measured_is_marked(broken: Shell) -> None:
    assert isinstance(broken.fail("%wasm_bench broken --seconds 0.1"), ProxyError)
    assert marked() == [4]


def test_failures_under_load_are_marked(broken: Shell) -> None:
    report = broken.run("%wasm_bench broken --engine envoy --rate 20 --seconds 0.5")
    assert report.errors > 0
    assert marked() == [4]


def test_the_tester_marks_when_nothing_is_asked_any_more(broken: Shell) -> None:
    tester = broken.run("%wasm_test broken")
    send(tester)
    assert marked() == []
    tester.settle()
    assert marked() == [4]


def test_what_the_page_ran_by_itself_is_marked(broken: Shell) -> None:
    exchange = send(broken.run("%wasm_test broken"))
    tester = broken.run("%wasm_test broken")
    ask(tester, "shown", exchange=exchange)
    tester.settle()
    assert marked() == [4]


def test_cases_that_fail_are_marked(broken: Shell) -> None:
    tester = broken.run("%wasm_test broken")
    case: dict[str, Any] = {"name": "first", "expect": [], "request": form()}
    ask(tester, "cases", cases=[case], engine="embedded")
    tester.settle()
    assert marked() == [4]


def test_cases_that_failed_in_the_page_are_marked_whatever_else_it_ran(broken: Shell) -> None:
    tester = broken.run("%wasm_test broken")
    trapped = send(tester)
    log = [line for line in trapped["log"] if line["level"] == "error"]
    passed = {**trapped, "log": []}
    ask(tester, "heard", about="cases", log=log, build=tester.build)
    ask(tester, "shown", exchange=passed, build=tester.build)
    tester.settle()
    assert marked() == [4]
    ask(tester, "heard", about="cases", log=[], build=tester.build)
    tester.settle()
    assert marked() == []


def test_what_the_page_tells_late_of_a_build_before_marks_nothing(broken: Shell) -> None:
    tester = broken.run("%wasm_test broken")
    trapped, build = send(tester), tester.build
    broken.run(BROKEN.replace("x = 1", "x = 2"))
    tester.reply({"type": "shown", "exchange": trapped, "build": build})
    ask(tester, "parts")
    tester.settle()
    assert marked() == []


def test_the_answer_that_the_page_shows_is_the_last_figure_of_the_cell(broken: Shell) -> None:
    exchange = send(broken.run("%wasm_test broken"))
    tester = broken.run("%wasm_test broken")
    ask(tester, "shown", exchange=exchange, build=tester.build)
    tester.settle()
    figure = SESSION.history.figures["broken"]["send"]
    assert (figure.text, figure.ok) == ("503", False)


def test_a_filter_that_does_not_start_is_marked(shell: Shell) -> None:
    shell.run(UNSTARTED)
    shell.fail("%wasm_send broken")
    assert marked() == [3]
    shell.run(UNSTARTED.replace("no such", "no"))
    assert marked() == []
    tester = shell.run("%wasm_test broken")
    send(tester)
    tester.settle()
    assert marked() == [3]
    shell.run(UNSTARTED.replace("no such", "none such"))
    log = [{"level": "error", "message": 'File "cell", line 3\nValueError: none', "plugin": "broken"}]
    ask(tester, "heard", about="request", log=log, build=tester.build)
    tester.settle()
    assert marked() == [3]


def test_an_older_build_marks_nothing_in_a_newer_source(broken: Shell) -> None:
    tester = broken.run("%wasm_test broken")
    send(tester)
    broken.run(BROKEN.replace("['a']", ""))
    tester.settle()
    assert marked() == []
    broken.run("%wasm_send broken")
    broken.fail(BROKEN.replace("= 1", "= = 1"))
    broken.run("%wasm_send broken")
    assert marked() == []
