"""Names of the API are completed and explained in the cells of filters, as the settings say."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, Page, Response, expect

from tests.browser.axe import violations
from tests.browser.cells import caret, editor, ours, source
from tests.browser.lab import ANSWER_MS, Lab, Notebook, cell

pytestmark = pytest.mark.browser

PLACE = "/lab/extensions/wasmhub-magics-lab/"
CELLS = {
    "python": ("%%wasm_filter p\ndef on_request_headers(ctx):\n    ctx.res", "respond", "Answer"),
    "c": ("%%wasm_filter c --lang c\nvoid f() {\n  pw_set_", "pw_set_header", "in place of all"),
    "cpp": ("%%wasm_filter cpp --lang cpp\nvoid f() {\n  getReq", "getRequestHeader", "empty where"),
}


@pytest.fixture(scope="module")
def started(lab: Lab, context: BrowserContext) -> Iterator[Notebook]:
    """A notebook with a cell in each of these languages."""
    cells = ["%load_ext wasmhub_magics", *(text for text, _, _ in CELLS.values())]
    shown = Notebook(context.new_page(), lab, lab.write("help.ipynb", [cell(each) for each in cells]))
    shown.run(0)
    yield shown
    shown.close()


@pytest.fixture
def page(started: Notebook) -> Page:
    for index, (text, _, _) in enumerate(CELLS.values(), 1):
        started.replace(index, text)
    return started.page


def size_of(answer: Response) -> dict[str, int]:
    """The bytes of a file of the extension."""
    return {answer.url: len(answer.body())}


@pytest.mark.parametrize("language", CELLS)
def test_names_are_completed_with_what_they_mean(started: Notebook, page: Page, language: str) -> None:
    index = list(CELLS).index(language) + 1
    text, name, _ = CELLS[language]
    caret(page, index, 2, len(text.splitlines()[2]))
    page.keyboard.press("Tab")
    offered = page.locator(".jp-Completer-item").filter(has_text=name).first
    expect(offered).to_be_visible(timeout=ANSWER_MS)
    offered.click()
    assert source(page, index).splitlines()[2].strip().endswith(name)
    assert ours(started) == []


@pytest.mark.parametrize("language", CELLS)
def test_names_are_explained_under_the_pointer(started: Notebook, page: Page, language: str) -> None:
    index = list(CELLS).index(language) + 1
    text, name, meaning = CELLS[language]
    lines = text.splitlines()
    started.replace(index, "\n".join([*lines[:2], f"  {name}"]))
    editor(page, index).locator(".cm-line").nth(2).hover(position={"x": 40, "y": 8})
    told = page.locator(".wh-help")
    expect(told).to_contain_text(name, timeout=ANSWER_MS)
    expect(told).to_contain_text(meaning)
    assert violations(page, ".wh-help") == []
    page.mouse.move(5, 5)
    expect(told).to_have_count(0, timeout=ANSWER_MS)


def test_host_functions_are_explained_with_their_results(started: Notebook, page: Page) -> None:
    started.replace(2, "%%wasm_filter c --lang c\nvoid f() {\n  proxy_get_property")
    editor(page, 2).locator(".cm-line").nth(2).hover(position={"x": 40, "y": 8})
    told = page.locator(".wh-help")
    expect(told).to_contain_text("NotFound where there is no such property", timeout=ANSWER_MS)
    link = told.get_by_role("link", name="proxy-wasm/spec")
    assert (link.get_attribute("href") or "").endswith("#proxy_get_property")
    page.mouse.move(5, 5)
    expect(told).to_have_count(0, timeout=ANSWER_MS)


def test_the_extension_adds_less_than_100_kilobytes_to_the_page(lab: Lab, context: BrowserContext) -> None:
    page = context.new_page()
    sizes: dict[str, int] = {}
    page.on("response", lambda answer: sizes.update(size_of(answer)) if PLACE in answer.url else None)
    opened = Notebook(page, lab, lab.write("size.ipynb", [cell(CELLS["c"][0])]))
    expect(page.get_by_role("toolbar", name="Filter c")).to_be_visible(timeout=ANSWER_MS)
    opened.close()
    assert 10_000 < sum(sizes.values()) < 100_000


def test_settings_take_effect_at_once(started: Notebook, page: Page) -> None:
    bars = page.locator(".wh-bar")
    expect(bars).not_to_have_count(0, timeout=ANSWER_MS)
    page.evaluate(
        "() => window.jupyterapp.commands.execute('settingeditor:open', {query: 'WebAssembly Hub'})"
    )
    buttons = page.get_by_role("checkbox", name="Buttons above filters")
    buttons.uncheck(timeout=ANSWER_MS)
    explained = page.get_by_role("checkbox", name="Explanations under the pointer")
    explained.uncheck()
    page.get_by_role("tab", name="help.ipynb").click()
    expect(bars).to_have_count(0, timeout=ANSWER_MS)
    name, told = editor(page, 2).locator(".cm-line").nth(2), page.locator(".wh-help")
    started.replace(2, CELLS["c"][0] + "header")
    name.hover(position={"x": 40, "y": 8})
    page.wait_for_timeout(1000)  # three times as long as an explanation takes to come
    expect(told).to_have_count(0)
    page.get_by_role("tab", name="Settings").click()
    buttons.check()
    explained.check()
    page.get_by_role("tab", name="help.ipynb").click()
    expect(bars).not_to_have_count(0, timeout=ANSWER_MS)
    name.hover(position={"x": 40, "y": 8})
    expect(told).to_be_visible(timeout=ANSWER_MS)
    page.mouse.move(5, 5)
    assert ours(started) == []
