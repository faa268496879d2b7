"""Tab on the lines of magics and in the body of a filter."""

from __future__ import annotations

import pytest

from tests.notebook.conftest import Shell


def test_options_are_offered_after_a_dash_and_nothing_else(shell: Shell) -> None:
    offered = shell.complete("%%wasm_filter a --f")
    assert offered == ["--failure-policy", "--flag", "--file", "--force"]


def test_languages_are_offered_after_lang(shell: Shell) -> None:
    offered = shell.complete("%%wasm_filter a --lang ")
    assert {"python", "c", "wat"} <= set(offered)
    assert "len" not in offered


def test_choices_of_an_option_are_offered(shell: Shell) -> None:
    assert shell.complete("%%wasm_filter a --failure-policy ") == ["closed", "open", "reload"]
    assert shell.complete("%wasm_send a / --engine e") == ["embedded", "envoy"]
    assert {"envoy", "istio"} <= set(shell.complete("%wasm_deploy a --to "))
    assert shell.complete("%wasm_deploy a --to is") == ["istio"]


@pytest.mark.parametrize("magic", ["send", "test", "bench", "verify", "push", "deploy"])
def test_names_of_filters_are_offered(greeter: Shell, magic: str) -> None:
    assert greeter.complete(f"%wasm_{magic} gr") == ["greeter"]


def test_methods_are_offered_after_the_name(greeter: Shell) -> None:
    assert greeter.complete("%wasm_send greeter P") == ["POST", "PUT", "PATCH"]


def test_variables_are_offered_after_an_at_sign(greeter: Shell) -> None:
    greeter.run("my_settings = {}")
    assert greeter.complete("%%wasm_filter a --config @my_") == ["@my_settings"]


def test_the_body_offers_the_filters_words_and_no_noise_of_the_notebook(shell: Shell) -> None:
    assert "on_request_headers" in shell.complete("%%wasm_filter a\ndef on_req")
    in_c = shell.complete("%%wasm_filter a --lang c\nint counter_of_mine;\nint x = cou")
    assert in_c == ["counter_of_mine"]
    assert not [each for each in shell.complete("%%wasm_filter a --lang c\nfn ma") if each.startswith("%")]


def test_python_cells_complete_as_ever(shell: Shell) -> None:
    shell.run("my_list = []")
    assert any("append" in each for each in shell.complete("my_list.app"))
    assert "%wasm_send" in shell.complete("%wasm_s")
