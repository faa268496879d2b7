"""What the tests of cells look at in a notebook."""

from __future__ import annotations

from playwright.sync_api import Locator, Page

from tests.browser.lab import ANSWER_MS, Notebook


def editor(page: Page, index: int) -> Locator:
    """The editable text of a code cell."""
    return page.locator(".jp-Notebook .jp-CodeCell").nth(index).locator(".cm-content")


def wait_for_language(page: Page, index: int, language: str) -> None:
    """Wait until a code cell's editor has this language."""
    page.wait_for_function(
        """([index, language]) => {
          const cell = document.querySelectorAll('.jp-Notebook .jp-CodeCell')[index];
          return cell?.querySelector('.cm-content')?.dataset.language === language;
        }""",
        arg=[index, language],
        timeout=ANSWER_MS,
    )


def colours(page: Page, index: int) -> dict[str, str]:
    """The colour of each highlighted piece of a code cell, by its text."""
    found: dict[str, str] = editor(page, index).evaluate(
        """element => Object.fromEntries([...element.querySelectorAll('.cm-line span')]
          .map(span => [span.textContent.trim(), getComputedStyle(span).color]))"""
    )
    return found


def coloured(page: Page, index: int, name: str, body: str) -> None:
    """Fail unless the magic line, and the keyword, string and comment of the body, differ in colour."""
    editor(page, index).scroll_into_view_if_needed()
    wait_for_language(page, index, f"wasm-filter-{name}")
    found = colours(page, index)
    keyword = next(word for word in ("return", "module") if word in body)
    text = next(each for each in ('"text"', "'text'") if each in body)
    note = next(each for each in ("# note", ";; note", "// note") if each in body)
    kinds = [found["%%wasm_filter"], found["--lang"], found[name], found[keyword], found[note]]
    assert found[text] == found[name]  # both are strings
    assert len({*kinds}) == len(kinds)


def caret(page: Page, index: int, line: int, column: int) -> None:
    """Put the caret of a code cell somewhere: line and column from 0."""
    editor(page, index).click()
    page.mouse.move(5, 5)
    page.evaluate(
        """([index, line, column]) => {
          const cells = window.jupyterapp.shell.currentWidget.content.widgets;
          const cell = cells.filter(each => each.model.type === 'code')[index];
          cell.editor.setCursorPosition({line, column});
          cell.editor.focus();
        }""",
        [index, line, column],
    )


def source(page: Page, index: int) -> str:
    """The source of a code cell."""
    text: str = page.evaluate(
        """index => window.jupyterapp.shell.currentWidget.content.widgets
          .filter(each => each.model.type === 'code')[index].model.sharedModel.getSource()""",
        index,
    )
    return text


def ours(notebook: Notebook) -> list[str]:
    """Complaints of the page that may come from the extension."""
    words = ("wasmhub", "wasm-filter", "CodeMirror", "language", "TypeError", "RangeError")
    return [
        each
        for each in notebook.complaints
        if any(word in each for word in words)
        and not any(word in each for word in ("ms to activate", "jupyterlab-lsp/static"))
    ]
