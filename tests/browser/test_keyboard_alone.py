"""Whoever has a keyboard and no pointer writes, tries, measures and deploys a filter."""

from __future__ import annotations

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.browser.cells import ours
from tests.browser.lab import ANSWER_MS, Lab, Notebook, cell

pytestmark = pytest.mark.browser


def test_a_filter_goes_from_its_first_line_to_an_envoy_by_keys(lab: Lab, context: BrowserContext) -> None:
    opened = Notebook(context.new_page(), lab, lab.write("keys.ipynb", [cell("")]))
    page = opened.page
    chord(page, "f")
    bar = page.get_by_role("toolbar", name="Filter greeter")
    expect(bar).to_contain_text("not built", timeout=ANSWER_MS)
    chord(page, "b")
    expect(bar.get_by_role("status")).to_have_text("built", timeout=ANSWER_MS)
    for key, told in (("s", "200"), ("t", "200"), ("n", "p50"), ("d", "deployed")):
        chord(page, key)
        expect(bar).to_contain_text(told, timeout=ANSWER_MS)
    tester = page.locator(".wht")
    expect(tester).to_be_attached(timeout=ANSWER_MS)
    for _ in range(2):  # past the cell that sends
        page.keyboard.press("ArrowDown")
    tab_to(page, tester.get_by_label("Path"))
    page.keyboard.type("/by-keys")
    page.keyboard.press("Control+Enter")
    expect(tester.locator(".wh-head").last).to_contain_text("GET /by-keys", timeout=ANSWER_MS)
    page.keyboard.press("Escape")

    chord(page, "h")
    panel = page.get_by_role("region", name="WebAssembly Hub")
    expect(panel.get_by_role("tab", name="Filters")).to_be_focused(timeout=ANSWER_MS)
    page.keyboard.press("ArrowLeft")
    row = panel.get_by_role("listitem", name="greeter", exact=True)
    expect(row).to_contain_text("serving", timeout=ANSWER_MS)
    tab_to(page, row.get_by_role("button", name="Undeploy"))
    page.keyboard.press("Enter")
    expect(panel).to_contain_text("Nothing is deployed", timeout=ANSWER_MS)
    expect(panel.get_by_role("tab", name="Deployments")).to_be_focused(timeout=ANSWER_MS)
    assert ours(opened) == []
    opened.close()


def test_undeploying_hands_the_focus_to_the_next_deployment(lab: Lab, context: BrowserContext) -> None:
    names = ("first", "second")
    filters = [f"%%wasm_filter {name}\ndef on_log(ctx):\n    pass" for name in names]
    cells = ["%load_ext wasmhub_magics", *filters, *(f"%wasm_deploy {name} --to envoy" for name in names)]
    opened = Notebook(context.new_page(), lab, lab.write("next.ipynb", [cell(each) for each in cells]))
    page = opened.page
    for index in range(len(cells)):
        opened.run(index)
    chord(page, "h")
    panel = page.get_by_role("region", name="WebAssembly Hub")
    expect(panel.get_by_role("tab", name="Filters")).to_be_focused(timeout=ANSWER_MS)
    page.keyboard.press("ArrowLeft")
    rows = [panel.get_by_role("listitem", name=name, exact=True) for name in names]
    for row in rows:
        expect(row).to_contain_text("serving", timeout=ANSWER_MS)
    tab_to(page, rows[0].get_by_role("button", name="Undeploy"))
    page.keyboard.press("Enter")
    expect(rows[0]).to_have_count(0, timeout=ANSWER_MS)
    expect(rows[1].get_by_role("button", name="Show log")).to_be_focused(timeout=ANSWER_MS)
    for _ in range(2):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(panel).to_contain_text("Nothing is deployed", timeout=ANSWER_MS)
    expect(panel.get_by_role("tab", name="Deployments")).to_be_focused(timeout=ANSWER_MS)
    assert ours(opened) == []
    opened.close()


def chord(page: Page, key: str) -> None:
    """Press one of the extension's shortcuts."""
    page.keyboard.press("Alt+w")
    page.keyboard.press(key)


def tab_to(page: Page, wanted: Locator) -> None:
    """Press Tab until this has the focus."""
    for _ in range(12):
        page.keyboard.press("Tab")
        if wanted.evaluate("element => element === document.activeElement"):
            return
    pytest.fail(f"Tab does not reach {wanted}")
