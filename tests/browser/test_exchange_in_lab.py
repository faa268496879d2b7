"""An exchange that a cell returned looks the same in JupyterLab's own style sheet as in the tester."""

from __future__ import annotations

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.browser.conftest import GREETER
from tests.browser.lab import ANSWER_MS, Lab, Notebook, cell

pytestmark = pytest.mark.browser


def test_added_headers_are_green_and_their_mark_shows(context: BrowserContext, lab: Lab) -> None:
    cells = ["%load_ext wasmhub_magics", GREETER, "%wasm_send greeter GET / -H 'x-user: ada'"]
    opened = Notebook(context.new_page(), lab, lab.write("send.ipynb", [cell(each) for each in cells]))
    for number in range(3):
        opened.run(number)
    added = opened.page.locator(".jp-OutputArea-output .wh-add").first
    expect(added).to_be_visible(timeout=ANSWER_MS)
    look = added.evaluate(
        """element => {
          const style = getComputedStyle(element), line = element.getBoundingClientRect();
          const box = element.closest('.wh-box').getBoundingClientRect();
          return [style.backgroundColor, parseFloat(style.paddingLeft) + parseFloat(style.textIndent),
                  line.left > box.left];
        }"""
    )
    opened.close()
    background, indent, inside = look
    assert background.startswith("rgba(46, 160, 67")
    assert indent >= 0
    assert inside


def test_all_bars_of_a_timeline_are_parts_of_one_line_of_time(context: BrowserContext, lab: Lab) -> None:
    cells = ["%load_ext wasmhub_magics", GREETER, "done = %wasm_send greeter\ndone.trace"]
    opened = Notebook(context.new_page(), lab, lab.write("time.ipynb", [cell(each) for each in cells]))
    for number in range(3):
        opened.run(number)
    bars = opened.page.locator(".jp-OutputArea-output .wh-call .wh-bar")
    expect(bars.first).to_be_visible(timeout=ANSWER_MS)
    places = bars.evaluate_all(
        "all => all.map(bar => bar.getBoundingClientRect()).map(box => [box.left, box.width])"
    )
    opened.close()
    assert len(places) > 8
    assert all(place == pytest.approx(places[0], abs=0.5) for place in places)
