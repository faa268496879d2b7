"""The panel shows filters, images and deployments, and teaches where there are none."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from statistics import median

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.browser.axe import violations
from tests.browser.cells import ours, source
from tests.browser.lab import ANSWER_MS, Lab, Notebook, cell
from tests.browser.older import TOLD, older_package

pytestmark = pytest.mark.browser

LOAD = "%load_ext wasmhub_magics"
GREETER = "%%wasm_filter greeter\ndef on_request_headers(ctx):\n    ctx.log('asked')"
PUBLISH = "%wasm_push greeter demo/greeter:v1 --description 'logs what is asked' --readme @readme"

ASKED = """() => {
  window.asked = [];
  const { kernel } = window.jupyterapp.shell.currentWidget.sessionContext.session;
  kernel.anyMessage.connect((_, { direction, msg }) => {
    if (direction === 'send' && msg.content.data?.ask === 'deployments') asked.push(performance.now());
  });
}"""
"""Note when the kernel is asked for deployments."""


@pytest.fixture(scope="module")
def started(lab: Lab, context: BrowserContext) -> Iterator[Notebook]:
    """A notebook with the panel beside it."""
    shown = Notebook(context.new_page(), lab, lab.write("panel.ipynb", [cell("")]))
    open_panel(shown.page)
    yield shown
    shown.close()


@pytest.fixture
def page(started: Notebook) -> Page:
    return started.page


@pytest.fixture
def panel(started: Notebook) -> Locator:
    """The panel, its first part chosen."""
    found = region(started.page)
    found.get_by_role("tab", name="Filters").click()
    return found


def region(page: Page) -> Locator:
    """The panel in a page."""
    return page.get_by_role("region", name="WebAssembly Hub")


def open_panel(page: Page) -> None:
    """Open the panel by its shortcut."""
    page.keyboard.press("Alt+w")
    page.keyboard.press("h")
    expect(region(page).get_by_role("tab", name="Filters")).to_be_focused(timeout=ANSWER_MS)


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
    panel.get_by_role("searchbox", name="Search images").fill("")
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
    pulled = page.locator(".jp-Notebook .jp-CodeCell").filter(has_text="%wasm_pull")
    expect(pulled).to_contain_text("--as greeter_2")  # the notebook's own greeter stays as it is
    image.get_by_role("button", name="Try").click()
    tester = page.locator(".jp-Notebook .jp-CodeCell .wht")
    expect(tester).to_be_in_viewport(timeout=ANSWER_MS)
    tester.get_by_role("button", name="Send").click(timeout=ANSWER_MS)
    expect(tester).to_contain_text("asked", timeout=ANSWER_MS)
    panel.get_by_role("button", name="Back to the list").click()
    expect(panel.get_by_role("searchbox", name="Search images")).to_have_value("asked")
    assert ours(started) == []


def test_an_example_becomes_a_cell_that_builds(started: Notebook, panel: Locator, page: Page) -> None:
    run(started, LOAD)
    panel.get_by_role("tab", name="Images").click()
    panel.get_by_role("searchbox", name="Search images").fill("cookie")
    panel.get_by_role("button", name="Python", exact=True).first.click()
    expect(page.locator(".jp-Notebook .jp-CodeCell")).to_have_count(2, timeout=ANSWER_MS)
    assert source(page, 1).startswith("%%wasm_filter ")
    expect(page.locator(".jp-Notebook .jp-CodeCell").nth(1).locator(".cm-content")).to_be_focused()
    started.run(1)
    panel.get_by_role("tab", name="Filters").click()
    expect(panel.get_by_role("listitem")).to_contain_text("built", timeout=ANSWER_MS)
    assert ours(started) == []


def test_deployments_are_watched_rolled_back_and_ended(started: Notebook, panel: Locator, page: Page) -> None:
    deploy = "served = %wasm_deploy greeter --to envoy\nfrom urllib.request import urlopen"
    ask = "urlopen(served.url)"
    run(started, LOAD, GREETER, deploy)
    started.fill(ask, GREETER.replace("asked", "asked again"), "%wasm_deploy greeter --to envoy")
    panel.get_by_role("tab", name="Deployments").click()
    row = panel.get_by_role("listitem", name="greeter", exact=True)
    expect(row).to_contain_text("serving", timeout=ANSWER_MS)
    row.get_by_role("button", name="Show log").click()
    log = row.get_by_role("log")
    expect(log).to_contain_text("It has logged nothing yet", timeout=ANSWER_MS)
    started.run(0)
    expect(log).to_have_text("[info] asked", timeout=ANSWER_MS)
    row.get_by_role("button", name="Versions").click()
    expect(row.get_by_role("listitem", name="Version 1")).to_contain_text("at work", timeout=ANSWER_MS)
    started.run(1)
    started.run(2)
    expect(row.get_by_role("listitem", name="Version 2")).to_contain_text("at work", timeout=ANSWER_MS)
    started.run(0)
    expect(log).to_have_text("[info] asked again", timeout=ANSWER_MS)
    assert violations(page, ".wh-panel") == []
    row.get_by_role("listitem", name="Version 1").get_by_role("button", name="Roll back").click()
    newest = row.get_by_role("listitem", name="Version 3")
    expect(newest).to_contain_text("at work", timeout=ANSWER_MS)
    expect(newest).to_contain_text("rollback to version 1")
    started.run(0)
    expect(log).to_have_text("[info] asked", timeout=ANSWER_MS)
    row.get_by_role("button", name="Undeploy").click()
    expect(panel).to_contain_text("Nothing is deployed", timeout=ANSWER_MS)
    assert ours(started) == []


def test_the_setting_says_how_often_deployments_are_asked_for(
    started: Notebook, panel: Locator, page: Page
) -> None:
    run(started, LOAD)
    page.evaluate(ASKED)
    panel.get_by_role("tab", name="Deployments").click()
    page.wait_for_function("() => window.asked.length > 4", timeout=ANSWER_MS)
    often = gap(page)
    page.evaluate(
        "() => window.jupyterapp.commands.execute('settingeditor:open', {query: 'WebAssembly Hub'})"
    )
    try:
        seconds = page.get_by_role("group", name="WebAssembly Hub panel").get_by_role("spinbutton")
        expect(seconds).to_have_value("0.5", timeout=ANSWER_MS)
        seconds.fill("1.5")
        page.get_by_role("tab", name="panel.ipynb").click()
        page.evaluate("() => window.asked.splice(0)")
        page.wait_for_function("() => window.asked.length > 4", timeout=ANSWER_MS)
        assert 2 < gap(page) / often < 8
        page.get_by_role("tab", name="Settings").click()
        seconds.fill("0.5")
    finally:
        page.get_by_role("tab", name="panel.ipynb").click()


def gap(page: Page) -> float:
    """The median of the times between two questions; it begins to count anew."""
    moments: list[float] = page.evaluate("() => window.asked.splice(0)")
    return median(later - earlier for earlier, later in pairwise(moments))


def test_a_busy_kernel_keeps_what_was_told_last(lab: Lab, context: BrowserContext) -> None:
    wait = "import pathlib, time\nwhile not pathlib.Path('go').exists(): time.sleep(0.05)"
    (lab.root / "go").unlink(missing_ok=True)
    cells = [cell(each) for each in (LOAD, GREETER, wait)]
    busy = Notebook(context.new_page(), lab, lab.write("busy.ipynb", cells))
    open_panel(busy.page)
    busy.run(0)
    busy.run(1)
    panel = region(busy.page)
    panel.get_by_role("tab", name="Deployments").click()
    expect(panel).to_contain_text("Nothing is deployed", timeout=ANSWER_MS)
    busy.start(2)
    expect(panel.get_by_role("note")).to_contain_text("The kernel is busy", timeout=ANSWER_MS)
    expect(panel).to_contain_text("Nothing is deployed")
    panel.get_by_role("tab", name="Filters").click()
    expect(panel.get_by_role("listitem").filter(has_text="greeter")).to_contain_text("built")
    panel.get_by_role("tab", name="Images").click()
    expect(panel).to_contain_text("it answers when the cell is done")
    (lab.root / "go").touch()
    expect(panel).not_to_contain_text("it answers when the cell is done", timeout=ANSWER_MS)
    expect(panel.get_by_role("heading", name="Examples to start from")).to_be_visible(timeout=ANSWER_MS)
    assert ours(busy) == []
    busy.close()


def test_a_kernel_of_another_version_is_named(
    lab: Lab, started: Notebook, panel: Locator, page: Page
) -> None:
    find = older_package(lab.root)
    started.restart()
    started.fill(f"{find}\n{LOAD}", GREETER)
    started.run(0)
    expect(panel.get_by_role("note")).to_contain_text(TOLD, timeout=ANSWER_MS)
    expect(page.get_by_role("toolbar", name="Filter greeter")).to_contain_text(TOLD)
    notice = page.get_by_role("alert").filter(has_text=TOLD)
    expect(notice).to_be_visible(timeout=ANSWER_MS)
    page.get_by_title("Hide notification").first.click()
    assert ours(started) == []


def test_the_keyboard_alone_reaches_every_part(started: Notebook, panel: Locator, page: Page) -> None:
    run(started, LOAD, GREETER, PUBLISH.replace("--readme @readme", ""))
    page.evaluate("() => window.jupyterapp.commands.execute('application:toggle-left-area')")
    open_panel(page)
    page.keyboard.press("ArrowRight")
    expect(panel.get_by_role("tab", name="Images")).to_be_focused()
    page.keyboard.press("Tab")
    expect(panel.get_by_role("searchbox", name="Search images")).to_be_focused()
    page.keyboard.press("Control+a")
    page.keyboard.type("logs what is asked")
    image = panel.get_by_role("button", name="demo/greeter:v1")
    expect(image).to_be_visible(timeout=ANSWER_MS)
    expect(panel.get_by_role("listitem")).to_have_count(1, timeout=ANSWER_MS)
    page.keyboard.press("Tab")
    expect(image).to_be_focused()
    page.keyboard.press("Enter")
    back = panel.get_by_role("button", name="Back to the list")
    expect(back).to_be_focused(timeout=ANSWER_MS)
    page.keyboard.press("Enter")
    expect(image).to_be_focused(timeout=ANSWER_MS)
    for _ in range(2):
        page.keyboard.press("Shift+Tab")
    expect(panel.get_by_role("tab", name="Images")).to_be_focused()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Tab")
    expect(panel.get_by_role("button", name="greeter", exact=True)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".jp-Notebook")).to_contain_class("jp-mod-commandMode")
    assert page.evaluate("() => window.jupyterapp.shell.currentWidget.content.activeCellIndex") == 1


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_nobody_is_shut_out(started: Notebook, panel: Locator, page: Page, theme: str) -> None:
    run(started, LOAD, GREETER, PUBLISH.replace("--readme @readme", ""))
    started.theme(theme)
    try:
        for tab in ("Filters", "Images", "Deployments"):
            panel.get_by_role("tab", name=tab).click()
            expect(panel.get_by_role("tab", name=tab)).to_have_attribute("aria-selected", "true")
            assert violations(page, ".wh-panel", ".wh-bar") == [], tab
        panel.get_by_role("tab", name="Images").click()
        panel.get_by_role("button", name="demo/greeter:v1").click()
        expect(panel.get_by_role("article")).to_be_visible(timeout=ANSWER_MS)
        assert violations(page, ".wh-panel") == []
    finally:
        started.theme("JupyterLab Light")
