"""What the JupyterLab extension costs a person: a key in a long filter, the panel, the size of it."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from playwright.sync_api import BrowserContext, CDPSession, Response, expect, sync_playwright

from tests.browser.cells import caret
from tests.browser.lab import ANSWER_MS, Lab, Notebook, cell, chromium

LINES, KEYS, ROUNDS, WARM = 500, 10, 8, 1
PACE_MS, REST_MS = 100, 500
"""Between two keys, and after the last: longer than what waits for typing to rest."""

IMAGES, OPENINGS = 1000, 9
STORE = f"""\
import os
os.fsync = lambda _: None  # to fill the store is not what is measured, and the disk makes it a minute
from wasmhub_magics import build
made = build("def on_request_headers(ctx):\\n    pass", name="many")
for number in range({IMAGES}):
    made.push(f"demo/filter-{{number}}:v1")"""

OPEN = """async limit => {
  const start = performance.now();
  const drawn = async selector => {
    while (performance.now() - start < limit) {
      const found = document.querySelectorAll(`#wasmhub-panel ${selector}`);
      if (found.length > 0) return found;
      await new Promise(requestAnimationFrame);
    }
    throw new Error(`the panel shows no ${selector} after ${limit} ms`);
  };
  await window.jupyterapp.commands.execute('wasmhub:panel');
  const tabs = await drawn('[role=tab]');
  tabs[1].getBoundingClientRect();  // what is drawn counts, not what is planned
  const shown = performance.now();
  tabs[1].click();
  (await drawn('[data-reference]'))[0].getBoundingClientRect();
  return [shown - start, performance.now() - start];
}"""


@contextmanager
def _browser() -> Iterator[tuple[Lab, BrowserContext]]:
    with tempfile.TemporaryDirectory() as home, Lab(Path(home)) as lab, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        yield lab, browser.new_context()
        browser.close()


def typing() -> dict[str, float]:
    """Milliseconds that the page's thread works for a key in 500 lines, with and without the extension."""
    body = "def on_request_headers(ctx):\n" + "    ctx.log('a line of the filter')\n" * (LINES - 2)
    with _browser() as (lab, context):
        name = lab.write("typing.ipynb", [cell("%load_ext wasmhub_magics"), cell(f"%%wasm_filter x\n{body}")])
        place = lab.home / "config" / "labconfig" / "page_config.json"
        config = json.loads(place.read_text())
        pages, sessions = [], []
        for disabled in (False, True):
            config["disabledExtensions"]["wasmhub-magics-lab"] = disabled
            place.write_text(json.dumps(config))
            opened = Notebook(context.new_page(), lab, name)
            expect(opened.page.locator(".wh-bar")).to_have_count(0 if disabled else 1, timeout=ANSWER_MS)
            pages.append(opened)
            sessions.append(context.new_cdp_session(opened.page))
            sessions[-1].send("Performance.enable")
            caret(opened.page, 1, LINES // 2, 4)
        took: tuple[list[float], list[float]] = ([], [])
        for turn in range(WARM + ROUNDS):
            for side in (0, 1) if turn % 2 else (1, 0):
                page = pages[side].page
                page.bring_to_front()
                page.wait_for_timeout(REST_MS)
                before = _busy(sessions[side])
                for _ in range(KEYS):
                    page.keyboard.press("x")
                    page.wait_for_timeout(PACE_MS)
                page.wait_for_timeout(REST_MS)
                took[side].append((_busy(sessions[side]) - before) / KEYS)
        for opened in pages:
            opened.close()
    ours, bare = (side[WARM:] for side in took)
    return {
        "added_ms": median(ours) - median(bare),
        "with_ms": median(ours),
        "without_ms": median(bare),
        "slowest_with_ms": max(ours),
        "slowest_without_ms": max(bare),
        "keys": KEYS * ROUNDS,
    }


def _busy(session: CDPSession) -> float:
    """Milliseconds that the page's thread has worked."""
    metrics = session.send("Performance.getMetrics")["metrics"]
    return float(next(each["value"] for each in metrics if each["name"] == "TaskDuration")) * 1000


def opening() -> dict[str, float]:
    """Milliseconds until the panel is there, and until it shows images, with 1,000 of them in the store.

    Each opening is in a page that has not asked for any.
    """
    took: list[list[float]] = []
    with _browser() as (lab, context):
        subprocess.run([sys.executable, "-c", STORE], env=lab.environment, check=True)
        name = lab.write("panel.ipynb", [cell("%load_ext wasmhub_magics")])
        for turn in range(OPENINGS):
            opened = Notebook(context.new_page(), lab, name)
            if turn == 0:
                opened.run(0)
            opened.page.wait_for_function(
                "() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.status === 'idle'",
                timeout=ANSWER_MS,
            )
            opened.page.wait_for_timeout(REST_MS)
            took.append(opened.page.evaluate(OPEN, ANSWER_MS))
            opened.page.close()
    panel, images = zip(*took, strict=True)
    return {
        "panel_ms": median(panel),
        "images_ms": median(images),
        "first_images_ms": images[0],
        "slowest_images_ms": max(images),
        "images": IMAGES,
    }


def size() -> dict[str, float]:
    """Bytes that a page loads because of the extension: with the panel open, and once names are explained."""
    python, most = (
        _sizes(each) for each in ("%%wasm_filter x\nctx.resp", "%%wasm_filter x --lang cpp\ngetResp")
    )
    return {**python, "with_most_bytes": most["with_help_bytes"]}


def _sizes(source: str) -> dict[str, float]:
    answers: list[Response] = []

    def note(answer: Response) -> None:  # Playwright cannot call what is built in
        answers.append(answer)

    with _browser() as (lab, context):
        name = lab.write("size.ipynb", [cell(source)])
        page = context.new_page()
        page.on("response", note)
        opened = Notebook(page, lab, name)
        expect(page.locator(".wh-bar")).to_be_visible(timeout=ANSWER_MS)
        page.keyboard.press("Alt+w")
        page.keyboard.press("h")
        expect(page.locator("#wasmhub-panel [role=tab]").first).to_be_focused(timeout=ANSWER_MS)
        start = _ours(answers)
        caret(page, 0, 1, len(source.split("\n")[1]))
        page.keyboard.press("Tab")
        expect(page.locator(".jp-Completer-item").first).to_be_visible(timeout=ANSWER_MS)
        whole = _ours(answers)
        opened.close()
    return {
        "start_bytes": sum(map(len, start)),
        "start_compressed_bytes": sum(len(gzip.compress(each)) for each in start),
        "with_help_bytes": sum(map(len, whole)),
    }


def _ours(answers: list[Response]) -> list[bytes]:
    """What the extension's files hold."""
    files = {each.url: each for each in answers if "/extensions/wasmhub-magics-lab/" in each.url}
    return [each.body() for each in files.values()]
