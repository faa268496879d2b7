"""Compilers' messages are marked where they belong in the cell."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.browser.axe import violations
from tests.browser.cells import caret, editor, ours, wait_for_language
from tests.browser.lab import ANSWER_MS, Lab, Notebook, cell

pytestmark = pytest.mark.browser

C = '%%wasm_filter c --lang c\nint f(void) {\n    const char *s = "é😀"; wrong();\n    return other;\n}'
PYTHON = "%%wasm_filter p\ndef on_request_headers(ctx):\n    x = = 1\n"
GOOD = "%%wasm_filter p\ndef on_request_headers(ctx):\n    x = 1\n"
IN_C, IN_PYTHON = 1, 2


@pytest.fixture(scope="module")
def opened(context: BrowserContext, lab: Lab) -> Iterator[Notebook]:
    """A notebook with two filters that have errors."""
    cells = [cell("%load_ext wasmhub_magics"), cell(C), cell(PYTHON)]
    shown = Notebook(context.new_page(), lab, lab.write("errors.ipynb", cells))
    shown.run(0)
    yield shown
    shown.close()


@pytest.fixture
def page(opened: Notebook) -> Page:
    """The page of the notebook, after both filters were built in vain."""
    for index, text in ((IN_C, C), (IN_PYTHON, PYTHON)):
        opened.replace(index, text)
        opened.run(index)
    return opened.page


def marked(page: Page, index: int) -> Locator:
    """What is underlined as an error in a code cell."""
    return page.locator(".jp-Notebook .jp-CodeCell").nth(index).locator(".wh-mark-error")


def gutter(page: Page, index: int) -> Locator:
    """The marks beside a code cell's lines."""
    return page.locator(".jp-Notebook .jp-CodeCell").nth(index).locator(".wh-beside-error")


def test_errors_are_underlined_where_they_are(page: Page, opened: Notebook) -> None:
    expect(marked(page, IN_C)).to_have_text(["wrong", "other"], timeout=ANSWER_MS)
    expect(gutter(page, IN_C)).to_have_count(2)
    expect(marked(page, IN_PYTHON)).to_have_text(["="], timeout=ANSWER_MS)
    expect(gutter(page, IN_PYTHON)).to_have_count(1)
    assert ours(opened) == []


def test_the_message_is_shown_under_the_pointer(page: Page) -> None:
    expect(marked(page, IN_C)).to_have_count(2, timeout=ANSWER_MS)
    marked(page, IN_C).nth(1).hover()
    tooltip = page.locator(".wh-told")
    expect(tooltip).to_contain_text("use of undeclared identifier 'other'", timeout=ANSWER_MS)
    page.mouse.move(5, 5)
    expect(tooltip).to_have_count(0, timeout=ANSWER_MS)
    gutter(page, IN_PYTHON).hover()
    expect(tooltip).to_contain_text("invalid syntax", timeout=ANSWER_MS)
    tooltip.hover()  # it can be read where it lies, and its words be taken
    expect(tooltip).to_be_visible()
    page.mouse.move(5, 5)
    expect(tooltip).to_have_count(0, timeout=ANSWER_MS)


def test_the_keyboard_reaches_the_errors_and_their_messages(page: Page) -> None:
    expect(marked(page, IN_C)).to_have_count(2, timeout=ANSWER_MS)
    caret(page, IN_C, 0, 0)
    tooltip = page.locator(".wh-told")
    for key, name in (("F8", "wrong"), ("F8", "other"), ("Shift+F8", "wrong")):
        page.keyboard.press(key)
        assert page.evaluate("() => document.getSelection().toString()") == name
        expect(tooltip).to_contain_text(name)
    page.keyboard.press("ArrowLeft")
    expect(tooltip).to_have_count(0)
    page.keyboard.press("F8")
    expect(tooltip).to_have_count(1)
    page.keyboard.press("Escape")
    expect(tooltip).to_have_count(0)


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_marks_and_their_messages_shut_nobody_out(page: Page, opened: Notebook, theme: str) -> None:
    opened.theme(theme)
    try:
        expect(marked(page, IN_C)).to_have_count(2, timeout=ANSWER_MS)
        caret(page, IN_C, 0, 0)
        page.keyboard.press("F8")
        expect(page.locator(".wh-told")).to_contain_text("wrong", timeout=ANSWER_MS)
        assert violations(page, ".wh-told", ".wh-gutter", ".wh-bar") == []
        page.keyboard.press("Escape")
    finally:
        opened.theme("JupyterLab Light")


def test_marks_go_when_the_source_changes_and_come_back_with_it(page: Page) -> None:
    expect(marked(page, IN_C)).to_have_count(2, timeout=ANSWER_MS)
    caret(page, IN_C, 3, 4)
    page.keyboard.type("x")
    expect(marked(page, IN_C)).to_have_count(0, timeout=ANSWER_MS)
    expect(gutter(page, IN_C)).to_have_count(0)
    page.keyboard.press("Backspace")
    expect(marked(page, IN_C)).to_have_text(["wrong", "other"], timeout=ANSWER_MS)


def test_marks_go_when_the_filter_is_built(page: Page, opened: Notebook) -> None:
    expect(marked(page, IN_PYTHON)).to_have_count(1, timeout=ANSWER_MS)
    opened.replace(IN_PYTHON, GOOD)
    opened.run(IN_PYTHON)
    expect(marked(page, IN_PYTHON)).to_have_count(0, timeout=ANSWER_MS)


def test_marks_are_there_again_when_the_notebook_is_opened_again(page: Page, opened: Notebook) -> None:
    expect(marked(page, IN_C)).to_have_count(2, timeout=ANSWER_MS)
    page.evaluate("() => window.jupyterapp.shell.currentWidget.context.save()")
    page.reload()
    page.wait_for_selector("#jupyterlab-splash", state="detached", timeout=ANSWER_MS)
    wait_for_language(page, IN_C, "wasm-filter-c")
    expect(marked(page, IN_C)).to_have_text(["wrong", "other"], timeout=ANSWER_MS)
    assert ours(opened) == []


def test_a_source_that_was_changed_elsewhere_has_no_marks(page: Page, opened: Notebook) -> None:
    expect(marked(page, IN_C)).to_have_count(2, timeout=ANSWER_MS)
    opened.replace(IN_C, C.replace("other", "another"))
    page.evaluate("() => window.jupyterapp.shell.currentWidget.context.save()")
    page.reload()
    page.wait_for_selector("#jupyterlab-splash", state="detached", timeout=ANSWER_MS)
    wait_for_language(page, IN_C, "wasm-filter-c")
    expect(marked(page, IN_PYTHON)).to_have_count(1, timeout=ANSWER_MS)
    expect(editor(page, IN_C)).to_contain_text("another")
    expect(marked(page, IN_C)).to_have_count(0)
