"""Every example of the Python page runs: a ``python`` block is a filter, a ``pycon`` block tries it."""

from __future__ import annotations

import doctest
import hmac
import json
import re
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from wasmhub_magics.build.build import build_module
from wasmhub_magics.build.language import BuildOptions
from wasmhub_magics.guest.python import CALLBACKS, MODULES
from wasmhub_magics.http import Request, Response
from wasmhub_magics.plugin import Plugin, encode_config
from wasmhub_magics.proxy import Cluster, Delay, Exchange, Failure, Proxy, Upstream, echo

PAGE = Path(__file__).parents[2] / "docs" / "python.md"
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", PAGE.read_text(), re.M | re.S)
EXAMPLES = [
    (source, tries)
    for (kind, source), (next_kind, tries) in pairwise(BLOCKS)
    if kind == "python" and next_kind == "pycon"
]


def test_every_block_is_an_example() -> None:
    assert len(EXAMPLES) * 2 == len(BLOCKS) > 10


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_the_example_does_what_the_page_says(number: int) -> None:
    source, tries = EXAMPLES[number]
    opened = ExitStack()

    def start(
        upstream: Upstream = echo,
        config: Any = None,
        clusters: dict[str, Cluster] | None = None,
        **parts: list[tuple[str, str]],
    ) -> Proxy:
        options = BuildOptions(**{name: tuple(pairs) for name, pairs in parts.items()})
        build = build_module(source, "python", options=options)
        assert build.diagnostics == ()
        plugin = Plugin(build.module, "example", configuration=encode_config(config))
        return opened.enter_context(Proxy(plugin, upstream, clusters=clusters))

    def send(request: Request, *arguments: Any, **options: Any) -> Exchange:
        return start(*arguments, **options).send(request)

    names = {"send": send, "start": start, "Request": Request, "Response": Response, "Delay": Delay}
    names |= {"Failure": Failure, "json": json, "hmac": hmac}
    test = doctest.DocTestParser().get_doctest(tries, names, "python.md", None, 0)
    assert test.examples
    failures: list[str] = []
    flags = doctest.ELLIPSIS | doctest.IGNORE_EXCEPTION_DETAIL
    with opened:
        doctest.DocTestRunner(optionflags=flags).run(test, out=failures.append)
    assert not failures, "".join(failures)


def test_the_page_names_every_callback() -> None:
    assert not [name for name in CALLBACKS if f"`{name}(ctx)`" not in PAGE.read_text()]


def test_every_module_of_the_page_can_be_imported() -> None:
    table = PAGE.read_text().split("| modules | |")[1].split("\n\n")[0]
    named = set(re.findall(r"`(\w+)`", table))
    assert named <= MODULES
    source = "".join(f"import {name}\n" for name in sorted(MODULES))
    with Proxy(Plugin(build_module(source, "python").module, "imports")) as proxy:
        assert proxy.log == ()
