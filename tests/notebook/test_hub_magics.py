"""%wasm_push, %wasm_pull, %wasm_search with the local store; %wasm_deploy and its fellows."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.notebook.conftest import PYTHON_GREETER, Shell
from wasmhub_magics.deploy import local, status
from wasmhub_magics.errors import HubError, WasmhubError
from wasmhub_magics.notebook.watch import EnvoyWatch


def test_what_is_pushed_to_the_local_store_is_found_and_pulled(greeter: Shell) -> None:
    image = greeter.run("%wasm_push greeter demo/greeter:v1 --description 'says hello'")
    assert image.digest.startswith("sha256:")
    assert "demo/greeter" in repr(greeter.run("%wasm_search hello"))
    pulled = greeter.run("%wasm_pull demo/greeter:v1 --as again")
    assert pulled.digest == greeter.run("%wasm_filter greeter").digest
    assert greeter.ip.user_ns["again"] is pulled


def notebook(path: Path, *cells: tuple[str, str]) -> None:
    made = [{"cell_type": kind, "source": text.splitlines(keepends=True)} for kind, text in cells]
    path.write_text(json.dumps({"cells": made}))


def test_the_markdown_above_the_filter_is_its_readme(
    greeter: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = tmp_path / "book.ipynb"
    cell = "%%wasm_filter greeter\n" + PYTHON_GREETER
    notebook(book, ("markdown", "# Old"), ("code", "%%wasm_filter other\n"), ("markdown", "# Greets\n\nAll."),
             ("code", cell))  # fmt: skip
    monkeypatch.setenv("JPY_SESSION_NAME", str(book))
    greeter.run("%wasm_push greeter demo/greeter:v1")
    told = greeter.run("%wasm_info demo/greeter:v1")
    assert told.readme == "# Greets\n\nAll."
    assert told.image.description == "All."
    (tmp_path / "own.md").write_text("# Own")
    greeter.run("%wasm_push greeter demo/greeter:v2 --readme own.md")
    assert greeter.run("%wasm_info demo/greeter:v2").readme == "# Own"


@pytest.mark.parametrize("content", [None, "{", '{"cells": 7}', '{"cells": []}'])
def test_a_notebook_that_cannot_be_read_gives_no_readme(
    greeter: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None
) -> None:
    monkeypatch.setenv("JPY_SESSION_NAME", str(tmp_path / "book.ipynb"))
    if content is not None:
        (tmp_path / "book.ipynb").write_text(content)
    greeter.run("%wasm_push greeter demo/greeter:v1")
    assert greeter.run("%wasm_info demo/greeter:v1").readme == ""


def test_facts_on_the_line_and_in_variables_travel(greeter: Shell) -> None:
    greeter.run("schema = {'type': 'object'}; cases = [{'name': 'a', 'passed': True}]")
    image = greeter.run(
        "%wasm_push greeter demo/greeter:v1 --keyword a --keyword b --licenses MIT --version 1.0 "
        "--category security --schema @schema --tests @cases --layout all --no-source"
    )
    assert [each.layout for each in image.related] == ["solo", "cncf"]
    about = greeter.run("%wasm_info demo/greeter:v1").about
    assert (about.keywords, about.licenses, about.version) == (("a", "b"), "MIT", "1.0")
    assert (about.config_schema, about.tests) == ({"type": "object"}, [{"name": "a", "passed": True}])
    assert (about.source, about.source_digest[:7]) == ("", "sha256:")
    assert len(greeter.run("%wasm_search --keyword b --licence mit")) == 1
    assert len(greeter.run("%wasm_images --category none")) == 0
    assert "no JSON" in str(greeter.fail("%wasm_push greeter demo/x --schema @__name__"))


def test_a_password_on_the_line_is_refused_and_a_login_needs_a_name(greeter: Shell) -> None:
    for magic in ("wasm_login localhost:1", "wasm_push greeter localhost:1/a", "wasm_info localhost:1/a"):
        error = greeter.fail(f"%{magic} --username ada --password hunter2")
        assert "saved with the notebook" in str(error)
        assert "hunter2" not in str(error)
    assert "user name" in str(greeter.fail("%wasm_login localhost:1"))


def test_latest_is_warned_of_where_a_filter_is_pulled(greeter: Shell) -> None:
    greeter.run("%wasm_push greeter demo/greeter")
    pulled = greeter.run("%wasm_pull demo/greeter --as again")
    assert "latest may be another image" in repr(pulled)
    assert "latest may be another image" in pulled._repr_html_()
    assert "latest" not in repr(greeter.run(f"%wasm_pull {pulled.image.pinned} --as again"))


def test_the_setting_names_registries_to_search(greeter: Shell) -> None:
    greeter.run("%config WasmMagics.registries = ['127.0.0.1:1']")
    assert "nobody listens" in repr(greeter.run("%wasm_search hello"))


def test_names_of_variables_are_expanded_in_references(greeter: Shell) -> None:
    greeter.run("tag = 'v7'")
    assert str(greeter.run("%wasm_push greeter demo/greeter:{tag}").reference).endswith(":v7")


def test_an_image_that_is_not_there_is_told(shell: Shell) -> None:
    error = shell.fail("%wasm_pull demo/nothing:v1")
    assert isinstance(error, HubError)
    assert "demo/nothing" in str(error)


def test_a_filter_is_deployed_seen_swapped_and_taken_down(greeter: Shell) -> None:
    try:
        deployment = greeter.run("%wasm_deploy greeter --to envoy")
        with urllib.request.urlopen(deployment.url, timeout=10) as answer:
            assert answer.status == 200
        assert "greeter" in repr(greeter.run("%wasm_status"))
        assert "x-greeting" not in repr(greeter.run("%wasm_logs greeter"))
        assert [d.name for d in greeter.run("%wasm_order greeter")] == ["greeter"]
        assert greeter.run("%wasm_status --live").filters[0].name == "greeter"
        rollout = greeter.run("%wasm_deploy greeter --canary 10% --seconds 0.6 --max-errors 2%")
        assert (rollout.percent, rollout.promoted) == (10, False)  # nobody asked
        assert any("polyline" in each or "svg" in each for each in greeter.bundles("text/html"))
        for wrong in ("--canary much", "--canary 10% --port 80", "--canary 0%"):
            assert isinstance(greeter.fail(f"%wasm_deploy greeter {wrong}"), WasmhubError)
    finally:
        greeter.run("%wasm_undeploy greeter")
    assert "greeter" not in repr(greeter.run("%wasm_status"))


def test_the_widget_follows_the_local_envoy_over_stops_and_starts(greeter: Shell) -> None:
    greeter.run("%wasm_deploy greeter")
    try:
        watch = EnvoyWatch(local)
        controls, table, config = watch.children
        level, button, power = controls.children
        assert "greeter" in table.value
        before = table.value
        with urllib.request.urlopen(status()["greeter"].url + "/seen-by-the-widget", timeout=10):
            pass
        until(lambda: "/seen-by-the-widget" in table.value)
        assert table.value != before
        level.value = "debug"
        assert local.running().log_level() == "debug"
        local.running().log_level("error")
        until(lambda: level.value == "error")
        button.click()
        assert "static_listeners" in config.value
        button.click()
        assert not config.value
        power.click()
        assert ("has stopped" in table.value, power.description) == (True, "start")
        greeter.run("%wasm_envoy start")  # from elsewhere: it follows
        until(lambda: power.description == "stop")
        power.click()
        power.click()
        url = status()["greeter"].url
        with urllib.request.urlopen(url + "/seen-after-the-start", timeout=10):
            pass
        until(lambda: "/seen-after-the-start" in table.value)
    finally:
        greeter.run("%wasm_undeploy greeter")
        greeter.run("%wasm_envoy stop")
    until(lambda: "no local Envoy runs" in table.value)
    watch.close()


def test_an_envoy_is_started_stopped_and_adopted_by_words(greeter: Shell) -> None:
    assert greeter.run("%wasm_envoy").state == "none"
    try:
        assert greeter.run("%wasm_envoy start").filters == ()
        greeter.run("%wasm_deploy greeter")
        admin = local.running().place
        adopted = greeter.run(f"%wasm_envoy adopt {admin}")
        assert adopted.admin == admin
        assert "greeter" in [each.name for each in adopted.filters]
        assert "stopped" in repr(greeter.run("%wasm_envoy stop"))
        assert greeter.run("%wasm_envoy start").filters[0].name == "greeter"
    finally:
        greeter.run("%wasm_undeploy greeter")
        greeter.run("%wasm_envoy stop")
    for wrong in ("rest", "adopt", "start 127.0.0.1:1", "adopt 127.0.0.1:1"):
        assert isinstance(greeter.fail(f"%wasm_envoy {wrong}"), WasmhubError)


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)
