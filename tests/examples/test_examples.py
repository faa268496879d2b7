"""Every example does the same in every language it is written in, in the embedded proxy and in Envoy."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from wasmhub_magics import search
from wasmhub_magics.build import BuildOptions, build_module, languages
from wasmhub_magics.envoy import EnvoyProxy
from wasmhub_magics.examples import Example, example, examples, starter
from wasmhub_magics.http import Request
from wasmhub_magics.plugin import Plugin, encode_config
from wasmhub_magics.proxy import Proxy

LANGUAGES = [name for name in languages() if name != "wasm"]
COLUMNS = [(language, each) for language in LANGUAGES for each in examples() if language in each.languages]


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One cache for all: what a compiler does only once is done once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WASMHUB_CACHE", str(tmp_path_factory.getbasetemp() / "languages"))
        yield


def plugin(each: Example, language: str) -> Plugin:
    options = BuildOptions(packages=tuple(each.packages.get(language, ())), timeout=600)
    built = build_module(each.source(language), language, each.name, options=options)
    assert built.diagnostics == ()
    return Plugin(built.module, each.name, configuration=encode_config(each.table.config))


@pytest.fixture(scope="module")
def envoy() -> Iterator[EnvoyProxy]:
    """One Envoy for all, which takes one filter after the other."""
    clusters = {name: each for one in examples() for name, each in one.table.clusters.items()}
    assert len(clusters) == sum(len(one.table.clusters) for one in examples())
    with EnvoyProxy(build_module(starter("wat"), "wat").module, clusters=clusters) as proxy:
        yield proxy


@pytest.mark.parametrize(
    ("language", "each"), COLUMNS, ids=[f"{language}-{each.name}" for language, each in COLUMNS]
)
def test_an_example_does_the_same_in_every_language_and_proxy(
    language: str, each: Example, envoy: EnvoyProxy
) -> None:
    made = plugin(each, language)
    table = each.table
    with Proxy(made, clusters=table.clusters) as proxy:
        assert table.differences(proxy) == []
    envoy.swap(made)
    assert table.differences(envoy) == []


def test_every_language_has_its_column() -> None:
    assert len(examples()) == 10
    assert all({*LANGUAGES} - {*each.languages} <= {"wat"} for each in examples())
    assert {language for language, _ in COLUMNS} == set(LANGUAGES)


@pytest.mark.parametrize("each", examples(), ids=lambda each: each.name)
def test_an_expectation_notices_a_proxy_without_the_filter(each: Example) -> None:
    nothing = Plugin(build_module("", "python").module, "nothing")
    with Proxy(nothing, clusters=each.table.clusters) as proxy:
        assert each.table.differences(proxy)
    assert example(each.name) is each


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_starter_runs_at_once(language: str) -> None:
    built = build_module(starter(language), language)
    assert built.diagnostics == ()
    with Proxy(Plugin(built.module, "starter")) as proxy:
        stranger, ada = proxy.send(), proxy.send(Request(headers={"x-user": "ada"}))
    assert stranger.upstream_request.headers["x-greeting"] == "hello stranger"
    assert ada.upstream_request.headers["x-greeting"] in ("hello ada", "hello stranger")
    assert (ada.upstream_request.headers["x-greeting"] == "hello ada") == (language != "wat")


def test_search_finds_examples_by_what_they_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WASMHUB_STORE", str(tmp_path))
    monkeypatch.setenv("WASMHUB_CACHE", str(tmp_path / "cache"))
    assert "rate-limit" in {each.name for each in search("bucket") if each.origin == "examples"}
