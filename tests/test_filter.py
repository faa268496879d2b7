"""A filter is built, configured, sent to, restarted, saved and loaded."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest

from wasmhub_magics import Filter, Request, Response, build, load
from wasmhub_magics.errors import CompileError, LinkError, MalformedModule, ModuleError, RequestError
from wasmhub_magics.plugin import Plugin, encode_config

COUNTER = """
seen = 0

def on_request_headers(ctx):
    global seen
    seen += 1
    ctx.request.headers["x-seen"] = str(seen)
    ctx.request.headers["x-config"] = ctx.configuration.decode()
"""


@pytest.fixture(scope="module")
def counter() -> Filter:
    return build(COUNTER, name="counter")


def header(made: Filter, name: str) -> str:
    exchange = made.send(Request("GET", "/"))
    assert exchange.upstream_request is not None
    return exchange.upstream_request.headers[name]


def test_a_filter_keeps_its_virtual_machine_between_sends(counter: Filter) -> None:
    fresh = counter.configure()
    assert [header(fresh, "x-seen") for _ in range(3)] == ["1", "2", "3"]


def test_a_restarted_filter_has_forgotten_everything(counter: Filter) -> None:
    fresh = counter.configure()
    header(fresh, "x-seen")
    fresh.restart()
    assert header(fresh, "x-seen") == "1"


def test_a_configured_copy_leaves_the_original_alone(counter: Filter) -> None:
    copy = counter.configure({"a": [1, "ü"]})
    assert header(copy, "x-config") == '{"a": [1, "ü"]}'
    assert counter.plugin.configuration == b""


def test_settings_that_are_not_named_stay() -> None:
    plugin = (
        build(COUNTER, name="c")
        .configure("x", root_id="r", failure_policy="open")
        .configure(env={"A": "1"})
        .plugin
    )
    assert (plugin.configuration, plugin.root_id, plugin.failure_policy) == (b"x", "r", "open")
    assert plugin.environment == (("A", "1"),)


@pytest.mark.parametrize(
    ("value", "data"),
    [
        (None, b""),
        ("text", b"text"),
        (b"\xff", b"\xff"),
        ({"a": None}, b'{"a": null}'),
        ([1.5], b"[1.5]"),
        (True, b"true"),
    ],
)
def test_a_configuration_is_text_bytes_or_json(value: object, data: bytes) -> None:
    assert encode_config(value) == data  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [{1, 2}, object(), float("nan"), {"a": b"bytes"}])
def test_a_configuration_without_json_form_is_refused(value: object) -> None:
    with pytest.raises(RequestError, match="no JSON form"):
        encode_config(value)  # type: ignore[arg-type]


def test_an_unknown_failure_policy_is_refused(counter: Filter) -> None:
    with pytest.raises(RequestError, match="no failure policy"):
        counter.configure(failure_policy="sometimes")  # type: ignore[arg-type]


def test_a_saved_filter_can_be_loaded_again(counter: Filter, tmp_path: Path) -> None:
    path = counter.save(tmp_path / "counter.wasm")
    again = load(path)
    assert (again.name, again.digest, again.language) == ("counter", counter.digest, "wasm")
    assert header(again, "x-seen") == "1"


def test_what_is_no_filter_cannot_be_loaded(tmp_path: Path) -> None:
    with pytest.raises(ModuleError, match="cannot be read"):
        load(tmp_path / "none.wasm")
    with pytest.raises(MalformedModule):
        load(b"")
    with pytest.raises(MalformedModule):
        load(b"\0asm\1\0\0\0\1\x7f")
    with pytest.raises(LinkError, match="ABI"):
        load(b"\0asm\1\0\0\0")


def test_a_syntax_error_names_the_line() -> None:
    with pytest.raises(CompileError) as caught:
        build("x = 1\ndef broken(:\n    pass\n")
    assert caught.value.diagnostics[0].line == 2


def test_an_upstream_can_be_a_value_or_a_function(counter: Filter) -> None:
    for upstream in (Response(404), lambda _: Response(404)):
        assert counter.send(upstream=upstream).response.status == 404
    answered = counter.send(
        Request("POST", "/p", body="x"), upstream=lambda request: Response(201, body=request.path)
    )
    assert answered.response is not None
    assert (answered.response.status, answered.response.body) == (201, b"/p")


def test_a_filter_stands_for_its_plugin(counter: Filter) -> None:
    assert isinstance(counter.plugin, Plugin)
    assert counter.plugin.plugin is counter.plugin


def test_reprs_name_the_filter_and_escape_it(counter: Filter) -> None:
    odd = Filter(counter.plugin.replace(name="<b>"))
    assert "counter" in repr(counter)
    assert "<b><b>" not in odd._repr_html_()
    assert "&lt;b&gt;" in odd._repr_html_()


def test_a_filter_that_nobody_holds_frees_its_virtual_machine(counter: Filter) -> None:
    fresh = counter.configure()
    fresh.send()
    proxy = fresh._session.proxy
    assert proxy is not None
    del fresh
    gc.collect()
    with pytest.raises(Exception, match="closed"):
        proxy.send(Request())
