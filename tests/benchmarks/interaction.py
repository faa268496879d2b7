"""How long a person waits for the tester, measured in the browser."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median, quantiles

from playwright.sync_api import Page, expect, sync_playwright

from tests.browser.conftest import GREETER
from tests.browser.lab import ANSWER_MS, Lab, Notebook, cell, chromium
from tests.browser.shared_page import gate, opened, send

WARM, SENDS = 5, 40
PACE_MS = 400
"""Between two clicks or key presses: a person looks at an answer before the next one."""

WATCH = """() => {
  const root = document.querySelector('.wht');
  let start = 0;
  window.took = [];
  const note = event => (start = event.timeStamp);
  for (const kind of ['input', 'click']) root.addEventListener(kind, note, true);
  new MutationObserver(() => {
    root.querySelector('.wht-answer').getBoundingClientRect();  // what is drawn counts, not what is planned
    window.took.push(performance.now() - start);
  }).observe(root, { attributes: true, attributeFilter: ['data-answers'] });
}"""
"""Note the time from an event to its answer, laid out."""


def in_the_page() -> list[float]:
    """Milliseconds from a key press to the answer on the screen, in a page that runs the filter itself."""
    with tempfile.TemporaryDirectory() as home, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        with opened(browser.new_context(), Path(home, "gate.html"), gate()) as page:
            send(page)
            page.get_by_label("Send on each change").check()
            path = page.get_by_label("Path")
            path.focus()
            took = _waited(page, lambda turn: path.press(str(turn % 10)))
        browser.close()
    return took


def through_the_kernel() -> list[float]:
    """Milliseconds from a click to the answer on the screen, where a function of the kernel answers."""
    setup = (
        "%load_ext wasmhub_magics\nfrom wasmhub_magics import Response\n"
        "def answerer(request):\n    return Response(202)"
    )
    with tempfile.TemporaryDirectory() as home, Lab(Path(home)) as lab, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        page = browser.new_page()
        cells = [cell(each) for each in (setup, GREETER, "%wasm_test greeter")]
        opened_notebook = Notebook(page, lab, lab.write("bench.ipynb", cells))
        for number in range(3):
            opened_notebook.run(number)
        tester = page.locator(".wht")
        expect(tester).to_be_visible(timeout=ANSWER_MS)
        tester.locator("summary").filter(has_text="Upstream").first.click()
        tester.get_by_label("Upstream", exact=True).select_option("python")
        tester.get_by_label("Upstream variable").fill("answerer")
        button = tester.get_by_role("button", name="Send", exact=True)
        took = _waited(page, lambda _: button.click())
        opened_notebook.close()
        browser.close()
    return took


def _waited(page: Page, act: Callable[[int], None]) -> list[float]:
    """Do something again and again, each time when the answer is there, and tell how long each one took."""
    page.evaluate(WATCH)
    for turn in range(WARM + SENDS):
        act(turn)
        page.wait_for_function("count => window.took.length > count", arg=turn, polling=50)
        page.wait_for_timeout(PACE_MS)
    took: list[float] = page.evaluate("() => window.took")
    return took[WARM:]


def sides(took: list[float]) -> dict[str, float]:
    """Median and 90th percentile."""
    return {"median_ms": median(took), "p90_ms": quantiles(took, n=10)[8], "sends": len(took)}
