"""What the request tester does only with a kernel: other engines, real servers, faults, kept cases."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest
from playwright.sync_api import BrowserContext, Locator, expect

from tests.browser.cells import editor, source
from tests.browser.lab import ANSWER_MS, Lab, Notebook, cell
from tests.browser.shared_page import GATE
from tests.browser.tester import ours, send, unfold
from wasmhub_magics.cli import main

pytestmark = pytest.mark.browser

SERVER = """
import http.server, threading

class Teapot(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(207)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *words):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Teapot)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(f"http://127.0.0.1:{server.server_port}")
"""

TABLE = """\
import pandas
names = ["ada", "eve"]
requests = [f"curl -H 'x-user: {name}' /a" for name in names]
seen = ["hello ada", "hello bob"]
table = pandas.DataFrame({"name": names, "request": requests, "upstream.x-greeting": seen})
%wasm_cases gate --from @table --save cases.csv
"""

CELLS = (
    "%load_ext wasmhub_magics" + SERVER,
    "%%wasm_filter gate\n" + GATE,
    "%wasm_test gate",
    TABLE,
    "%wasm_bench gate --vs before --seconds 3",
    "%wasm_cases gate --from cases.csv",
    "",
)
SET_UP, BUILD, TEST, FRAME, BENCH, CSV, EMPTY = range(len(CELLS))


@pytest.fixture(scope="module")
def notebook(context: BrowserContext, lab: Lab) -> Iterator[Notebook]:
    """A notebook with a server in its kernel and a filter that calls clusters."""
    opened = Notebook(context.new_page(), lab, lab.write("depth.ipynb", [cell(each) for each in CELLS]))
    opened.run(SET_UP)
    opened.run(BUILD)
    yield opened
    opened.close()


@pytest.fixture
def tester(notebook: Notebook) -> Locator:
    """A request tester that has just been opened."""
    shown = notebook.run(TEST).locator(".wht")
    expect(shown).to_be_visible(timeout=ANSWER_MS)
    return shown


def upstream_saw(tester: Locator, text: str) -> Locator:
    """The headers of this text that the upstream saw."""
    return (
        tester.locator(".wh-box").filter(has_text="What the upstream saw").locator(".wh-row", has_text=text)
    )


def test_a_cluster_may_be_a_real_server_and_what_envoy_does_otherwise_is_marked(
    notebook: Notebook, tester: Locator
) -> None:
    address = notebook.page.locator(".jp-CodeCell").nth(SET_UP).locator(".jp-OutputArea-output").inner_text()
    unfold(tester, "Clusters the filter calls")
    tester.get_by_role("button", name="Add cluster").click()
    tester.get_by_label("Cluster name").fill("auth")
    tester.get_by_label("Cluster answers").select_option("live")
    tester.get_by_label("Cluster body").fill(address.strip())
    tester.get_by_label("Path").fill("/auth")
    send(tester)
    expect(upstream_saw(tester, "x-auth: 207")).to_have_count(1)
    unfold(tester, "Client and connection properties")
    tester.get_by_role("button", name="Add property").click()
    tester.get_by_label("Property name").fill("connection.tls_version")
    tester.get_by_label("Property value").fill("TLSv1.3")
    tester.get_by_label("Path").fill("/client?connection.tls_version")
    tester.get_by_label("Engine").select_option("both")
    differences = tester.get_by_role("alert")
    expect(differences).to_contain_text(
        "1 difference between the embedded proxy and real Envoy", timeout=ANSWER_MS
    )
    row = differences.locator("tbody tr")
    expect(row.locator("td")).to_have_text(["upstream x-connection.tls-version", "TLSv1.3", "None"])
    assert ours(notebook) == []


def test_a_build_is_not_asked_by_itself_where_that_is_switched_off(
    notebook: Notebook, tester: Locator
) -> None:
    send(tester)
    tester.get_by_label("Send on each rebuild").uncheck()
    answers = tester.get_attribute("data-answers") or ""
    before = tester.locator(".wht-about").inner_text()
    notebook.replace(BUILD, "%%wasm_filter gate\n" + GATE.replace('"hello"', '"good morning"'))
    notebook.run(BUILD)
    expect(tester.locator(".wht-about")).not_to_have_text(before, timeout=ANSWER_MS)
    expect(tester).to_have_attribute("data-answers", answers)
    expect(upstream_saw(tester, "x-greeting: hello")).to_have_count(1)
    send(tester)
    expect(upstream_saw(tester, "x-greeting: good morning")).to_have_count(1)


def test_two_builds_are_followed_in_one_live_chart(notebook: Notebook) -> None:
    notebook.start(BENCH)
    chart = notebook.page.locator(".jp-Notebook .jp-CodeCell").nth(BENCH).locator(".whl")
    expect(chart.locator("path")).to_have_count(3, timeout=ANSWER_MS)
    expect(chart.locator("text").filter(has_text="99.99 %")).to_have_count(1)
    labels = chart.locator("text.whl-label").all_text_contents()
    assert len({*labels}) == 3
    assert len({path.get_attribute("stroke-dasharray") for path in chart.locator("path").all()}) == 3
    expect(chart.get_by_role("status")).to_have_text("done", timeout=ANSWER_MS)


@pytest.mark.parametrize(
    ("kind", "told"),
    [("trap", "unreachable"), ("time-out", "limit callback_seconds"), ("memory", "limit memory_bytes")],
)
def test_each_failure_is_met_in_the_chosen_call_of_a_callback_under_each_policy(
    tester: Locator, kind: str, told: str
) -> None:
    unfold(tester, "Failure simulator")
    tester.get_by_label("Fault", exact=True).select_option(kind)
    tester.get_by_label("Fault callback").select_option("proxy_on_response_headers")
    tester.get_by_label("Fault call", exact=True).fill("2")
    tester.get_by_role("button", name="Let it fail").click()
    title = tester.locator(".wht-faults b")
    expect(title).to_have_text(f"{kind} in call 2 of proxy_on_response_headers", timeout=ANSWER_MS)
    failed = "503, upstream asked, wasm_fail_stream"
    for policy, following, later in (
        ("closed", "503, wasm_fail_stream", "503, wasm_fail_stream"),
        ("open", "200, upstream asked", "200, upstream asked"),
        ("reload", "503, wasm_fail_stream", "200, upstream asked"),
    ):
        row = tester.locator(".wht-faults tbody tr").filter(has_text=policy).locator("td")
        expect(row).to_contain_text([policy, failed, following, later, told])


def copied(notebook: Notebook) -> str:
    """What the browser's clipboard holds."""
    return str(notebook.page.evaluate("() => navigator.clipboard.readText()"))


@pytest.fixture
def clipboard(context: BrowserContext, lab: Lab) -> Iterator[None]:
    """A browser whose user lets the page use the clipboard."""
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=lab.url)
    yield
    context.clear_permissions()


@pytest.mark.usefixtures("clipboard")
def test_cases_are_text_in_every_form_and_are_read_from_it(notebook: Notebook, tester: Locator) -> None:
    unfold(tester, "Cases")
    tester.get_by_role("button", name="Add the request above as a case").click()
    expect(tester.locator(".wht-summary")).to_contain_text("all pass", timeout=ANSWER_MS)
    text = tester.get_by_label("Cases as text")
    for form, told in (
        ("cell", "^%%wasm_cases gate\ncases:"),
        ("yaml", "^cases:\n- name: "),
        ("csv", "^name,"),
        ("pytest", "def test_"),
    ):
        tester.get_by_label("Cases form").select_option(form)
        tester.get_by_role("button", name="Show as text").click()
        expect(text).to_have_value(re.compile(told), timeout=ANSWER_MS)
        tester.get_by_role("button", name="Copy the cases").click()
        expect(tester.get_by_text("copied", exact=True)).to_be_visible()
        assert copied(notebook) == text.input_value()
    text.fill("name,request,status\ntyped,GET /typed,200\n")
    tester.get_by_role("button", name="Read this text").click()
    expect(tester.locator(".wht-cases tbody tr")).to_have_count(1)
    expect(tester.locator(".wht-summary")).to_contain_text("1 case in the embedded proxy: all pass")


@pytest.mark.usefixtures("clipboard")
def test_where_nobody_can_write_cells_the_text_of_the_cell_is_copied_and_can_be_pasted(
    notebook: Notebook, tester: Locator
) -> None:
    tester.evaluate("root => root.addEventListener('wasmhub:keep-cell', event => event.stopPropagation())")
    unfold(tester, "Cases")
    tester.get_by_role("button", name="Add the request above as a case").click()
    count = notebook.page.locator(".jp-Notebook .jp-CodeCell").count()
    tester.get_by_role("button", name="Keep as a cell").click()
    expect(tester.get_by_text("copied: paste it into a new cell of the notebook")).to_be_visible()
    expect(notebook.page.locator(".jp-Notebook .jp-CodeCell")).to_have_count(count)
    expect(tester.get_by_label("Cases as text")).to_have_value(copied(notebook))
    editor(notebook.page, EMPTY).click()
    notebook.page.keyboard.press("Control+v")
    assert source(notebook.page, EMPTY).startswith("%%wasm_cases gate\ncases:")
    expect(notebook.run(EMPTY)).to_contain_text("all pass")
    notebook.replace(EMPTY, "")


def test_a_suite_that_was_saved_runs_by_the_command_with_junit(
    tester: Locator, lab: Lab, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    unfold(tester, "Cases")
    text = tester.get_by_label("Cases as text")
    tester.get_by_role("button", name="Show as text").click()
    text.fill("- {name: right, request: GET /a}\n- {name: wrong, request: GET /b, expect: {status: 404}}\n")
    both = [
        tester.get_by_role("button", name=name) for name in ("Read this text", "Save beside the notebook")
    ]
    first, second = (each.element_handle() for each in both)
    first.evaluate("(first, second) => { first.click(); second.click(); }", second)  # before any answer
    expect(tester.get_by_text("saved as gate.cases.yaml")).to_be_visible(timeout=ANSWER_MS)
    (tmp_path / "gate.py").write_text(GATE)
    suite, made, junit = lab.root / "gate.cases.yaml", tmp_path / "gate.py", tmp_path / "junit.xml"
    assert main(["test", str(suite), str(made), "--junit", str(junit)]) == 1
    assert "status: 404, but it was 200" in capsys.readouterr().out
    found = {
        each.get("name"): each.find("failure") for each in ElementTree.parse(junit).getroot().iter("testcase")
    }
    assert found["right"] is None
    assert found["wrong"] is not None


def test_cases_come_from_tables_and_are_kept_in_a_cell(notebook: Notebook, tester: Locator) -> None:
    notebook.run(FRAME)
    expect(tester.locator(".wht-cases tbody tr")).to_have_count(2, timeout=ANSWER_MS)
    unfold(tester, "Cases")
    tester.get_by_role("button", name="Run all cases").click()
    expect(tester.locator(".wht-summary")).to_contain_text("2 cases in the embedded proxy", timeout=ANSWER_MS)
    tester.get_by_label("Expected of eve").fill("upstream.x-greeting: ~ eve$")
    tester.get_by_label("Expected of eve").press("Tab")
    expect(tester.locator(".wht-summary")).to_contain_text("2 cases in the embedded proxy", timeout=ANSWER_MS)
    cells = notebook.page.locator(".jp-Notebook .jp-CodeCell")
    count = cells.count()
    tester.get_by_role("button", name="Keep as a cell").click()
    expect(tester.get_by_text("kept in the cell below")).to_be_visible(timeout=ANSWER_MS)
    expect(cells).to_have_count(count + 1)
    kept = source(notebook.page, TEST + 1)
    assert kept.startswith("%%wasm_cases gate\ncases:\n- name: ada\n")
    assert "~ eve$" in kept
    tester.get_by_role("button", name="Remove case ada").click()
    tester.get_by_role("button", name="Keep as a cell").click()
    expect(tester.get_by_text("kept in its cell")).to_be_visible(timeout=ANSWER_MS)
    expect(cells).to_have_count(count + 1)
    assert "ada" not in source(notebook.page, TEST + 1)
    expect(notebook.run(TEST + 1)).to_contain_text(re.compile(r"1 case|1 of 1|eve"))
    notebook.run(CSV + 1)
    expect(tester.locator(".wht-cases tbody tr")).to_have_count(2, timeout=ANSWER_MS)
    assert ours(notebook) == []


def test_where_the_page_may_start_no_worker_the_kernel_answers(context: BrowserContext, lab: Lab) -> None:
    """As in frames whose policy lets no script of a blob run, such as those of VS Code's outputs."""
    opened = Notebook(context.new_page(), lab, lab.write("frame.ipynb", [cell(each) for each in CELLS[:3]]))
    opened.page.evaluate(
        """() => {
          const policy = document.createElement('meta');
          policy.httpEquiv = 'Content-Security-Policy';
          policy.content = "worker-src 'none'";
          document.head.append(policy);
        }"""
    )
    for place in (SET_UP, BUILD, TEST):
        shown = opened.run(place).locator(".wht")
    send(shown)
    expect(shown.locator(".wh-head").first).to_contain_text("embedded proxy in the kernel")
    unfold(shown, "Cases")
    shown.get_by_role("button", name="Add the request above as a case").click()
    expect(shown.locator(".wht-summary")).to_contain_text("all pass", timeout=ANSWER_MS)
    opened.close()
