"""What the JupyterLab extension costs a person: a key in a long filter, the panel over many images."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles

from playwright.sync_api import BrowserContext, CDPSession, expect, sync_playwright

from tests.browser.cells import caret
from tests.browser.lab import ANSWER_MS, Lab, Notebook, cell, chromium

LINES, KEYS, WARM = 500, 60, 10
PACE_MS = 400
"""Between two keys: longer than anything that the extension puts off until typing rests."""

IMAGES, OPENINGS = 1000, 5
STORE = f"""\
from wasmhub_magics import build, push
made = build("def on_request_headers(ctx):\\n    pass", name="many")
for number in range({IMAGES}):
    push(made, f"demo/filter-{{number}}:v1")"""

OPEN = """async () => {
  const start = performance.now();
  const drawn = async selector => {
    for (;;) {
      const found = document.querySelectorAll(`#wasmhub-panel ${selector}`);
      if (found.length > 0) return found;
      await new Promise(requestAnimationFrame);
    }
  };
  await window.jupyterapp.commands.execute('wasmhub:panel');
  (await drawn('[role=tab]'))[1].click();
  (await drawn('[data-reference]'))[0].getBoundingClientRect();  // what is drawn counts, not what is planned
  return performance.now() - start;
}"""


@contextmanager
def _browser() -> Iterator[tuple[Lab, BrowserContext]]:
    with tempfile.TemporaryDirectory() as home, Lab(Path(home)) as lab, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        yield lab, browser.new_context()
        browser.close()


def typing() -> dict[str, float]:
    """Milliseconds of the page's thread for a key in 500 lines, with and without the extension."""
    body = "def on_request_headers(ctx):\n" + "    ctx.log('a line of the filter')\n" * (LINES - 2)
    with _browser() as (lab, context):
        name = lab.write("typing.ipynb", [cell("%load_ext wasmhub_magics"), cell(f"%%wasm_filter x\n{body}")])
        pages, sessions = [], []
        for disabled in (False, True):
            config = {
                "@jupyterlab/apputils-extension:announcements": True,
                "wasmhub-magics-lab": disabled,
            }
            place = lab.home / "config" / "labconfig" / "page_config.json"
            place.write_text(json.dumps({"disabledExtensions": config}))
            opened = Notebook(context.new_page(), lab, name)
            expect(opened.page.locator(".wh-bar")).to_have_count(0 if disabled else 1, timeout=ANSWER_MS)
            pages.append(opened)
            sessions.append(context.new_cdp_session(opened.page))
            sessions[-1].send("Performance.enable")
            caret(opened.page, 1, LINES // 2, 4)
        took: tuple[list[float], list[float]] = ([], [])
        for turn in range(KEYS + WARM):
            for side in (0, 1) if turn % 2 else (1, 0):
                pages[side].page.bring_to_front()
                pages[side].page.wait_for_timeout(PACE_MS)
                before = _busy(sessions[side])
                pages[side].page.keyboard.press("x")
                pages[side].page.wait_for_timeout(PACE_MS)
                took[side].append(_busy(sessions[side]) - before)
        for opened in pages:
            opened.close()
    ours, bare = (side[WARM:] for side in took)
    added = [one - other for one, other in zip(ours, bare, strict=True)]
    return {
        "added_median_ms": median(ours) - median(bare),
        "added_p90_ms": quantiles(added, n=10)[8],
        "with_median_ms": median(ours),
        "with_p90_ms": quantiles(ours, n=10)[8],
        "without_median_ms": median(bare),
        "without_p90_ms": quantiles(bare, n=10)[8],
        "keys": len(ours),
    }


def _busy(session: CDPSession) -> float:
    """Milliseconds that the page's thread has worked."""
    metrics = session.send("Performance.getMetrics")["metrics"]
    return float(next(each["value"] for each in metrics if each["name"] == "TaskDuration")) * 1000


def opening() -> dict[str, float]:
    """Milliseconds until the panel shows images, in a page that has not asked for any, 1,000 in the store."""
    took = []
    with _browser() as (lab, context):
        name = lab.write("panel.ipynb", [cell("%load_ext wasmhub_magics"), cell(STORE)])
        for turn in range(OPENINGS):
            opened = Notebook(context.new_page(), lab, name)
            if turn == 0:
                opened.run(0)
                opened.run(1)
            opened.page.wait_for_function(
                "() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.status === 'idle'",
                timeout=ANSWER_MS,
            )
            opened.page.wait_for_timeout(PACE_MS)
            took.append(float(opened.page.evaluate(OPEN)))
            opened.page.close()
    return {"median_ms": median(took), "slowest_ms": max(took), "first_ms": took[0], "images": IMAGES}
