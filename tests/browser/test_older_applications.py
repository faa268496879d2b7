"""What the extension does, it does in JupyterLab 4.2 and Notebook 7.2, too, and beside language servers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.cells import caret, coloured, editor, ours, source, wait_for_language
from tests.browser.lab import ANSWER_MS, Lab, Notebook, cell
from tests.browser.tester import unfold

pytestmark = pytest.mark.browser

PYTHON = Path(__file__).parents[2] / ".make" / "jupyterlab-4.2" / "bin" / "python"
LOAD = "%load_ext wasmhub_magics"
GREETER = "%%wasm_filter greeter\ndef on_request_headers(ctx):\n    ctx.res"
BODIES = {
    "python": "def f(ctx):\n    return 'text'  # note",
    "zig": 'fn f() []const u8 { return "text"; } // note',
    "rust": 'fn f() -> &str { return "text"; } // note',
    "go": 'func f() string { return "text" } // note',
}
C = '%%wasm_filter c --lang c\nint f(void) {\n    const char *s = "text"; calm(); call();\n    other();\n}'
UNUSED = "import os"
IN_GREETER, IN_C, IN_RUST, PLAIN = 1, 2, 5, 7


@pytest.fixture(scope="module")
def older_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A server of JupyterLab 4.2 and Notebook 7.2 with Python's language server."""
    if not PYTHON.exists():
        pytest.fail("JupyterLab 4.2 is not installed: make .make/jupyterlab-4.2/installed", pytrace=False)
    with Lab(tmp_path_factory.mktemp("older"), str(PYTHON)) as started:
        yield started


@pytest.fixture(
    scope="module",
    params=[pytest.param("lab/tree", id="JupyterLab 4.2"), pytest.param("notebooks", id="Notebook 7.2")],
)
def opened(context: BrowserContext, older_lab: Lab, request: pytest.FixtureRequest) -> Iterator[Notebook]:
    """A notebook with filters, one of them in use, and a cell that is none."""
    bodies = [f"%%wasm_filter x --lang {name}\n{body}" for name, body in BODIES.items()]
    cells = [LOAD, GREETER, C, *bodies, UNUSED, "%wasm_test greeter"]
    name = older_lab.write("older.ipynb", [cell(each) for each in cells])
    page = context.new_page()
    page.set_viewport_size({"width": 1200, "height": 4500})  # cells out of sight are not on the page at all
    shown = Notebook(page, older_lab, name, request.param)
    shown.run(0)
    yield shown
    shown.close()


@pytest.fixture
def page(opened: Notebook) -> Page:
    return opened.page


def test_each_language_has_its_colours(page: Page, opened: Notebook) -> None:
    for index, (name, body) in enumerate(BODIES.items(), 3):
        coloured(page, index, name, body)
    assert ours(opened) == []


def test_comments_are_toggled_in_the_language_of_the_body(page: Page) -> None:
    caret(page, IN_RUST, 1, 0)
    before = source(page, IN_RUST)
    page.keyboard.press("Control+/")
    assert source(page, IN_RUST) == before.replace("\n", "\n// ")
    page.keyboard.press("Control+/")
    assert source(page, IN_RUST) == before


def test_names_are_completed_and_explained(page: Page, opened: Notebook) -> None:
    caret(page, IN_GREETER, 2, 11)
    page.keyboard.press("Tab")
    offered = page.locator(".jp-Completer-item").filter(has_text="respond")
    expect(offered).to_be_visible(timeout=ANSWER_MS)
    offered.click()
    assert source(page, IN_GREETER).endswith("ctx.respond")
    editor(page, IN_GREETER).locator(".cm-line").nth(2).hover(position={"x": 80, "y": 8})
    expect(page.locator(".wh-help")).to_contain_text("Answer", timeout=ANSWER_MS)
    page.mouse.move(5, 5)
    opened.replace(IN_GREETER, GREETER.replace("ctx.res", "ctx.request.headers['x-a'] = 'b'"))


def test_errors_are_underlined_where_they_are(page: Page, opened: Notebook) -> None:
    opened.run(IN_C)
    errors = page.locator(".jp-Notebook .jp-CodeCell").nth(IN_C).locator(".wh-mark-error")
    expect(errors).to_have_text(["calm", "call", "other"], timeout=ANSWER_MS)
    assert ours(opened) == []


def test_language_servers_go_on_with_cells_that_are_no_filters(page: Page) -> None:
    wait_for_language(page, PLAIN, "python")
    plain = page.locator(".jp-Notebook .jp-CodeCell").nth(PLAIN)
    plain.scroll_into_view_if_needed()
    expect(plain.locator(".cm-lintRange-warning").first).to_have_text("import os", timeout=ANSWER_MS)
    rust = page.locator(".jp-Notebook .jp-CodeCell").nth(IN_RUST)
    expect(rust.locator("[class*=cm-lintRange]")).to_have_count(0)  # as Python, it is nothing but errors


def test_the_bar_and_the_tester_send_requests(page: Page, opened: Notebook) -> None:
    bar = page.get_by_role("toolbar", name="Filter greeter")
    bar.get_by_role("button", name="Send").click()
    expect(bar.get_by_role("status")).to_have_text("built", timeout=ANSWER_MS)
    expect(bar.locator(".wh-bar-detail")).to_have_text("200", timeout=ANSWER_MS)
    tester = opened.run(PLAIN + 2).locator(".wht")
    tester.get_by_role("button", name="Send", exact=True).click(timeout=ANSWER_MS)
    expect(tester.locator(".wh-status")).to_contain_text("200", timeout=ANSWER_MS)
    assert ours(opened) == []


def test_a_request_is_edited_and_its_case_kept_as_a_cell(page: Page, opened: Notebook) -> None:
    tester = opened.run(PLAIN + 2).locator(".wht")
    tester.get_by_label("Path").fill("/edited")
    tester.get_by_label("Header name").first.fill("x-user")
    tester.get_by_label("Header value").first.fill("ada")
    tester.get_by_label("Header value").first.press("Enter")
    expect(tester.locator(".wh-head").last).to_contain_text("GET /edited", timeout=ANSWER_MS)
    expect(tester.locator(".wh-add").filter(has_text="x-a: b")).to_be_visible()
    unfold(tester, "Cases")
    tester.get_by_role("button", name="Add the request above as a case").click()
    expect(tester.locator(".wht-summary")).to_contain_text("all pass", timeout=ANSWER_MS)
    tester.get_by_role("button", name="Keep as a cell").click()
    expect(tester.get_by_text("kept in the cell below")).to_be_visible(timeout=ANSWER_MS)
    assert source(page, PLAIN + 3).startswith("%%wasm_cases greeter\ncases:\n- name: GET /edited\n")
    expect(opened.run(PLAIN + 3)).to_contain_text("all pass")
    assert ours(opened) == []


def test_the_panel_opens_by_its_shortcut(page: Page, opened: Notebook) -> None:
    caret(page, IN_GREETER, 0, 0)
    page.keyboard.press("Alt+w")
    page.keyboard.press("h")
    panel = page.get_by_role("region", name="WebAssembly Hub")
    row = panel.get_by_role("listitem").filter(has_text="greeter")
    expect(row).to_contain_text("built", timeout=ANSWER_MS)
    assert ours(opened) == []
