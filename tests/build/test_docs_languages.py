"""Every example of the languages' pages runs: a block of source is a filter, the next one tries it."""

from __future__ import annotations

import doctest
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from wasmhub_magics.build import build_module
from wasmhub_magics.http import Request, Response
from wasmhub_magics.plugin import Plugin, encode_config
from wasmhub_magics.proxy import Exchange, Proxy, Upstream, echo

DOCS = Path(__file__).parents[2] / "docs"
PAGES = {"assemblyscript": "typescript", "cpp": "cpp", "javascript": "javascript", "zig": "zig"}


def blocks(page: str) -> list[tuple[str, str]]:
    return re.findall(r"^```(\w*)\n(.*?)^```", (DOCS / f"{page}.md").read_text(), re.M | re.S)


def examples(page: str) -> list[tuple[str, str]]:
    return [
        (source, tries)
        for (kind, source), (next_kind, tries) in pairwise(blocks(page))
        if kind == PAGES[page] and next_kind == "pycon"
    ]


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """One cache for all: what a compiler does only once is done once."""
    monkeypatch.setenv("WASMHUB_CACHE", str(tmp_path_factory.getbasetemp() / "languages"))


@pytest.mark.parametrize("page", PAGES)
def test_every_block_is_an_example(page: str) -> None:
    assert len(examples(page)) * 2 == len(blocks(page)) >= 8


@pytest.mark.parametrize(
    ("page", "number"), [(page, number) for page in PAGES for number in range(len(examples(page)))]
)
def test_the_example_does_what_the_page_says(page: str, number: int) -> None:
    source, tries = examples(page)[number]
    build = build_module(source, page)
    assert build.diagnostics == ()

    def send(request: Request, upstream: Upstream = echo, config: Any = None) -> Exchange:
        with Proxy(Plugin(build.module, "example", configuration=encode_config(config)), upstream) as proxy:
            return proxy.send(request)

    names = {"send": send, "Request": Request, "Response": Response}
    test = doctest.DocTestParser().get_doctest(tries, names, page, None, 0)
    assert test.examples
    failures: list[str] = []
    flags = doctest.ELLIPSIS | doctest.IGNORE_EXCEPTION_DETAIL
    doctest.DocTestRunner(optionflags=flags).run(test, out=failures.append)
    assert not failures, "".join(failures)
