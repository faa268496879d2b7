"""What the request tester does only with a kernel: other engines, real servers, faults, kept cases."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, Locator, expect

from tests.browser.cells import source
from tests.browser.lab import ANSWER_MS, Lab, Notebook, cell
from tests.browser.shared_page import GATE
from tests.browser.test_tester_in_lab import ours, unfold

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
)
SET_UP, BUILD, TEST, FRAME, BENCH, CSV = range(len(CELLS))


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


def send(tester: Locator) -> None:
    """Press Send, and wait for the answer."""
    answers = int(tester.get_attribute("data-answers") or 0)
    tester.get_by_role("button", name="Send", exact=True).click()
    expect(tester).to_have_attribute("data-answers", str(answers + 1), timeout=ANSWER_MS)


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


def test_a_time_out_and_a_memory_limit_are_met_on_purpose(tester: Locator) -> None:
    unfold(tester, "Failure simulator")
    for kind, told in (("time-out", "limit callback_seconds"), ("memory", "proxy_on_request_headers failed")):
        tester.get_by_label("Fault", exact=True).select_option(kind)
        tester.get_by_label("Fault callback").select_option("proxy_on_request_headers")
        tester.get_by_role("button", name="Let it fail").click()
        rows = tester.locator(".wht-faults tbody tr")
        expect(tester.locator(".wht-faults b")).to_contain_text(kind.split("-")[0], timeout=ANSWER_MS)
        expect(rows).to_have_count(3)
        expect(rows.filter(has_text="closed")).to_contain_text("503")
        expect(rows.first).to_contain_text(told)


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
