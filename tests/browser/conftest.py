"""JupyterLab, a browser, and a notebook with a filter in it."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import BrowserContext, Locator, expect, sync_playwright

from tests.browser.lab import ANSWER_MS, Lab, Notebook, cell, chromium

NO_NETWORK = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
"""The browser reaches this machine only: nothing may be fetched from elsewhere."""

GREETER = """\
%%wasm_filter greeter
def on_request_headers(ctx):
    ctx.request.headers["x-greeting"] = "hello " + ctx.request.headers.get("x-user", "stranger")

def on_response_headers(ctx):
    ctx.response.headers["x-served-by"] = "greeter"
    ctx.response.headers.pop("server", None)
    print("answered")
"""

ANSWERER = """
import time
from wasmhub_magics import Response
def answerer(request):
    time.sleep(3)
    return Response(202)
"""


@pytest.fixture(scope="package")
def context() -> Iterator[BrowserContext]:
    """Debian's browser, its cache shared by all tests; a machine without one fails, it does not skip."""
    try:
        path = chromium()
    except RuntimeError as error:
        pytest.fail(str(error), pytrace=False)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", NO_NETWORK])
        made = browser.new_context(viewport={"width": 1200, "height": 1000})
        asked: set[str | None] = set()
        made.on("request", lambda request: asked.add(urlsplit(request.url).hostname))
        yield made
        browser.close()
        assert asked <= {"127.0.0.1", None}, "something was sent elsewhere"  # None: what the page made itself


@pytest.fixture(scope="package")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A JupyterLab server for all of these tests; each file has a page and a kernel of its own."""
    with Lab(tmp_path_factory.mktemp("lab")) as started:
        yield started


@pytest.fixture(scope="module")
def notebook(context: BrowserContext, lab: Lab) -> Iterator[Notebook]:
    """A notebook open in JupyterLab: the extension is loaded, the filter is built."""
    setup = "%load_ext wasmhub_magics" + ANSWERER
    cells = [setup, GREETER, "%wasm_test greeter", "time.sleep(4)", "%wasm_bench greeter --seconds 40"]
    opened = Notebook(context.new_page(), lab, lab.write("tester.ipynb", [cell(each) for each in cells]))
    opened.run(0)
    opened.run(1)
    yield opened
    opened.close()


@pytest.fixture
def tester(notebook: Notebook) -> Locator:
    """A request tester that has just been opened."""
    shown = notebook.run(2).locator(".wht")
    expect(shown).to_be_visible(timeout=ANSWER_MS)
    return shown
