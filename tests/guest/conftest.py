"""Filters from Python source, in the embedded proxy and in the real one."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import pytest

from wasmhub_magics.build.build import build_module
from wasmhub_magics.build.language import BuildOptions
from wasmhub_magics.envoy import EnvoyProxy
from wasmhub_magics.plugin import Plugin, encode_config
from wasmhub_magics.proxy import Proxy

Start: TypeAlias = Callable[..., Any]


def plugin(source: str, config: Any = None, **fields: Any) -> Plugin:
    """A plugin from a source; indented as it stands in a test, its first line is line 2 as in a cell."""
    text = textwrap.dedent(source).lstrip("\n")
    build = build_module(text, "python", options=BuildOptions(first_line=2))
    return Plugin(build.module, "filter", configuration=encode_config(config), **fields)


def _starter(kind: Any) -> Iterator[Start]:
    started: list[Any] = []

    def start(source: str, config: Any = None, **options: Any) -> Any:
        fields = {key: options.pop(key) for key in ("failure_policy", "limits") if key in options}
        proxy = kind(plugin(source, config, **fields), **options)
        started.append(proxy)
        return proxy

    yield start
    for proxy in started:
        proxy.close()


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a filter in the embedded proxy: ``start(source, config)``."""
    yield from _starter(Proxy)


@pytest.fixture(params=[Proxy, EnvoyProxy], ids=["embedded", "envoy"])
def start_anywhere(request: pytest.FixtureRequest) -> Iterator[Start]:
    """Start a filter in the embedded proxy, and in the real Envoy."""
    yield from _starter(request.param)
