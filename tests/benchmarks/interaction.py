"""How long a person waits for the tester, measured in the browser."""

from __future__ import annotations

import tempfile
from pathlib import Path
from statistics import median, quantiles

from playwright.sync_api import Locator, Page, expect, sync_playwright

from tests.browser.conftest import GREETER
from tests.browser.lab import ANSWER_MS, Lab, Notebook, cell, chromium
from tests.browser.shared_page import gate, opened, send

SENDS = 40
FRAMES = """async count => {
  const root = document.querySelector('.wht'), took = [];
  const path = root.querySelector("input[aria-label='Path']");
  const box = root.querySelector("input[aria-label='Send on each change']");
  if (!box.checked) box.click();
  for (let turn = 0; turn < count; turn++) {
    const before = root.dataset.answers, start = performance.now();
    path.value = `/items?turn=${turn}`;
    path.dispatchEvent(new Event('input', { bubbles: true }));
    while (root.dataset.answers === before) await new Promise((done) => setTimeout(done));
    took.push(performance.now() - start);
  }
  return took;
}"""


def in_the_page() -> list[float]:
    """Milliseconds from a key press to the answer on the screen, in a page that runs the filter itself."""
    with tempfile.TemporaryDirectory() as home, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        with opened(browser.new_context(), Path(home, "gate.html"), gate()) as page:
            send(page)
            page.evaluate(FRAMES, 10)
            took: list[float] = page.evaluate(FRAMES, SENDS)
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
        took = [_click(page, tester) for _ in range(5 + SENDS)][5:]
        opened_notebook.close()
        browser.close()
    return took


def _click(page: Page, tester: Locator) -> float:
    before = tester.get_attribute("data-answers") or "0"
    tester.get_by_role("button", name="Send", exact=True).click()
    page.wait_for_function("b => (document.querySelector('.wht').dataset.answers ?? '0') !== b", arg=before)
    return float(tester.get_attribute("data-took") or "nan")


def sides(took: list[float]) -> dict[str, float]:
    """Median and 90th percentile."""
    return {"median_ms": median(took), "p90_ms": quantiles(took, n=10)[8], "sends": len(took)}
