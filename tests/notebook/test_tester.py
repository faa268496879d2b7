"""The request tester, without a browser."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from IPython.utils.capture import capture_output

from tests.notebook.conftest import PYTHON_GREETER, Shell
from wasmhub_magics.errors import RequestError, WasmhubError
from wasmhub_magics.notebook.session import SESSION

WIDGET = "application/vnd.jupyter.widget-view+json"


def form(**changes: Any) -> dict[str, Any]:
    """A request as the front end has it."""
    values = {"method": "GET", "path": "/items", "headers": [["x-user", "ada"]], "body": ""}
    return values | changes


def ask(tester: Any, kind: str = "send", **content: Any) -> dict[str, Any]:
    """Ask as the front end does, and return the answer it would get."""
    answers: list[dict[str, Any]] = []
    kept, tester.send = tester.send, lambda answer, buffers: answers.append(answer | {"buffers": buffers})
    try:
        tester.reply({"type": kind, "id": "1", **content})
    finally:
        tester.send = kept
    (answer,) = answers
    assert answer["id"] == "1"
    return answer


def send(tester: Any, world: dict[str, Any] | None = None, engine: str = "embedded", **changes: Any) -> Any:
    """Send a request; the exchange, or the answer with its error."""
    answer = ask(tester, request=form(**changes), world=world or {}, engine=engine)
    return answer if "error" in answer else answer["exchanges"][engine]


def test_it_sends_and_shows_what_the_filter_did(greeter: Shell) -> None:
    tester = greeter.run("%wasm_test greeter")
    exchange = send(tester)
    assert ["x-greeting", "hello ada"] in exchange["upstream_request"]["headers"]
    assert tester.exchange.response.status == 200


def test_its_static_form_is_the_last_exchange(greeter: Shell) -> None:
    tester = greeter.run("%wasm_test greeter")
    (picture,) = greeter.bundles("text/html")
    assert "nothing sent yet" in picture
    with capture_output() as captured:
        send(tester)
        tester.settle()
    data, _metadata = tester._repr_mimebundle_()
    assert WIDGET in data
    assert "hello ada" in data["text/plain"]
    assert "text/html" not in data
    (update,) = captured.outputs
    assert "hello ada" in update.data["text/html"]


def test_it_starts_from_the_last_request_that_was_sent(greeter: Shell) -> None:
    greeter.run("%wasm_send greeter POST /start -H 'x-user: eve' -d data")
    tester = greeter.run("%wasm_test greeter")
    assert (tester.form["method"], tester.form["path"], tester.form["body"]) == ("POST", "/start", "data")
    assert ["x-user", "eve"] in tester.form["headers"]
    assert ["x-greeting", "hello eve"] in tester.answer["exchange"]["upstream_request"]["headers"]


def test_after_a_new_build_it_keeps_the_request_and_shows_no_old_answer(greeter: Shell) -> None:
    greeter.run("%wasm_send greeter /start")
    greeter.run("%%wasm_filter greeter\n" + PYTHON_GREETER + "\n# changed\n")
    tester = greeter.run("%wasm_test greeter")
    assert tester.form["path"] == "/start"
    assert tester.answer == {}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"path": "/a b"}, "no request path"),
        ({"headers": [["bad name", "x"]]}, "bad name"),
        ({"headers": [["", "x"]]}, "no name"),
        ({"method": ""}, "method"),
    ],
)
def test_a_mistake_in_the_form_is_shown_in_the_widget(
    greeter: Shell, changes: dict[str, Any], told: str
) -> None:
    tester = greeter.run("%wasm_test greeter")
    assert told in send(tester, **changes)["error"]
    assert send(tester)["response"]["status"] == 200


def test_a_message_that_makes_no_sense_is_answered_too(greeter: Shell) -> None:
    tester = greeter.run("%wasm_test greeter")
    assert ask(tester, "send", request={})["error"]
    assert ask(tester, "dance")["error"]
    assert ask(tester, "fault", fault=[])["error"]


def test_empty_header_rows_are_left_out_and_a_path_gets_its_slash(greeter: Shell) -> None:
    tester = greeter.run("%wasm_test greeter")
    send(tester, path="items", headers=[["", ""], ["x-user", "ada"]])
    assert tester.exchange.request.path == "/items"
    assert tester.exchange.request.headers == {"x-user": "ada"}


CONFIGURED = """\
%%wasm_filter configured --config one
def on_request_headers(ctx):
    ctx.request.headers["x-config"] = ctx.configuration.decode()
"""


def test_another_configuration_needs_no_build(shell: Shell) -> None:
    made = shell.run(CONFIGURED)
    tester = shell.run("%wasm_test configured")
    assert tester.form["configs"] == {"configured": "one"}
    for config in ("one", "two", "two", ""):
        send(tester, {"configs": {"configured": config}})
        assert tester.exchange.upstream_request.headers.get("x-config", "") == config
    assert shell.run("%wasm_filter configured") is made


def test_a_filter_that_does_not_start_is_shown_in_the_widget(shell: Shell) -> None:
    shell.run("%%wasm_filter broken\ndef on_configure(ctx):\n    raise ValueError('no such mode')\n")
    assert "no such mode" in send(shell.run("%wasm_test broken"))["error"]


def test_a_cell_that_builds_the_filter_again_updates_the_open_tester(greeter: Shell) -> None:
    tester = greeter.run("%wasm_test greeter")
    send(tester)
    before = tester.build
    greeter.run("%%wasm_filter greeter\n" + PYTHON_GREETER.replace("hello", "good morning"))
    assert tester.build != before
    assert ["x-greeting", "good morning ada"] in send(tester)["upstream_request"]["headers"]


def test_two_names_make_a_chain(greeter: Shell) -> None:
    greeter.run(
        '%%wasm_filter second\ndef on_request_headers(ctx):\n    ctx.request.headers["x-second"] = "yes"\n'
    )
    tester = greeter.run("%wasm_test greeter second")
    send(tester)
    seen = tester.exchange.upstream_request.headers
    assert (seen["x-greeting"], seen["x-second"]) == ("hello ada", "yes")


def test_sends_from_many_threads_are_all_answered(greeter: Shell) -> None:
    tester = greeter.run("%wasm_test greeter")
    found: list[str] = []

    done = threading.Event()

    def answered(answer: dict[str, Any], _buffers: object) -> None:
        headers = dict(answer["exchanges"]["embedded"]["upstream_request"]["headers"])
        found.append(headers["x-greeting"])
        if len(found) == 8:
            done.set()

    tester.send = answered
    for user in range(8):
        content = {"type": "send", "id": str(user), "request": form(headers=[["x-user", f"user{user}"]])}
        threading.Thread(target=tester._handle_custom_msg, args=(content, [])).start()
    assert done.wait(60)
    assert sorted(found) == [f"hello user{n}" for n in range(8)]


def test_a_missing_anywidget_is_one_sentence(greeter: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "anywidget", None)
    error = greeter.fail("%wasm_test greeter")
    assert isinstance(error, WasmhubError)
    assert not isinstance(error, RequestError)
    assert "pip install anywidget" in error.do


def test_colab_is_told_which_manager_shows_the_tester(
    greeter: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Colab shows only its own widgets until ``enable_custom_widget_manager`` names a manager for others."""
    import sys
    from types import SimpleNamespace

    from anywidget import _util

    asked: list[bool] = []
    colab = SimpleNamespace(
        enable_custom_widget_manager=lambda: asked.append(True),
        _widgets=SimpleNamespace(_installed_url="https://manager"),
    )
    monkeypatch.setitem(sys.modules, "google.colab.output", colab)
    _util.enable_custom_widget_manager_once.cache_clear()
    tester = greeter.run("%wasm_test greeter")
    data, metadata = tester._repr_mimebundle_()
    assert asked == [True]
    assert metadata[WIDGET] == {"colab": {"custom_widget_manager": {"url": "https://manager"}}}
    assert data[WIDGET]["model_id"] == tester.model_id
    _util.enable_custom_widget_manager_once.cache_clear()


def test_it_answers_on_a_thread_of_its_own(greeter: Shell) -> None:
    tester = greeter.run("%wasm_test greeter")
    seen: list[str] = []
    done = threading.Event()

    def upstream(request: Any) -> Any:
        from wasmhub_magics import Response

        seen.append(threading.current_thread().name)
        done.set()
        return Response(201)

    greeter.ip.push({"answerer": upstream})
    content = {"type": "send", "request": form(), "world": {"upstream": {"python": "answerer"}}}
    tester._handle_custom_msg(content, [])
    assert done.wait(60)
    assert seen[0] != threading.main_thread().name


def test_an_upstream_can_be_echo_a_fixed_answer_or_a_function_of_the_notebook(greeter: Shell) -> None:
    greeter.run(
        "from wasmhub_magics import Response\n"
        "def answerer(request):\n    return Response(202, body=request.path)\n"
        "fixed = Response(203)\nnumber = 5\n"
    )
    tester = greeter.run("%wasm_test greeter")
    assert tester.variables == ["answerer", "fixed"]
    told = {"status": 503, "headers": [["retry-after", "3"]], "body": "ZG93bg==", "delay": 0.01}
    for upstream, status in (
        ({"echo": True}, 200),
        (told, 503),
        ({"python": "answerer"}, 202),
        ({"python": "fixed"}, 203),
    ):
        assert send(tester, {"upstream": upstream})["response"]["status"] == status
    assert "cannot answer" in send(tester, {"upstream": {"python": "number"}})["error"]


def test_real_envoy_and_the_embedded_proxy_answer_side_by_side(greeter: Shell) -> None:
    tester = greeter.run("%wasm_test greeter")
    answer = ask(tester, request=form(), world={}, engine="both")
    both = answer["exchanges"]
    assert [both[each]["engine"] for each in ("embedded", "envoy")] == ["embedded", "envoy"]
    for each in both.values():
        assert ["x-greeting", "hello ada"] in each["upstream_request"]["headers"]
    tester.close()


def test_clusters_answer_what_the_filter_calls(shell: Shell) -> None:
    shell.run(
        "%%wasm_filter caller\n"
        "def on_request_headers(ctx):\n    return ctx.call('auth', '/check', timeout=1, then=checked)\n"
        "def checked(ctx, answer):\n"
        "    ctx.request.headers['x-auth'] = str(answer.status)\n    ctx.resume_request()\n"
    )
    tester = shell.run("%wasm_test caller")
    for spec, seen in (
        ({"status": 403}, "403"),
        ({"fail": "refused"}, "503"),
        ({"status": 200, "delay": 9}, "504"),
    ):
        exchange = send(tester, {"clusters": {"auth": spec}})
        assert ["x-auth", seen] in exchange["upstream_request"]["headers"]
        assert exchange["calls"][0]["cluster"] == "auth"


def test_a_fault_is_shown_for_each_policy(greeter: Shell) -> None:
    tester = greeter.run("%wasm_test greeter")
    answer = ask(
        tester,
        "fault",
        request=form(),
        world={},
        fault={"kind": "trap", "callback": "proxy_on_request_headers", "call": 1},
    )
    assert [row[0] for row in answer["rows"]] == ["closed", "open", "reload"]
    assert answer["rows"][1][2].startswith("200")


CASES = """\
%%wasm_cases greeter
- name: greets ada
  request: "curl -H 'x-user: ada' /items"
  expect: {status: 200, upstream.x-greeting: hello ada}
"""


def test_cases_of_a_cell_are_those_of_the_tester_and_back(greeter: Shell) -> None:
    results = greeter.run(CASES)
    assert results.passed
    tester = greeter.run("%wasm_test greeter")
    assert [each["name"] for each in tester.cases] == ["greets ada"]
    text = ask(tester, "cases-text", cases=tester.cases, form="cell")["text"]
    assert greeter.run(text).passed
    for form_ in ("yaml", "csv"):
        text = ask(tester, "cases-text", cases=tester.cases, form=form_)["text"]
        assert ask(tester, "cases-read", text=text)["cases"] == tester.cases
    told = ask(tester, "cases", cases=tester.cases, engine="embedded")["told"]
    assert [(each["name"], each["told"]) for each in told] == [("greets ada", "")]
    assert "saved" in ask(tester, "cases-save", cases=tester.cases)["told"]
    greeter.run(CASES.replace("greets ada", "another name"))
    assert [each["name"] for each in tester.cases] == ["another name"]


BYE = "%%wasm_filter greeter\n" + PYTHON_GREETER.replace("hello", "bye")


def test_a_run_of_cases_marks_what_changed_since_the_build_before(greeter: Shell) -> None:
    greeter.run(CASES)
    greeter.run(BYE)
    for _ in range(2):  # a look at it takes no mark away
        assert greeter.run("%wasm_cases greeter").changes == ("now fails",)


def test_a_tester_that_is_opened_again_knows_the_last_results_and_those_before(greeter: Shell) -> None:
    assert greeter.run(CASES).passed
    before = greeter.run("%wasm_test greeter")
    assert before.memory["build"] == before.build.partition(" ")[2]
    assert before.memory["last"]["greets ada"]["told"] == ""
    before.close()
    greeter.run(BYE)
    again = greeter.run("%wasm_test greeter")
    assert again.memory == before.memory
    failed = {"greets ada": {"told": "status: 200, but it was 404", "print": "1:0"}}
    again.memory = {"build": again.build.partition(" ")[2], "last": failed, "before": again.memory["last"]}
    assert greeter.run("%wasm_test greeter").memory == again.memory
    assert greeter.run("%wasm_cases greeter").changes == ("now fails",)
    assert again.memory["last"]["greets ada"]["told"].startswith("upstream.x-greeting: hello ada")


def test_another_kernel_of_the_notebook_knows_the_last_results(
    greeter: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setenv("WASMHUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("JPY_SESSION_NAME", "/home/ada/one.ipynb")
    greeter.run(CASES)
    SESSION.recall.clear()
    greeter.run(BYE)
    assert greeter.run("%wasm_cases greeter").changes == ("now fails",)
    monkeypatch.setenv("JPY_SESSION_NAME", "/home/ada/two.ipynb")
    SESSION.recall.clear()
    assert greeter.run("%wasm_cases greeter").changes == ("",)
    for kept in (tmp_path / "cache" / "results").iterdir():
        kept.write_text("[]")
    SESSION.recall.clear()
    assert greeter.run("%wasm_cases greeter").changes == ("",)


def test_cases_come_from_a_table_and_go_to_files(greeter: Shell, tmp_path: Any) -> None:
    greeter.run(
        "import pandas as pd\ntable = pd.DataFrame({'name': ['a'], 'request': ['/x'], 'status': [200]})"
    )
    assert greeter.run("%wasm_cases greeter --from @table --save cases.csv").passed
    assert greeter.run("%wasm_cases greeter --from cases.csv --save cases.yaml").passed
    assert greeter.run("%wasm_cases greeter --from cases.yaml --save test_it.py").passed
    assert "def test_case" in (tmp_path / "test_it.py").read_text()
    assert "cannot be read" in str(greeter.fail("%wasm_cases greeter --from none.yaml"))


def test_a_filter_fails_on_purpose(greeter: Shell) -> None:
    found = greeter.run("%wasm_fail greeter trap --call 2 GET /items")
    assert [outcome.policy for outcome in found.outcomes] == ["closed", "open", "reload"]


def test_a_filter_opens_its_own_tester(greeter: Shell) -> None:
    tester = greeter.run("greeter.test()")
    assert tester.names == ["greeter"]
    assert "x-greeting" in str(send(tester))


def test_what_the_page_answered_by_itself_is_the_last_exchange(greeter: Shell) -> None:
    tester = greeter.run("%wasm_test greeter")
    exchange = send(tester)
    other = greeter.run("%wasm_test greeter")
    other.reply({"type": "shown", "exchange": exchange})
    assert other.exchange.upstream_request.headers["x-greeting"] == "hello ada"
    assert [each.name for each in other.exchange.trace] == [each.name for each in tester.exchange.trace]
    assert "hello ada" in repr(other)


def test_the_line_where_a_filter_failed_in_the_page_is_marked_in_its_cell(greeter: Shell) -> None:
    greeter.run("%%wasm_filter greeter\ndef on_request_headers(ctx):\n    1 + 'a'")
    tester = greeter.run("%wasm_test greeter")
    exchange = send(tester)
    other = greeter.run("%wasm_test greeter")
    SESSION.history.failed("greeter", SESSION.filters["greeter"].digest, ())
    other.reply({"type": "shown", "exchange": exchange})
    other.settle()
    (mark,) = SESSION.history.attempts["greeter"].findings
    assert mark.line == 3
    assert "TypeError" in mark.message
    greeter.run("%%wasm_filter greeter\n" + PYTHON_GREETER)
    assert SESSION.history.attempts["greeter"].findings == ()
