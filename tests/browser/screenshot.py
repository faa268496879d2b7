"""Take the picture of the README: the quickstart in JupyterLab, a filter, the tester in use, and the panel.

Run ``python -m tests.browser.screenshot [NOTEBOOK] [PICTURE]`` in the repository's top directory.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import nbformat
from playwright.sync_api import Page, expect, sync_playwright

from tests.browser.lab import ANSWER_MS, Lab, Notebook, cell, chromium

ROOT = Path(__file__).parents[2]
SIZE = {"width": 1600, "height": 1000}


def take_screenshot(
    notebook: Path = ROOT / "notebooks" / "01_quickstart.ipynb",
    picture: Path = ROOT / "docs" / "screenshot.png",
) -> Path:
    """Run a notebook up to its first ``%wasm_test``, send a request with the tester, and save the picture.

    Raises ValueError where the notebook opens no tester; a cell that fails ends it by a time-out.
    """
    cells = [cell(each.source, each.cell_type) for each in nbformat.read(notebook, as_version=4).cells]
    codes = [each["source"] for each in cells if each["cell_type"] == "code"]
    last = next((number for number, source in enumerate(codes) if "%wasm_test" in source), None)
    if last is None:
        raise ValueError(f"{notebook} opens no request tester")
    with tempfile.TemporaryDirectory() as home, Lab(Path(home)) as lab, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        page = browser.new_page(viewport=SIZE, device_scale_factor=1.25)  # type: ignore[arg-type]
        opened = Notebook(page, lab, lab.write(notebook.name, cells))
        page.evaluate("() => window.jupyterapp.commands.execute('wasmhub:panel')")
        for number in range(last + 1):
            opened.run(number)
        _use(page)
        picture.parent.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=picture)
        opened.close()
        browser.close()
    return picture


def _use(page: Page) -> None:
    tester = page.locator(".wht")
    expect(tester).to_be_visible(timeout=ANSWER_MS)
    tester.get_by_label("Header name").first.fill("x-user")
    tester.get_by_label("Header value").first.fill("ada")
    tester.get_by_role("button", name="Send").click()
    expect(tester.locator(".wh-status")).to_be_visible(timeout=ANSWER_MS)
    expect(page.locator("#wasmhub-panel")).to_contain_text("built", timeout=ANSWER_MS)
    page.locator(".wh-bar").first.evaluate("element => element.scrollIntoView({ block: 'start' })")
    page.mouse.move(SIZE["width"] - 5, 5)
    page.wait_for_timeout(500)


if __name__ == "__main__":
    print(take_screenshot(*map(Path, sys.argv[1:])))
