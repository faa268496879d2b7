"""Images of the local store are found by their words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from wasmhub_magics.errors import StoreError
from wasmhub_magics.hub import Store, push, search
from wasmhub_magics.module import Module

DESCRIPTION = "org.opencontainers.image.description"


@pytest.fixture
def filled(make: Callable[[str], Module]) -> None:
    greets = {DESCRIPTION: "Says hello to everybody", "wasmhub.filter/language": "python"}
    push(make("a"), "team/greeter:v1", annotations=greets)
    push(make("b"), "team/limiter:v2", annotations={DESCRIPTION: "Limits those that the greeter lets in"})
    push(
        make("c"), "auth:latest", name="Token check", annotations={"org.opencontainers.image.vendor": "Acme"}
    )


def names(text: str) -> list[str]:
    return [str(image.reference) for image in search(text)]


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["auth:latest", "team/greeter:v1", "team/limiter:v2"]),
        ("greeter", ["team/greeter:v1", "team/limiter:v2"]),
        ("HELLO", ["team/greeter:v1"]),
        ("python", ["team/greeter:v1"]),
        ("acme token", ["auth:latest"]),
        ("team lets", ["team/limiter:v2"]),
        ("hello acme", []),
    ],
)
def test_every_word_counts_and_names_come_before_descriptions(text: str, expected: list[str]) -> None:
    assert names(text) == expected


@pytest.mark.usefixtures("filled")
def test_the_result_is_a_sequence_and_a_table() -> None:
    found = search("greeter")
    assert len(found) == 2
    assert found[0] is found.entries[0]
    assert found[0] in found
    for shown in (repr(found), found._repr_html_()):
        assert "Says hello to everybody" in shown
        assert found[0].module_digest.removeprefix("sha256:")[:12] in shown
        assert found[0].digest[:19] in shown


def test_nothing_found_says_so() -> None:
    assert repr(search("anything")) == "no image for 'anything'"
    assert "no image" in search()._repr_html_()


def test_text_of_others_is_shown_as_text(module: Module) -> None:
    push(module, "greeter", annotations={DESCRIPTION: "<img src=x onerror=alert(1)>"})
    assert "<img" not in search()._repr_html_()


@pytest.mark.usefixtures("filled")
def test_what_is_damaged_is_told_beside_what_was_found() -> None:
    (Store().path / "auth" / "index.json").write_text("{")
    found = search("greeter")
    assert len(found) == 2
    assert "cannot be read" in repr(found)
    assert "auth/index.json" in repr(found)
    assert "auth/index.json" in found._repr_html_()


def test_a_store_that_cannot_be_read_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("WASMHUB_STORE", str(tmp_path / "file"))
    with pytest.raises(StoreError):
        search()
