"""The extension speaks the language that JupyterLab does, where a language pack has its words."""

from __future__ import annotations

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.cells import ours
from tests.browser.lab import ANSWER_MS, READY, Lab, Notebook, cell
from tests.browser.language_pack import LOCALE, install_pack

pytestmark = pytest.mark.browser

WORDS: dict[str, str | list[str]] = {
    "Send": "Sendi",
    "Filter": "Filtrilo",
    "Images": "Bildoj",
    "Show WebAssembly Hub": "Montri",
    "built": "konstruita",
    "%1 image": ["%1 bildo", "%1 bildoj"],
}
CELLS = [
    "%load_ext wasmhub_magics",
    "%%wasm_filter greeter\ndef on_request_headers(ctx):\n    ctx.log('asked')",
    "%wasm_push greeter demo/translated:v1",
]


def test_words_are_those_of_the_language_pack(lab: Lab, context: BrowserContext) -> None:
    install_pack(lab.packages, WORDS)
    cells = [cell(each) for each in CELLS]
    opened = Notebook(context.new_page(), lab, lab.write("translated.ipynb", cells))
    page = opened.page
    speak(page, LOCALE)
    try:
        bar = page.get_by_role("toolbar", name="Filtrilo greeter")
        expect(bar.get_by_role("button", name="Sendi")).to_be_visible(timeout=ANSWER_MS)
        for index in range(len(cells)):
            opened.run(index)
        expect(bar.get_by_role("status")).to_have_text("konstruita", timeout=ANSWER_MS)
        page.keyboard.press("Alt+w")
        page.keyboard.press("h")
        panel = page.get_by_role("region", name="WebAssembly Hub")
        panel.get_by_role("tab", name="Bildoj").click()
        panel.get_by_role("searchbox").fill("translated")
        expect(panel.get_by_text("1 bildo", exact=True)).to_be_visible(timeout=ANSWER_MS)
        panel.get_by_role("searchbox").fill("no such words at all")
        expect(panel).to_contain_text("No image has all of these words", timeout=ANSWER_MS)
        assert ours(opened) == []
    finally:
        speak(page, "en")
    expect(page.get_by_role("button", name="Send", exact=True)).to_be_visible(timeout=ANSWER_MS)
    opened.close()


def speak(page: Page, locale: str) -> None:
    """Choose a language, as the menu does, and wait for the page that speaks it."""
    page.evaluate("() => window.jupyterapp.shell.currentWidget.context.save()")
    command = f"jupyterlab-translation:{locale}"
    page.wait_for_function(
        "name => window.jupyterapp.commands.hasCommand(name)", arg=command, timeout=ANSWER_MS
    )
    page.evaluate("name => void window.jupyterapp.commands.execute(name)", command)
    with page.expect_navigation():
        page.locator(".jp-Dialog .jp-mod-accept").click(timeout=ANSWER_MS)
    page.wait_for_function(READY, timeout=ANSWER_MS)
