"""Take the pictures of the documentation: the tester at two widths and in two themes.

Run ``python -m tests.browser.pictures [FOLDER]`` in the repository's top directory, then look at them.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tests.browser.lab import chromium
from tests.browser.shared_page import gate, opened, part, send

ROOT = Path(__file__).parents[2]


def take(folder: Path) -> list[Path]:
    """Take all pictures and return their paths."""
    taken = []
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as home, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        context = browser.new_context()
        for width in (400, 1100):
            for theme in ("light", "dark"):
                page_file = Path(home, "gate.html")
                with opened(context, page_file, gate(schema=True), width=width, theme=theme) as page:
                    _use(page)
                    path = folder / f"tester-{width}-{theme}.png"
                    page.locator(".wht").screenshot(path=path)
                    taken.append(path)
        browser.close()
    return taken


def _use(page: Page) -> None:
    page.get_by_label("Path").fill("/items?id=1")
    part(page, "Plugin configuration").get_by_role("textbox", name="Greeting").fill("welcome")
    send(page)
    page.locator(".wht-timeline > summary").click()
    cases = part(page, "Cases")
    cases.get_by_role("button", name="Run all cases").click()
    page.wait_for_selector(".wht-red")
    page.get_by_role("button", name="Measure its cost here").click()
    page.wait_for_function("() => document.querySelector('.wht-cost').textContent.includes('an exchange')")


if __name__ == "__main__":
    for each in take(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "pictures"):
        print(each)
