"""The request tester as a person meets it in JupyterLab."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.axe import violations
from tests.browser.conftest import GREETER
from tests.browser.lab import ANSWER_MS, Notebook
from tests.browser.tester import CONTRAST, ours, send, unfold

pytestmark = pytest.mark.browser


def busy(notebook: Notebook) -> None:
    """Start the cell that takes its time, and wait until it runs."""
    notebook.start(3)
    prompt = notebook.page.locator(".jp-Notebook .jp-CodeCell").nth(3).locator(".jp-InputPrompt")
    expect(prompt).to_have_text("[*]:", timeout=ANSWER_MS)


def test_a_person_types_a_header_presses_send_and_sees_what_the_filter_did(
    notebook: Notebook, tester: Locator
) -> None:
    tester.get_by_label("Path").fill("/items?id=1")
    tester.get_by_label("Header name").first.fill("x-user")
    tester.get_by_label("Header value").first.fill("ada")
    tester.get_by_role("button", name="Send").click()
    expect(tester.locator(".wh-status")).to_have_text("200 OK", timeout=ANSWER_MS)
    expect(tester.locator(".wh-add").filter(has_text="x-greeting")).to_have_text("x-greeting: hello ada")
    expect(tester.locator(".wh-add").filter(has_text="x-served-by")).to_be_visible()
    expect(tester.get_by_text("hello from the upstream")).to_be_visible()
    expect(tester.get_by_text("[info] answered")).to_be_visible()
    assert ours(notebook) == []


def test_everything_can_be_done_with_the_keyboard(notebook: Notebook, tester: Locator) -> None:
    keyboard = notebook.page.keyboard
    count, prompt = notebook.page.locator(".jp-Notebook .jp-Cell").count(), notebook.prompt(2)
    tester.get_by_label("Method").focus()
    keyboard.type("P")
    keyboard.press("Tab")
    expect(tester.get_by_label("Path")).to_be_focused()
    keyboard.press("Control+a")
    keyboard.type("/a/b/dd")
    keyboard.press("Tab")
    expect(tester.get_by_role("button", name="Send")).to_be_focused()
    for _ in range(12):
        keyboard.press("Tab")
        if tester.get_by_label("Header name").evaluate("element => element === document.activeElement"):
            break
    expect(tester.get_by_label("Header name")).to_be_focused()
    keyboard.press("Control+a")
    keyboard.type("x-user")
    keyboard.press("Tab")
    keyboard.press("Control+a")
    keyboard.type("grace")
    keyboard.press("Control+Enter")
    expect(tester.locator(".wh-add").filter(has_text="x-greeting")).to_contain_text(
        "hello grace", timeout=ANSWER_MS
    )
    expect(tester.locator(".wh-head")).to_contain_text("POST /a/b/dd")
    assert notebook.prompt(2) == prompt
    assert notebook.page.locator(".jp-Notebook .jp-Cell").count() == count
    keyboard.press("Escape")
    cells = notebook.page.locator(".jp-Notebook .jp-Cell")
    expect(cells.nth(2)).to_have_class(re.compile(r"\bjp-mod-active\b"))
    keyboard.press("ArrowUp")
    expect(cells.nth(1)).to_have_class(re.compile(r"\bjp-mod-active\b"))


def test_enter_in_the_path_sends(tester: Locator) -> None:
    tester.get_by_label("Path").fill("/enter")
    tester.get_by_label("Path").press("Enter")
    expect(tester.locator(".wh-head")).to_contain_text(" /enter", timeout=ANSWER_MS)


def test_header_rows_are_added_and_removed(tester: Locator) -> None:
    tester.get_by_role("button", name="Add header").click()
    expect(tester.get_by_label("Header name").nth(1)).to_be_focused()
    tester.get_by_label("Header name").nth(1).fill("x-second")
    tester.get_by_label("Header value").nth(1).fill("2")
    tester.get_by_role("button", name="Send").click()
    expect(tester.locator(".wh-row").filter(has_text="x-second")).to_be_visible(timeout=ANSWER_MS)
    tester.get_by_role("button", name="Remove header").nth(1).click()
    tester.get_by_role("button", name="Send").click()
    expect(tester.locator(".wh-row").filter(has_text="x-second")).to_have_count(0, timeout=ANSWER_MS)


def test_a_mistake_is_told_in_the_widget_and_the_button_lives_on(notebook: Notebook, tester: Locator) -> None:
    tester.get_by_label("Path").fill("/with space")
    tester.get_by_role("button", name="Send").click()
    expect(tester.locator(".wht-error")).to_contain_text("no request path", timeout=ANSWER_MS)
    tester.get_by_label("Path").fill("/without")
    tester.get_by_role("button", name="Send").click()
    expect(tester.locator(".wh-status")).to_have_text("200 OK", timeout=ANSWER_MS)
    assert ours(notebook) == []


def test_a_cell_that_is_run_again_updates_the_answer_that_is_shown(
    notebook: Notebook, tester: Locator
) -> None:
    tester.get_by_role("button", name="Send").click()
    expect(tester.locator(".wh-add").filter(has_text="x-greeting")).to_contain_text(
        "hello", timeout=ANSWER_MS
    )
    notebook.replace(1, GREETER.replace("hello ", "good morning "))
    try:
        notebook.run(1)
        greeting = tester.locator(".wh-add").filter(has_text="x-greeting")
        expect(greeting).to_contain_text("good morning", timeout=ANSWER_MS)
    finally:
        notebook.replace(1, GREETER)
        notebook.run(1)


def test_the_page_answers_while_the_kernel_is_busy(notebook: Notebook, tester: Locator) -> None:
    tester.get_by_role("button", name="Send").click()
    expect(tester.locator(".wh-status")).to_have_text("200 OK", timeout=ANSWER_MS)
    busy(notebook)
    tester.get_by_label("Path").fill("/while/busy")
    tester.get_by_role("button", name="Send").click()
    expect(tester.locator(".wh-head")).to_contain_text(" /while/busy", timeout=ANSWER_MS)
    assert notebook.prompt(3) == "[*]:"


def test_what_only_the_kernel_can_answer_is_waited_for(notebook: Notebook, tester: Locator) -> None:
    unfold(tester, "Upstream")
    tester.get_by_label("Upstream", exact=True).select_option("python")
    tester.get_by_label("Upstream variable").fill("answerer")
    busy(notebook)  # where kernels have no threads for messages, the answer comes after this cell
    tester.get_by_role("button", name="Send").click()
    expect(tester.locator(".wht-state")).to_contain_text("kernel is busy", timeout=ANSWER_MS)
    expect(tester.locator(".wht-state")).to_contain_text("Answer: 202", timeout=ANSWER_MS)
    expect(tester.locator(".wh-status")).to_have_text("202 Accepted")


def test_real_envoy_answers_beside_the_embedded_proxy(tester: Locator) -> None:
    tester.get_by_label("Engine").select_option("both")
    tester.get_by_role("button", name="Send").click()
    expect(tester.locator(".wh-status")).to_have_count(2, timeout=ANSWER_MS)
    expect(tester.get_by_text("agree")).to_be_visible()
    tester.get_by_label("Engine").select_option("envoy")
    expect(tester.locator(".wh-head")).to_have_count(1, timeout=ANSWER_MS)
    expect(tester.locator(".wh-head")).to_contain_text("real Envoy", timeout=ANSWER_MS)


def test_a_newcomer_pastes_breaks_finds_out_why_and_mends(notebook: Notebook, tester: Locator) -> None:
    unfold(tester, "Paste a request")
    tester.get_by_label("Paste a request").fill("curl -H 'x-user: eve' 'http://shop.example/items?id=1'")
    tester.get_by_role("button", name="Read", exact=True).click()
    expect(tester.get_by_label("Path")).to_have_value("/items?id=1")
    tester.get_by_role("button", name="Send").click()
    greeting = tester.locator(".wh-add").filter(has_text="x-greeting")
    expect(greeting).to_have_text("x-greeting: hello eve", timeout=ANSWER_MS)
    unfold(tester, "Cases")
    tester.get_by_role("button", name="Add the request above as a case").click()
    expect(tester.locator(".wht-summary")).to_contain_text("all pass", timeout=ANSWER_MS)
    tester.get_by_role("button", name="Measure its cost here").click()
    expect(tester.locator(".wht-cost")).to_contain_text("an exchange in this page", timeout=ANSWER_MS)
    cell = notebook.page.locator(".jp-Notebook .jp-CodeCell").nth(1)
    try:
        notebook.replace(1, GREETER.replace('"hello " +', "1 +"))
        notebook.run(1)
        expect(tester.locator(".wh-status")).to_have_text("503 Service Unavailable", timeout=ANSWER_MS)
        expect(tester.locator(".wht-why").last).to_contain_text("TypeError")
        expect(tester.locator(".wht-why").last).to_contain_text('File "cell", line 3')
        expect(tester.locator(".wht-changed")).to_have_text("now fails", timeout=ANSWER_MS)
        expect(tester.locator(".wht-cost")).to_contain_text("by the build before")
        expect(cell.locator(".wh-mark-error").first).to_contain_text("x-greeting", timeout=ANSWER_MS)
        notebook.replace(1, GREETER.replace('"hello " +', '"hello" + " " +'))
        notebook.run(1)
        expect(tester.locator(".wht-changed")).to_have_text("now passes", timeout=ANSWER_MS)
        expect(cell.locator(".wh-mark-error")).to_have_count(0)
        tester.get_by_role("button", name="Measure its cost here").click()
        expect(tester.locator(".wht-cost")).to_contain_text("the build before took", timeout=ANSWER_MS)
        notebook.replace(4, "%wasm_bench greeter --vs before --seconds 1")
        figures = notebook.run(4).get_by_label("Figures")
        expect(figures).to_contain_text(re.compile(r"at the median, fuel [+-]\d"), timeout=ANSWER_MS)
    finally:
        notebook.replace(4, "%wasm_bench greeter --seconds 40")
        notebook.replace(1, GREETER)
        notebook.run(1)


def test_it_fails_on_purpose(tester: Locator) -> None:
    unfold(tester, "Failure simulator")
    tester.get_by_label("Fault", exact=True).select_option("trap")
    tester.get_by_label("Fault callback").select_option("proxy_on_response_headers")
    tester.get_by_role("button", name="Let it fail").click()
    rows = tester.locator(".wht-faults tbody tr")
    expect(rows).to_have_count(3, timeout=ANSWER_MS)
    expect(rows.nth(1)).to_contain_text("200, upstream asked")


def test_cases_go_into_a_cell_and_a_file(notebook: Notebook, tester: Locator) -> None:
    unfold(tester, "Cases")
    if not tester.locator(".wht-cases tbody tr").count():
        tester.get_by_role("button", name="Add the request above as a case").click()
    tester.get_by_role("button", name="Show as text").click()
    text = tester.get_by_label("Cases as text")
    expect(text).to_have_value(re.compile("^%%wasm_cases greeter"), timeout=ANSWER_MS)
    text.fill("%%wasm_cases greeter\n- {name: typed, request: GET /typed, expect: {status: 404}}\n")
    tester.get_by_role("button", name="Read this text").click()
    expect(tester.locator(".wht-red")).to_have_count(1, timeout=ANSWER_MS)
    expect(tester.locator(".wht-miss")).to_have_text("status: 404, but it was 200")
    tester.get_by_role("button", name="Load typed into the form").click()
    expect(tester.get_by_label("Path")).to_have_value("/typed")
    tester.get_by_role("button", name="Save beside the notebook").click()
    expect(tester.get_by_text("saved as greeter.cases.yaml")).to_be_visible(timeout=ANSWER_MS)
    tester.get_by_role("button", name="Remove case typed").click()
    expect(tester.locator(".wht-cases tbody tr")).to_have_count(0)


def test_viewers_without_a_kernel_see_the_last_exchange(notebook: Notebook, tester: Locator) -> None:
    tester.get_by_label("Path").fill("/picture")
    tester.get_by_role("button", name="Send").click()
    expect(tester.locator(".wh-head")).to_contain_text("/picture", timeout=ANSWER_MS)
    saved = """() => JSON.stringify(window.jupyterapp.shell.currentWidget.content.widgets
      .filter(each => each.model.type === 'code')[2].model.outputs.toJSON())"""
    notebook.page.wait_for_function(f"() => ({saved})().includes('/picture')", timeout=ANSWER_MS)
    expect(notebook.page.locator(".wht-picture")).to_be_hidden()


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_text_stands_out_from_its_background(notebook: Notebook, tester: Locator, theme: str) -> None:
    notebook.theme(theme)
    send(tester)
    expect(tester).not_to_have_class(re.compile("wht-busy"))  # which dims the answer of before
    ratios = tester.evaluate(CONTRAST)
    assert len(ratios) > 10
    low = {text: round(ratio, 2) for text, ratio in ratios if ratio < 4.5}
    assert not low
    assert violations(notebook.page, ".wht") == []


@pytest.mark.parametrize("width", [400, 700])
def test_it_fits_into_a_narrow_column(tester: Locator, width: int) -> None:
    tester.get_by_role("button", name="Send").click()
    expect(tester.locator(".wh-status")).to_be_visible(timeout=ANSWER_MS)
    tester.evaluate("(element, width) => { element.style.width = `${width}px`; }", width)
    wider = tester.evaluate(
        """element => [...element.querySelectorAll('*')]
          .filter(e => e.getBoundingClientRect().right > element.getBoundingClientRect().right + 1)
          .map(e => e.className || e.tagName)"""
    )
    assert wider == []


def test_a_measurement_is_followed_live_and_stopped(notebook: Notebook, tester: Locator) -> None:
    prompt = notebook.prompt(4)
    notebook.start(4)
    chart = notebook.page.locator(".jp-Notebook .jp-CodeCell").nth(4).locator(".whl")
    expect(chart.locator("path")).to_have_count(2, timeout=ANSWER_MS)
    expect(chart.get_by_label("Figures")).to_contain_text("p99.99")
    counted = """async chart => {
      const shown = () => Number(/(\\d+) updates/.exec(chart.querySelector('[role=status]').textContent)[1]);
      const [before, start] = [shown(), performance.now()];
      await new Promise(done => setTimeout(done, 1000));
      return (shown() - before) / ((performance.now() - start) / 1000);
    }"""
    assert 1 <= chart.evaluate(counted) <= 11  # one more than ten may fall into a second
    for theme in ("JupyterLab Dark", "JupyterLab Light"):
        notebook.theme(theme)
        assert violations(notebook.page, ".whl") == []
    chart.get_by_role("button", name="Stop").click()
    expect(chart.get_by_role("status")).to_have_text("done", timeout=ANSWER_MS)
    expect(chart.get_by_role("button", name="Stop")).to_be_hidden()
    expect(chart.locator("svg")).to_be_hidden()  # the report below has its own
    expect(chart.get_by_label("Figures")).to_contain_text(re.compile(r"fuel +[\d,]+ instructions"))
    expect(notebook.page.locator(".jp-Notebook .jp-CodeCell").nth(4).locator(".jp-InputPrompt")).to_have_text(
        re.compile(r"\[\d+\]:"), timeout=ANSWER_MS
    )
    assert notebook.prompt(4) != prompt
    assert ours(notebook) == []
