"""The bar above a filter's cell tells how it stands and does what can be done with it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.browser.cells import caret, ours, source
from tests.browser.lab import ANSWER_MS, READY, Lab, Notebook, cell

pytestmark = pytest.mark.browser

GREETER = "%%wasm_filter greeter\ndef on_request_headers(ctx):\n    ctx.request.headers['x-a'] = 'b'"
BROKEN = "%%wasm_filter broken\ndef on_request_headers(ctx):\n    return ctx.request.headers['x-b'] + 1"
TRAP = """\
%%wasm_filter broken --lang c
#include "proxy_wasm.h"
pw_action proxy_on_request_headers(uint32_t context, uint32_t count, bool end) {
  __builtin_trap();
  return PW_CONTINUE;
}"""
LOAD = "%load_ext wasmhub_magics"
IN_GREETER, IN_BROKEN, PLAIN = 1, 2, 3


@pytest.fixture(scope="module")
def started(context: BrowserContext, lab: Lab) -> Iterator[Notebook]:
    """A notebook in JupyterLab."""
    shown = Notebook(context.new_page(), lab, lab.write("bar.ipynb", [cell(GREETER)]))
    yield shown
    shown.close()


@pytest.fixture
def opened(started: Notebook) -> Notebook:
    """The notebook with two filters and a cell that is none."""
    started.fill(LOAD, GREETER, BROKEN, "x = 1")
    expect(started.page.locator(".wh-bar")).to_have_count(2, timeout=ANSWER_MS)
    return started


def bar(page: Page, name: str) -> Locator:
    """The bar of a filter's cell."""
    return page.get_by_role("toolbar", name=f"Filter {name}")


def state(page: Page, name: str) -> Locator:
    """What a bar says of its filter."""
    return bar(page, name).get_by_role("status")


def press(page: Page, name: str, button: str) -> None:
    """Press a button of a bar and wait until it is done."""
    pressed = bar(page, name).get_by_role("button", name=button)
    pressed.click()
    expect(pressed).to_have_attribute("aria-disabled", "false", timeout=ANSWER_MS)


def test_one_click_loads_builds_and_sends(opened: Notebook) -> None:
    page = opened.page
    opened.restart()
    opened.fill(GREETER, "x = 1")
    expect(state(page, "greeter")).to_have_text("not built", timeout=ANSWER_MS)
    press(page, "greeter", "Send")
    expect(state(page, "greeter")).to_have_text("built", timeout=ANSWER_MS)
    assert [source(page, index) for index in range(3)] == [
        LOAD,
        GREETER,
        "%wasm_send greeter GET /",
    ]
    expect(bar(page, "greeter").locator(".wh-bar-detail")).to_have_text("200")
    assert ours(opened) == []


def test_an_action_takes_the_cell_that_is_there(opened: Notebook) -> None:
    page = opened.page
    press(page, "greeter", "Send")
    opened.replace(2, "%wasm_send greeter GET /again")
    press(page, "greeter", "Send")
    expect(page.locator(".jp-Notebook .jp-CodeCell").nth(2)).to_contain_text("GET /again")
    assert source(page, 2) == "%wasm_send greeter GET /again"
    assert source(page, 3) == BROKEN


def test_the_state_follows_the_source_the_run_and_the_kernel(opened: Notebook) -> None:
    page = opened.page
    press(page, "greeter", "Build")
    expect(state(page, "greeter")).to_have_text("built", timeout=ANSWER_MS)
    caret(page, IN_GREETER, 2, 4)
    page.keyboard.type("x")
    expect(state(page, "greeter")).to_have_text("changed since it was built", timeout=ANSWER_MS)
    page.keyboard.press("Backspace")
    expect(state(page, "greeter")).to_have_text("built", timeout=ANSWER_MS)
    opened.restart()
    expect(state(page, "greeter")).to_have_text("not built", timeout=ANSWER_MS)
    press(page, "greeter", "Build")
    expect(state(page, "greeter")).to_have_text("built", timeout=ANSWER_MS)


def test_a_filter_that_does_not_build_is_not_sent_anything(opened: Notebook) -> None:
    page = opened.page
    opened.replace(IN_GREETER, GREETER.replace("= 'b'", "= = 'b'"))
    press(page, "greeter", "Send")
    expect(state(page, "greeter")).to_have_text("failing", timeout=ANSWER_MS)
    expect(bar(page, "greeter").locator(".wh-bar-detail")).not_to_be_empty()
    assert source(page, 2) == BROKEN


@pytest.mark.parametrize("button", ["Send", "Test", "Bench", "Verify"])
def test_the_line_that_trapped_is_marked_until_it_changes(opened: Notebook, button: str) -> None:
    page = opened.page
    caret(page, IN_BROKEN, 2, 0)
    press(page, "broken", button)
    if button == "Test":
        page.locator(".wht").get_by_role("button", name="Send", exact=True).click(timeout=ANSWER_MS)
    expect(state(page, "broken")).to_have_text("failing", timeout=ANSWER_MS)
    marked = page.locator(".wh-mark-error")
    expect(marked).to_have_text("return ctx.request.headers['x-b'] + 1", timeout=ANSWER_MS)
    beside = page.locator(".wh-beside-error")
    expect(beside).to_have_count(1)
    for place in (marked, beside):
        place.hover()
        expect(page.locator(".wh-told")).to_contain_text("KeyError", timeout=ANSWER_MS)
        page.mouse.move(5, 5)
        expect(page.locator(".wh-told")).to_have_count(0, timeout=ANSWER_MS)
    opened.replace(IN_BROKEN, BROKEN.replace(" + 1", ""))
    expect(marked).to_have_count(0, timeout=ANSWER_MS)
    expect(beside).to_have_count(0)
    expect(state(page, "broken")).to_have_text("changed since it was built", timeout=ANSWER_MS)


def test_a_trap_in_the_page_itself_is_marked(opened: Notebook) -> None:
    page = opened.page
    opened.replace(IN_BROKEN, TRAP)
    press(page, "broken", "Test")
    tester = page.locator(".wht")
    tester.get_by_role("button", name="Send", exact=True).click(timeout=ANSWER_MS)
    expect(page.locator(".wh-mark-error")).to_have_text("__builtin_trap();", timeout=ANSWER_MS)
    expect(state(page, "broken")).to_have_text("failing")


def test_a_deployed_filter_says_so(opened: Notebook) -> None:
    page = opened.page
    press(page, "greeter", "Deploy")
    expect(state(page, "greeter")).to_have_text("deployed", timeout=ANSWER_MS)
    opened.replace(PLAIN + 1, "%wasm_undeploy greeter")
    opened.run(PLAIN + 1)
    expect(state(page, "greeter")).to_have_text("built", timeout=ANSWER_MS)


def test_the_keyboard_reaches_every_button_and_returns_to_the_source(opened: Notebook) -> None:
    page = opened.page
    caret(page, IN_GREETER, 1, 0)
    page.keyboard.press("Alt+w")
    page.keyboard.press("w")
    buttons = bar(page, "greeter").get_by_role("button")
    expect(buttons.nth(0)).to_be_focused()
    for index in (1, 2, 3, 4, 5, 6, 0):
        page.keyboard.press("ArrowRight")
        expect(buttons.nth(index)).to_be_focused()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page.locator(".jp-Notebook .jp-CodeCell").nth(2)).to_contain_text("%wasm_send", timeout=ANSWER_MS)
    expect(buttons.nth(1)).to_have_attribute("aria-disabled", "false", timeout=ANSWER_MS)
    expect(buttons.nth(1)).to_be_focused()
    page.keyboard.press("Escape")
    page.keyboard.type("#")
    assert source(page, IN_GREETER) == GREETER.replace("\ndef", "\n#def")


def test_shortcuts_work_on_the_filter_of_the_cell_and_in_command_mode(opened: Notebook) -> None:
    page = opened.page
    caret(page, IN_GREETER, 1, 0)
    page.keyboard.press("Alt+w")
    page.keyboard.press("b")
    expect(state(page, "greeter")).to_have_text("built", timeout=ANSWER_MS)
    assert source(page, IN_GREETER) == GREETER
    page.keyboard.press("Escape")
    page.keyboard.press("Alt+w")
    page.keyboard.press("s")
    expect(bar(page, "greeter").locator(".wh-bar-detail")).to_have_text("200", timeout=ANSWER_MS)


def test_the_palette_has_the_buttons_by_their_names(opened: Notebook) -> None:
    page = opened.page
    caret(page, IN_GREETER, 1, 0)
    page.keyboard.press("Control+Shift+c")
    page.keyboard.type("WebAssembly Hub")
    offered = page.locator(".lm-CommandPalette-itemLabel")
    names = bar(page, "greeter").get_by_role("button").all_text_contents()
    assert len(names) == 7
    for name in names:
        expect(offered.get_by_text(name, exact=True)).to_have_count(1, timeout=ANSWER_MS)
    page.keyboard.type(" send")
    expect(offered).to_have_text(["Send"])
    page.keyboard.press("Enter")
    expect(bar(page, "greeter").locator(".wh-bar-detail")).to_have_text("200", timeout=ANSWER_MS)


def test_a_page_that_is_opened_later_knows_what_the_kernel_has_built(opened: Notebook) -> None:
    page = opened.page
    press(page, "greeter", "Send")
    page.evaluate("() => window.jupyterapp.shell.currentWidget.context.save()")
    page.reload()
    page.wait_for_function(READY, timeout=ANSWER_MS)
    expect(state(page, "greeter")).to_have_text("built", timeout=ANSWER_MS)
    expect(bar(page, "greeter").locator(".wh-bar-detail")).to_have_text("200")
    assert ours(opened) == []


def test_other_cells_have_no_bar(opened: Notebook) -> None:
    page = opened.page
    expect(page.locator(".wh-bar")).to_have_count(2)
    opened.replace(PLAIN, "%%wasm_filter third\nx = 1")
    expect(bar(page, "third")).to_be_visible(timeout=ANSWER_MS)
    opened.replace(PLAIN, "x = 1")
    expect(page.locator(".wh-bar")).to_have_count(2)
