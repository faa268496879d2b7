"""The request tester, without a browser."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from tests.notebook.conftest import PYTHON_GREETER, Shell
from wasmhub_magics.errors import RequestError, WasmhubError

WIDGET = "application/vnd.jupyter.widget-view+json"


def form(**changes: Any) -> dict[str, Any]:
    values = {"method": "GET", "path": "/items", "headers": [["x-user", "ada"]], "body": "", "configs": {}}
    return values | changes


def ask(tester: Any, **changes: Any) -> dict[str, Any]:
    """Send as the front end does, and return the answer it would get."""
    tester._handle_custom_msg({"type": "send", "form": form(**changes)}, [])
    answer: dict[str, Any] = tester.answer
    return answer


def test_it_sends_and_shows_what_the_filter_did(greeter: Shell) -> None:
    tester = greeter.run("%wasm_test greeter")
    answer = ask(tester)
    assert "x-greeting" in answer["html"]
    assert "hello ada" in answer["html"]
    assert tester.exchange.response.status == 200


def test_its_static_form_is_the_last_exchange(greeter: Shell) -> None:
    tester = greeter.run("%wasm_test greeter")
    assert "nothing sent yet" in repr(tester)
    ask(tester)
    data, _metadata = tester._repr_mimebundle_()
    assert WIDGET in data
    assert "hello ada" in data["text/plain"]
    assert "hello ada" in data["text/html"]


def test_it_starts_from_the_last_request_that_was_sent(greeter: Shell) -> None:
    greeter.run("%wasm_send greeter POST /start -H 'x-user: eve' -d data")
    tester = greeter.run("%wasm_test greeter")
    assert (tester.form["method"], tester.form["path"], tester.form["body"]) == ("POST", "/start", "data")
    assert ["x-user", "eve"] in tester.form["headers"]
    assert "hello eve" in tester.answer["html"]


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
    answer = ask(tester, **changes)
    assert told in answer["error"]
    assert "html" not in answer
    assert "html" in ask(tester)


def test_a_message_that_makes_no_sense_is_answered_too(greeter: Shell) -> None:
    tester = greeter.run("%wasm_test greeter")
    tester._handle_custom_msg({"type": "send", "form": {}}, [])
    assert tester.answer["error"]


def test_empty_header_rows_are_left_out_and_a_path_gets_its_slash(greeter: Shell) -> None:
    tester = greeter.run("%wasm_test greeter")
    ask(tester, path="items", headers=[["", ""], ["x-user", "ada"]])
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
        ask(tester, configs={"configured": config})
        assert tester.exchange.upstream_request.headers.get("x-config", "") == config
    assert shell.run("%wasm_filter configured") is made


def test_a_filter_that_does_not_start_is_shown_in_the_widget(shell: Shell) -> None:
    shell.run("%%wasm_filter broken\ndef on_configure(ctx):\n    raise ValueError('no such mode')\n")
    answer = ask(shell.run("%wasm_test broken"))
    assert "no such mode" in answer["error"]


def test_a_cell_that_builds_the_filter_again_updates_the_open_tester(greeter: Shell) -> None:
    tester = greeter.run("%wasm_test greeter")
    ask(tester)
    before = tester.build
    greeter.run("%%wasm_filter greeter\n" + PYTHON_GREETER.replace("hello", "good morning"))
    assert tester.build != before
    assert "good morning ada" in ask(tester)["html"]


def test_two_names_make_a_chain(greeter: Shell) -> None:
    greeter.run(
        '%%wasm_filter second\ndef on_request_headers(ctx):\n    ctx.request.headers["x-second"] = "yes"\n'
    )
    tester = greeter.run("%wasm_test greeter second")
    ask(tester)
    seen = tester.exchange.upstream_request.headers
    assert (seen["x-greeting"], seen["x-second"]) == ("hello ada", "yes")


def test_sends_from_many_threads_are_all_answered(greeter: Shell) -> None:
    tester = greeter.run("%wasm_test greeter")
    found: list[str] = []

    def work(user: str) -> None:
        found.append(tester.send(form(headers=[["x-user", user]])).upstream_request.headers["x-greeting"])

    threads = [threading.Thread(target=work, args=(f"user{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert sorted(found) == [f"hello user{n}" for n in range(8)]


def test_a_missing_anywidget_is_one_sentence(greeter: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "anywidget", None)
    error = greeter.fail("%wasm_test greeter")
    assert isinstance(error, WasmhubError)
    assert not isinstance(error, RequestError)
    assert "pip install anywidget" in error.do
