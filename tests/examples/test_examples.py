"""Every example does the same in every language it is written in, in the embedded proxy and in Envoy."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from wasmhub_magics.build import BuildOptions, build_module, languages
from wasmhub_magics.envoy import EnvoyProxy
from wasmhub_magics.examples import Example, example, examples
from wasmhub_magics.plugin import Plugin, encode_config
from wasmhub_magics.proxy import Proxy, echo

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
    return Plugin(built.module, each.name, configuration=encode_config(each.config))


def findings(proxy: Proxy | EnvoyProxy, each: Example) -> list[str]:
    found = []
    for number, wanted in enumerate(each.expectations, 1):
        upstream = echo if wanted.upstream is None else wanted.upstream
        exchange = proxy.send(wanted.request, upstream=upstream)
        said = wanted.differences(exchange.response, exchange.upstream_request)
        found += [f"{number}. {one}" for one in said]
        found += [f"{number}. log: {line.message}" for line in exchange.log if said]
    return found


@pytest.mark.parametrize(
    ("language", "each"), COLUMNS, ids=[f"{language}-{each.name}" for language, each in COLUMNS]
)
def test_an_example_does_the_same_in_every_language_and_proxy(language: str, each: Example) -> None:
    made = plugin(each, language)
    with Proxy(made, clusters=each.clusters) as proxy:
        assert findings(proxy, each) == []
    with EnvoyProxy(made, clusters=each.clusters) as envoy:
        assert findings(envoy, each) == []


def test_every_example_is_written_in_three_languages_and_every_language_has_its_column() -> None:
    assert len(examples()) == 10
    assert all(len(each.languages) >= 3 for each in examples())
    assert {language for language, _ in COLUMNS} == set(LANGUAGES)


@pytest.mark.parametrize("each", examples(), ids=lambda each: each.name)
def test_an_expectation_notices_a_proxy_without_the_filter(each: Example) -> None:
    nothing = Plugin(build_module("", "python").module, "nothing")
    with Proxy(nothing, clusters=each.clusters) as proxy:
        assert findings(proxy, each)
    assert example(each.name) is each
