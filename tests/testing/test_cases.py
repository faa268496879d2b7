"""Cases: what they expect, how they are written, and what a run tells."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from wasmhub_magics import build
from wasmhub_magics.cli import main
from wasmhub_magics.errors import RequestError
from wasmhub_magics.filter import Filter
from wasmhub_magics.http import Request
from wasmhub_magics.testing import Case, Expectation, Suite, read_suite, run_case, run_cases

GREETER = """\
def on_request_headers(ctx):
    mode = ctx.configuration.decode()
    if ctx.request.path == "/private":
        return ctx.respond(401, body="who are you?")
    user = ctx.request.headers.get("x-user", "stranger")
    ctx.request.headers["x-greeting"] = (mode or "hello") + " " + user

def on_response_headers(ctx):
    ctx.response.headers["x-served-by"] = "greeter"
    print("answered")
"""

YAML = """\
filter: greeter.py
cases:
- name: greets ada
  request: "curl -H 'x-user: ada' /items"
  expect:
    status: 200
    upstream.x-greeting: hello ada
    upstream.:path: /items
    response.x-served-by: "*"
    response.x-nope: null
    log: answered
    asked: true
- name: refuses
  request: GET /private
  expect: {status: 4xx, body: ~ ^who, asked: no, upstream.x-user: null, details: "*"}
- name: passes what the upstream says
  request: |
    POST /items HTTP/1.1
    content-type: text/plain

    two words
  upstream: {status: 503, headers: {retry-after: "3"}, body: down}
  config: good morning
  expect: {status: 503, body: down, response.retry-after: 3, upstream-body: two words}
  weight: 2
"""


@pytest.fixture(scope="module")
def greeter() -> Filter:
    return build(GREETER, name="greeter")


def test_cases_that_hold_are_green(greeter: Filter) -> None:
    results = run_cases(greeter, Suite.parse(YAML))
    assert results.passed, results
    assert results.summary == "3 cases in the embedded proxy: all pass"


def test_real_envoy_gives_the_same_results(greeter: Filter) -> None:
    results = run_cases(greeter, Suite.parse(YAML), engine="envoy")
    assert results.passed, results


@pytest.mark.parametrize(
    ("what", "value"),
    [
        ("status", 404),
        ("status", "3xx"),
        ("body", "hello"),
        ("body", None),
        ("log", "never said"),
        ("log", None),
        ("asked", False),
        ("outcome", "reset"),
        ("details", "~ wasm"),
        ("upstream.x-greeting", "hello eve"),
        ("upstream.x-greeting", None),
        ("upstream.:method", "POST"),
        ("response.x-served-by", "~ ^other"),
        ("response.x-nope", "*"),
        ("upstream-body", "~ x"),
        ("calls", "auth"),
        ("fuel-below", 10),
    ],
)
def test_an_expectation_that_does_not_hold_is_red_and_tells_what_was_there(
    greeter: Filter, what: str, value: str | int | None
) -> None:
    case = Case("wrong", Request("GET", "/", [("x-user", "ada")]), (Expectation(what, value),))
    result = run_case(greeter, case)
    assert not result.passed
    assert what in result.told
    assert "but it was" in result.told


def test_clusters_answer_the_calls_of_a_case() -> None:
    made = build(
        "def on_request_headers(ctx):\n"
        "    return ctx.call('auth', '/check', timeout=1, then=checked)\n"
        "def checked(ctx, answer):\n"
        "    ctx.request.headers['x-auth'] = str(answer.status)\n"
        "    ctx.resume_request()\n",
        name="caller",
    )
    cases = Suite.parse(
        "- {name: yes, request: /, clusters: {auth: 204}, expect: {upstream.x-auth: 204, calls: ~ GET /c}}\n"
        "- {name: down, request: /, clusters: {auth: refused}, expect: {upstream.x-auth: '503'}}\n"
        "- {name: late, request: /, clusters: {auth: {delay: 60}}, expect: {upstream.x-auth: '504'}}\n"
    )
    assert [case.name for case in cases] == ["True", "down", "late"]
    results = run_cases(made, cases)
    assert results.passed, results


def test_after_another_build_only_what_changed_is_marked(greeter: Filter) -> None:
    suite = Suite.parse(YAML)
    first = run_cases(greeter, suite)
    again = run_cases(build(GREETER + "\n# the same\n", name="greeter"), suite, before=first)
    assert again.changes == ("", "", "")
    other = build(GREETER.replace('"hello"', '"hi"').replace("who are", "Who is"), name="greeter")
    changed = run_cases(other, suite, before=again)
    assert changed.changes == ("now fails", "now fails", "")
    assert "now fails" in str(changed)
    assert run_cases(greeter, suite, before=changed).changes == ("now passes", "now passes", "")
    quiet = run_cases(build(GREETER.replace("answered", "done"), name="greeter"), suite, before=first)
    assert quiet.changes == ("now fails", "answers differently", "answers differently")


def test_yaml_and_csv_keep_every_case() -> None:
    suite = Suite.parse(YAML)
    assert Suite.parse(suite.to_yaml()) == suite
    back = Suite.from_csv(suite.to_csv()).cases
    assert [case.replace(expect=set(case)) for case in back] == [  # the order is that of the columns
        case.replace(expect=set(case)) for case in suite
    ]


def test_a_request_that_no_curl_line_can_carry_is_kept_too() -> None:
    case = Case("bytes", Request("POST", "/", body=b"\xff\0\xfe", chunks=[1], trailers=[("x-sum", "7")]))
    assert Suite.parse(Suite((case,)).to_yaml()).cases == (case,)
    assert Suite.from_csv(Suite((case,)).to_csv()).cases == (case,)


def test_a_table_of_pandas_is_a_suite(greeter: Filter) -> None:
    import pandas as pd

    frame = pd.DataFrame(
        {
            "name": ["a", "b"],
            "method": ["GET", "POST"],
            "path": ["/items", "/private"],
            "headers": ["x-user: ada", None],
            "status": [200, 401],
            "upstream.x-greeting": ["hello ada", None],
        }
    )
    results = run_cases(greeter, Suite.from_frame(frame))
    assert results.passed, results
    told = results.to_frame()
    assert list(told["status"]) == [200, 401]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("- name: a\n  request: curl -H 'a: b' /\n", "quotes"),
        ("- request: /\n", "case 1"),
        ("- {name: a, request: /, expect: {colour: red}}", "colour"),
        ("- {name: a, request: /, expect: {body: '~ ['}}", "regular expression"),
        ("- {name: a, request: /, upstream: nobody}", "upstream of case a"),
        ("- {name: a, request: /, clusters: {auth: {status: 9}}}", "cluster auth"),
        ("- {name: a, request: /, extra: 1}", "extra"),
        ("- {name: a, request: /}\n- {name: a, request: /}", "two cases"),
        ("- {name: a, request: '{', expect: 200}", "JSON"),
        ("- {name: a, weight: -1}", "weight"),
        ("cases: {a: 1}", "no list"),
        ("- {name: a, request: {method: GET, trailers: 5}}", "case 1"),
    ],
)
def test_a_mistake_in_a_suite_is_told_with_its_place(text: str, told: str) -> None:
    with pytest.raises(RequestError) as caught:
        Suite.parse(text, "greeter.yaml")
    assert told in str(caught.value)


def test_a_filter_that_does_not_start_fails_its_cases_and_no_other() -> None:
    made = build(
        "def on_configure(ctx):\n    if ctx.configuration == b'bad':\n"
        "        raise ValueError('no such mode')\n",
        name="picky",
    )
    results = run_cases(
        made, Suite.parse("- {name: bad, request: /, config: bad}\n- {name: good, request: /, expect: 200}\n")
    )
    assert [result.passed for result in results] == [False, True]
    assert "no such mode" in results.results[0].error


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "greeter.py").write_text(GREETER)
    (tmp_path / "greeter.yaml").write_text(YAML)
    return tmp_path


def test_the_command_runs_a_suite_and_writes_junit(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    junit = folder / "junit.xml"
    assert main(["test", str(folder / "greeter.yaml"), "--junit", str(junit)]) == 0
    assert "3 cases in the embedded proxy: all pass" in capsys.readouterr().out
    suite = ElementTree.parse(junit).getroot().find("testsuite")
    assert suite is not None
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("3", "0", "0")


def test_the_command_fails_with_a_case_and_junit_says_which(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "greeter.py").write_text(GREETER.replace("hello", "bye"))
    junit = folder / "junit.xml"
    assert main(["test", str(folder / "greeter.yaml"), "--junit", str(junit)]) == 1
    assert "bye ada" in capsys.readouterr().out
    failure = ElementTree.parse(junit).getroot().find("testsuite/testcase[@name='greets ada']/failure")
    assert failure is not None
    assert "hello ada" in failure.get("message", "")


def test_a_suite_runs_as_a_pytest_file(folder: Path) -> None:
    (folder / "test_greeter.py").write_text(read_suite(folder / "greeter.yaml").to_pytest())
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "test_greeter.py"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "3 passed" in done.stdout, done.stdout
