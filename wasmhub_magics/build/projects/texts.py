"""What every project has: the README, the test, the workflow."""

from __future__ import annotations

from ... import __version__
from ..build import Build
from ..languages import find_language
from .layout import Layout

__all__ = ["IGNORED", "TEST", "make_test", "readme", "workflow"]

IGNORED = "*.wasm\n__pycache__/\n.pytest_cache/\n.venv/\n"

TEST = '''"""The filter does with the exchanges in exchanges.json what is written there."""

from pathlib import Path

from wasmhub_magics import Proxy, load
from wasmhub_magics.examples import Table

HERE = Path(__file__).parent


def test_the_filter_does_what_is_written() -> None:
    table = Table.read(HERE / "exchanges.json")
    made = load(HERE.parent / "NAME.wasm").configure(table.config)
    with Proxy(made, clusters=table.clusters) as proxy:
        assert table.differences(proxy) == []
'''

make_test = """
test: NAME.wasm
\t$(PYTHON) -m pytest -q tests

.PHONY: all test clean
"""


def readme(build: Build, layout: Layout) -> str:
    """What the project is, in a page."""
    title = find_language(build.language).title
    return f"""# {build.name}

A filter for Envoy and other proxies that speak Proxy-Wasm, in {title}.

    make            # {build.name}.wasm
    make test       # what it does with the exchanges in tests/exchanges.json

{layout.needs} The test needs Python 3.11 or later with `pip install wasmhub-magics pytest`.

`{layout.source}` is the source, `wasmhub.json` says how it was built. {layout.exact}

`tests/exchanges.json` holds requests, what is expected to become of them, and the plugin's configuration that goes
with them. In a notebook, `load("DIRECTORY")` of wasmhub-magics takes the project back.
"""


def workflow(layout: Layout) -> str:
    """A workflow that builds and tests."""
    steps = [
        "- uses: actions/checkout@v4",
        '- uses: actions/setup-python@v5\n  with:\n    python-version: "3.12"',
        *layout.setup,
        f"- run: pip install wasmhub-magics=={__version__} pytest",
        "- run: make",
        "- run: make test",
    ]
    body = "\n".join("      " + line for step in steps for line in step.splitlines())
    return f"""name: filter
on: [push, pull_request]
jobs:
  filter:
    runs-on: ubuntu-latest
    steps:
{body}
"""
