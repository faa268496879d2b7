"""Filters for the tests of the embedded proxy, compiled once a run."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from wasmhub_magics.http import Response
from wasmhub_magics.module import Module
from wasmhub_magics.plugin import Plugin
from wasmhub_magics.proxy import Proxy

HERE = Path(__file__).parent
ANSWER = Response(200, [("content-type", "text/plain")], b"answer")


def compile_c(source: Path, target: Path, *flags: str) -> Module:
    command = [sys.executable, "-m", "ziglang", "cc", "-target", "wasm32-freestanding", "-O2", "-nostdlib"]
    command += ["-fno-builtin", "-Wl,--no-entry", *flags, "-o", str(target), str(source)]
    subprocess.run(command, check=True, timeout=240)
    return Module(target.read_bytes())


@pytest.fixture(scope="session")
def puppet_module(tmp_path_factory: pytest.TempPathFactory) -> Module:
    return compile_c(HERE / "puppet.c", tmp_path_factory.mktemp("puppet") / "puppet.wasm")


@pytest.fixture(scope="session")
def old_puppet_module(tmp_path_factory: pytest.TempPathFactory) -> Module:
    """The puppet for ABI 0.1.0."""
    return compile_c(HERE / "puppet.c", tmp_path_factory.mktemp("old") / "old.wasm", "-DABI_0_1_0")


@pytest.fixture(scope="session")
def puppet(puppet_module: Module) -> Callable[..., Plugin]:
    """A plugin that does what a script says: lines of phase, command, arguments."""

    def make(script: str = "", name: str = "puppet", **fields: object) -> Plugin:
        lines = "\n".join(line.strip() for line in script.strip().splitlines())
        return Plugin(puppet_module, name=name, configuration=lines.encode() or b" ", **fields)

    return make


@pytest.fixture
def run(puppet: Callable[..., Plugin]):
    """Start a proxy with one puppet (or the given plugins); it is closed after the test."""
    proxies = []

    def start(*chain: Plugin | str, upstream=ANSWER, **options):
        plugins = [puppet(item) if isinstance(item, str) else item for item in chain]
        proxy = Proxy(plugins, upstream, **options)
        proxies.append(proxy)
        return proxy

    yield start
    for proxy in proxies:
        proxy.close()


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory):
    """Compiled code goes to a folder of this run."""
    patch = pytest.MonkeyPatch()
    patch.setenv("WASMHUB_CACHE", str(tmp_path_factory.mktemp("cache")))
    yield
    patch.undo()
