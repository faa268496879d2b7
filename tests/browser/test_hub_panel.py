"""The panel shows filters, images and deployments, and teaches where there are none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.browser.cells import ours, source
from tests.browser.lab import ANSWER_MS, Lab, Notebook, cell

AXE = Path(__file__).parents[2] / "labextension" / "node_modules" / "axe-core" / "axe.min.js"
pytestmark = pytest.mark.browser

LOAD = "%load_ext wasmhub_magics"
GREETER = "%%wasm_filter greeter\ndef on_request_headers(ctx):\n    ctx.log('asked')"
PUBLISH = "%wasm_push greeter demo/greeter:v1 --description 'logs what is asked' --readme @readme"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with Lab(tmp_path_factory.mktemp("lab")) as started:
        yield started


@pytest.fixture(scope="module")
def started(lab: Lab, context: BrowserContext) -> Iterator[Notebook]:
    """A notebook with the panel beside it."""
    shown = Notebook(context.new_page(), lab, lab.write("panel.ipynb", [cell("")]))
    shown.page.keyboard.press("Alt+w")
    shown.page.keyboard.press("h")
    yield shown
    shown.close()


@pytest.fixture
def page(started: Notebook) -> Page:
    return started.page


@pytest.fixture
def panel(started: Notebook) -> Locator:
    """The panel, its first part chosen."""
    found = started.page.get_by_role("region", name="WebAssembly Hub")
    found.get_by_role("tab", name="Filters").click()
    return found


def run(notebook: Notebook, *cells: str) -> None:
    """Run these cells in a new kernel."""
    notebook.restart()
    notebook.fill(*cells)
    for index in range(len(cells)):
        notebook.run(index)


def test_an_empty_notebook_is_taught_to_write_a_filter(started: Notebook, panel: Locator, page: Page) -> None:
    started.fill("")
    panel.get_by_role("button", name="Write a first filter").click()
    expect(page.get_by_role("toolbar", name="Filter greeter")).to_be_visible(timeout=ANSWER_MS)
    assert source(page, 0) == "%load_ext wasmhub_magics"
    assert source(page, 1).startswith("%%wasm_filter greeter\n")
    expect(panel.get_by_role("listitem").filter(has_text="greeter")).to_contain_text("not built")
    page.get_by_role("toolbar", name="Filter greeter").get_by_role("button", name="Send").click()
    row = panel.get_by_role("listitem").filter(has_text="greeter")
    expect(row).to_contain_text("last answer", timeout=ANSWER_MS)
    expect(row).to_contain_text("200")
    assert ours(started) == []


def test_a_kernel_without_the_magics_is_told_how_to_get_them(
    started: Notebook, panel: Locator, page: Page
) -> None:
    started.restart()
    started.fill("x = 1")
    panel.get_by_role("tab", name="Images").click()
    expect(panel).to_contain_text("The magics are not loaded")
    panel.get_by_role("button", name="Load them").click()
    expect(panel.get_by_role("heading", name="Examples to start from")).to_be_visible(timeout=ANSWER_MS)
    panel.get_by_role("tab", name="Deployments").click()
    expect(panel).to_contain_text("Nothing is deployed", timeout=ANSWER_MS)
    assert ours(started) == []


def test_a_notebook_without_a_kernel_is_offered_one(started: Notebook, panel: Locator, page: Page) -> None:
    page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")
    panel.get_by_role("tab", name="Deployments").click()
    expect(panel).to_contain_text("This notebook has no kernel", timeout=ANSWER_MS)
    page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.startKernel()")
    expect(panel).to_contain_text("The magics are not loaded", timeout=ANSWER_MS)


def test_images_are_searched_read_and_used_in_a_cell(started: Notebook, panel: Locator, page: Page) -> None:
    readme = "readme = '# The greeter\\n\\nIt *logs*. <script>window.hurt = true</script>'"
    schema = "schema = {'type': 'object', 'title': 'Words to log'}"
    run(started, LOAD, GREETER, f"{readme}\n{schema}", f"{PUBLISH} --schema @schema")
    panel.get_by_role("tab", name="Images").click()
    panel.get_by_role("button", name="demo/greeter:v1").wait_for(timeout=ANSWER_MS)
    panel.get_by_role("searchbox", name="Search images").fill("no such words")
    expect(panel).to_contain_text("No image has all of these words", timeout=ANSWER_MS)
    panel.get_by_role("searchbox", name="Search images").fill("asked")
    panel.get_by_role("button", name="demo/greeter:v1").click()
    image = panel.get_by_role("article", name="demo/greeter:v1")
    expect(image.get_by_role("heading", name="The greeter")).to_be_visible(timeout=ANSWER_MS)
    expect(image).to_contain_text("logs what is asked")
    for told in ("Istio", "unsigned", "Words to log", "ctx.log('asked')"):
        expect(image).to_contain_text(told)
    assert page.evaluate("() => window.hurt") is None
    before = page.locator(".jp-Notebook .jp-CodeCell").count()
    image.get_by_role("button", name="Use in a cell").click()
    expect(page.locator(".jp-Notebook .jp-CodeCell")).to_have_count(before + 1, timeout=ANSWER_MS)
    image.get_by_role("button", name="Try").click()
    tester = page.locator(".jp-Notebook .jp-CodeCell .wht")
    tester.get_by_role("button", name="Send").click(timeout=ANSWER_MS)
    expect(tester).to_contain_text("asked", timeout=ANSWER_MS)
    panel.get_by_role("button", name="Back to the list").click()
    expect(panel.get_by_role("searchbox", name="Search images")).to_have_value("asked")
    assert ours(started) == []


def test_deployments_are_watched_and_ended(started: Notebook, panel: Locator, page: Page) -> None:
    deploy = "served = %wasm_deploy greeter --to envoy\nfrom urllib.request import urlopen"
    run(started, LOAD, GREETER, deploy)
    started.fill("urlopen(served.url)")
    panel.get_by_role("tab", name="Deployments").click()
    row = panel.get_by_role("listitem", name="greeter")
    expect(row).to_contain_text("serving", timeout=ANSWER_MS)
    row.get_by_role("button", name="Show log").click()
    expect(row.get_by_role("log")).to_contain_text("It has logged nothing yet", timeout=ANSWER_MS)
    started.run(0)
    expect(row.get_by_role("log")).to_contain_text("asked", timeout=ANSWER_MS)
    row.get_by_role("button", name="Undeploy").click()
    expect(panel).to_contain_text("Nothing is deployed", timeout=ANSWER_MS)
    assert ours(started) == []


def test_a_busy_kernel_keeps_what_was_told_last(lab: Lab, started: Notebook, panel: Locator) -> None:
    wait = "import pathlib, time\nwhile not pathlib.Path('go').exists(): time.sleep(0.05)"
    run(started, LOAD, GREETER)
    started.fill(LOAD, GREETER, wait)
    panel.get_by_role("tab", name="Deployments").click()
    expect(panel).to_contain_text("Nothing is deployed", timeout=ANSWER_MS)
    started.start(2)
    expect(panel.get_by_role("note")).to_contain_text("The kernel is busy", timeout=ANSWER_MS)
    expect(panel).to_contain_text("Nothing is deployed")
    panel.get_by_role("tab", name="Filters").click()
    expect(panel.get_by_role("listitem").filter(has_text="greeter")).to_contain_text("built")
    panel.get_by_role("tab", name="Images").click()
    expect(panel).to_contain_text("it answers when the cell is done")
    (lab.root / "go").touch()
    expect(panel).not_to_contain_text("it answers when the cell is done", timeout=ANSWER_MS)
    expect(panel.get_by_role("listitem").first).to_be_visible(timeout=ANSWER_MS)


def test_nobody_is_shut_out(started: Notebook, panel: Locator, page: Page) -> None:
    run(started, LOAD, GREETER, PUBLISH.replace("--readme @readme", ""))
    page.add_script_tag(path=AXE)
    for tab in ("Filters", "Images", "Deployments"):
        panel.get_by_role("tab", name=tab).click()
        expect(panel.get_by_role("tab", name=tab)).to_have_attribute("aria-selected", "true")
        found = page.evaluate(
            """async () => {
              const { violations } = await axe.run({ include: [['.wh-panel'], ['.wh-bar']] });
              return violations.map(each => [each.id, each.nodes.map(node => node.html)]);
            }"""
        )
        assert found == [], tab
