"""JupyterLab, a browser, and the quickstart's cells."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.browser.lab import Lab, Notebook, cell, chromium

GREETER = """\
%%wasm_filter greeter
def on_request_headers(ctx):
    ctx.request.headers["x-greeting"] = "hello " + ctx.request.headers.get("x-user", "stranger")

def on_response_headers(ctx):
    ctx.response.headers["x-served-by"] = "greeter"
    ctx.response.headers.pop("server", None)
    print("answered")
"""

Opener = Callable[..., Notebook]


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    """Debian's browser; a machine without one fails, because what is looked at here matters."""
    try:
        return {"executable_path": chromium(), "args": ["--no-sandbox"]}
    except RuntimeError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture(scope="session")
def lab(browser_type_launch_args: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """One server for all browser tests."""
    with Lab(tmp_path_factory.mktemp("lab")) as server:
        yield server


@pytest.fixture
def notebook(lab: Lab, page: Page, request: pytest.FixtureRequest) -> Iterator[Opener]:
    """Open a notebook with these cells; the filter and the extension come first."""
    opened: list[Notebook] = []

    def opener(*sources: str, theme: str = "JupyterLab Light") -> Notebook:
        name = f"{request.node.name}.ipynb".replace("[", "-").replace("]", "")
        lab.write(name, [cell("%load_ext wasmhub_magics"), cell(GREETER), *map(cell, sources)])
        made = Notebook(page, lab, name, theme)
        opened.append(made)
        return made

    yield opener
    for each in opened:
        each.close()


@pytest.fixture
def screenshots(tmp_path: Path) -> Path:
    """Where pictures go."""
    return tmp_path
