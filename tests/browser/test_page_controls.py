"""Every control of the tester, used as a person would, in a page from disk without network or kernel."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.axe import violations
from tests.browser.shared_page import gate, opened, part, send
from tests.browser.tester import CONTRAST
from tests.formats.samples import COMBINED, HAR, HTTP_FILE
from wasmhub_magics.http import Request
from wasmhub_magics.page import script
from wasmhub_magics.plugin import Limits
from wasmhub_magics.testing import Fault, simulate
from wasmhub_magics.testing.fault import Kind

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def sheet(context: BrowserContext, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    made = gate().configure(limits=Limits(callback_seconds=1))
    with opened(context, tmp_path_factory.mktemp("page") / "gate.html", made) as found:
        yield found


@pytest.fixture
def page(sheet: Page) -> Page:
    """The page as somebody finds it who has just opened it."""
    sheet.reload()
    return sheet


@pytest.fixture(scope="module")
def form(context: BrowserContext, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """The page of a filter that carries a schema."""
    with opened(context, tmp_path_factory.mktemp("page") / "gate.html", gate(schema=True)) as found:
        yield found


def upstream_header(page: Page, name: str) -> str:
    """A header that the upstream saw."""
    box = page.locator(".wh-box").filter(has_text="What the upstream saw")
    row = box.locator(".wh-row:not(.wh-cut)").filter(has=page.locator("b", has_text=name)).last
    return (row.text_content() or "").partition(": ")[2]


def test_headers_are_completed_repeated_and_sent(page: Page) -> None:
    first = page.get_by_label("Header name").first
    names = page.locator(f"datalist#{first.get_attribute('list')} option")
    assert {"content-type", "x-forwarded-for", "authorization"} <= set(
        names.evaluate_all("all => all.map(each => each.value)")
    )
    page.get_by_label("Header value").first.fill("grace")
    page.get_by_role("button", name="Add header").click()
    page.get_by_label("Header name").nth(1).fill("x-many")
    page.get_by_label("Header value").nth(1).fill("1")
    page.get_by_role("button", name="Add header").click()
    page.get_by_label("Header name").nth(2).fill("x-many")
    page.get_by_label("Header value").nth(2).fill("2")
    send(page)
    assert upstream_header(page, "x-greeting") == "hello grace"
    expect(page.locator(".wh-row").filter(has_text="x-many")).to_have_count(2)


def test_a_body_is_text_json_hex_or_a_file_in_frames_with_trailers(page: Page, tmp_path: Path) -> None:
    body = part(page, "Body")
    page.get_by_label("Method").select_option("POST")
    body.get_by_label("Body", exact=True).fill('{"a": ')
    body.get_by_label("Body kind").select_option("json")
    expect(body.locator(".wht-told")).to_contain_text("✗")
    body.get_by_label("Body", exact=True).fill('{"a": 1}')
    expect(body.locator(".wht-told")).to_contain_text("✓ this is JSON")
    body.get_by_label("Frame sizes").fill("3,2")
    body.get_by_role("button", name="Add trailer").click()
    body.get_by_label("Trailer name").fill("x-sum")
    body.get_by_label("Trailer value").fill("7")
    send(page)
    diff = page.locator("pre[aria-label='Request body']")
    expect(diff.locator(".wht-plus")).to_have_text('+ {"A": 1}')
    expect(diff.locator(".wht-minus")).to_have_text('- {"a": 1}')
    expect(page.get_by_text("trailer x-sum")).not_to_have_count(0)
    page.locator(".wht-timeline > summary").click()
    expect(page.locator(".wht-timeline")).to_contain_text("proxy_on_request_body(size=3, end_of_stream=0)")
    body.get_by_label("Body kind").select_option("hex")
    body.get_by_label("Body", exact=True).fill("00 ff 6")
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.locator(".wht-error")).to_contain_text("not hex")
    body.get_by_label("Body", exact=True).fill("00 ff 61")
    body.get_by_label("Frame sizes").fill("x")
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.locator(".wht-error")).to_contain_text("chunks are sizes")
    body.get_by_label("Frame sizes").fill("")
    send(page)
    expect(page.locator("pre[aria-label='Response body']")).to_contain_text("00 ff 41")
    (tmp_path / "body.bin").write_bytes(b"from a file")
    body.get_by_label("Body kind").select_option("file")
    body.get_by_label("Body file").set_input_files(tmp_path / "body.bin")
    expect(body.locator(".wht-told")).to_contain_text("11 bytes chosen")
    send(page)
    expect(page.locator("pre[aria-label='Response body']")).to_contain_text("FROM A FILE")


def test_the_configuration_counts_at_once(page: Page) -> None:
    config = part(page, "Plugin configuration")
    config.get_by_label("Configuration of gate").fill('{"greeting": "good morning"')
    expect(config.locator(".wht-told")).to_contain_text("not JSON")
    config.get_by_label("Configuration of gate").fill('{"greeting": "good morning"}')
    send(page)
    assert upstream_header(page, "x-greeting") == "good morning ada"


def test_a_schema_makes_a_form_of_the_configuration(form: Page) -> None:
    config = part(form, "Plugin configuration")
    expect(config.get_by_text("goes before the name")).to_be_visible()
    config.get_by_role("textbox", name="Greeting").fill("welcome")
    send(form)
    assert upstream_header(form, "x-greeting") == "welcome ada"
    config.get_by_label("level").fill("9")
    config.get_by_role("combobox", name="mode").select_option("safe")
    config.get_by_role("textbox", name="users").fill("ada\ngrace")
    config.get_by_label("bytes").fill("5")
    expect(config.locator(".wht-told")).to_contain_text("level is above 3")
    config.get_by_label("edit as text").check()
    text = config.get_by_label("Configuration of gate")
    for told in ('"users": [', '"grace"', '"mode": "safe"', '"bytes": 5'):
        assert told in text.input_value()
    text.fill('{"closed": true}')
    config.get_by_label("edit as text").uncheck()
    expect(config.get_by_role("checkbox", name="Closed")).to_be_checked()
    send(form)
    expect(form.locator(".wh-status")).to_have_text("503 Service Unavailable")


def test_the_upstream_echoes_or_gives_a_fixed_answer(page: Page) -> None:
    upstream = part(page, "Upstream")
    upstream.get_by_label("Upstream", exact=True).select_option("answer")
    upstream.get_by_label("Upstream status").fill("404")
    upstream.get_by_label("Upstream delay").fill("0.2")
    upstream.get_by_role("button", name="Add upstream header").click()
    upstream.get_by_label("Upstream header name").fill("x-from")
    upstream.get_by_label("Upstream header value").fill("upstream")
    upstream.get_by_label("Upstream body").fill("nothing here")
    send(page)
    expect(page.locator(".wh-status")).to_have_text("404 Not Found")
    expect(page.locator(".wh-row").filter(has_text="x-from")).to_have_count(1)
    expect(page.locator("pre[aria-label='Response body']")).to_contain_text("nothing here")
    assert float(page.locator(".wht").get_attribute("data-took") or 0) > 200
    upstream.get_by_label("Upstream", exact=True).select_option("echo")
    send(page)
    expect(page.locator(".wh-status")).to_have_text("200 OK")


def test_clusters_are_faked_each_in_its_way(page: Page) -> None:
    clusters = part(page, "Clusters the filter calls")
    page.get_by_label("Path").fill("/auth")
    clusters.get_by_role("button", name="Add cluster").click()
    clusters.get_by_label("Cluster name").fill("auth")
    for kind, status, delay, seen in (
        ("answer", "403", "", "403"),
        ("answer", "200", "5", "504"),
        ("echo", "", "", "200"),
        ("refused", "", "", "503"),
        ("closed", "", "", "503"),
        ("broken", "", "", "None"),
        ("silent", "", "", "504"),
    ):
        clusters.get_by_label("Cluster answers").select_option(kind)
        if kind == "answer":
            clusters.get_by_label("Cluster status").fill(status)
            clusters.get_by_label("Cluster delay").fill(delay)
        send(page)
        assert upstream_header(page, "x-auth") == seen, kind
    expect(page.get_by_text("Calls to clusters")).to_be_visible()


def test_properties_of_the_client_and_its_connection_are_what_is_typed(page: Page) -> None:
    typed = {
        "source.address": "10.1.2.3:4711",
        "connection.mtls": "true",
        "connection.tls_version": "TLSv1.3",
        "connection.requested_server_name": "shop.example",
        "xds.route_name": "items",
        "xds.cluster_name": "shop",
        "metadata.filter_metadata.tier": "gold",
    }
    properties = part(page, "Client and connection properties")
    page.get_by_label("Path").fill(f"/client?{'&'.join(typed)}")
    send(page)
    assert upstream_header(page, "x-source.address") == "127.0.0.1:50000"
    assert upstream_header(page, "x-connection.tls-version") == "None"
    for place, (name, value) in enumerate(typed.items()):
        properties.get_by_role("button", name="Add property").click()
        properties.get_by_label("Property name").nth(place).fill(name)
        properties.get_by_label("Property value").nth(place).fill(value)
    send(page)
    seen = {name: upstream_header(page, f"x-{name.replace('_', '-')}") for name in typed}
    assert seen == typed | {"connection.mtls": "True"}


def test_the_failure_policy_says_what_comes_after_a_failure(page: Page) -> None:
    for policy, after, filtered in (("closed", 503, False), ("open", 200, False), ("reload", 200, True)):
        page.get_by_label("Failure policy").select_option(policy)
        page.get_by_label("Path").fill("/boom")
        send(page)
        expect(page.locator(".wh-status")).to_have_text("503 Service Unavailable")
        expect(page.locator(".wht-why").last).to_contain_text("KeyError")
        page.get_by_label("Path").fill("/items")
        send(page)
        while policy == "reload" and page.locator(".wh-bad").count():  # a new VM is given after a moment
            send(page)
        expect(page.locator(".wh-status")).to_contain_text(str(after))
        expect(page.locator(".wh-add").filter(has_text="x-greeting")).to_have_count(int(filtered))


def test_it_answers_on_each_key_press(page: Page) -> None:
    page.get_by_label("Send on each change").check()
    value = page.get_by_label("Header value").first
    value.fill("")
    for typed, wanted in (("e", "hello e"), ("v", "hello ev"), ("e", "hello eve")):
        value.press(typed)
        greeting = page.locator(".wh-add").filter(has_text="x-greeting")
        expect(greeting).to_have_text(f"x-greeting: {wanted}")


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("curl -H 'x-user: eve' 'http://shop.example/items?id=1'", "/items?id=1"),
        (COMBINED, "/a?b=1"),
        ("POST /raw HTTP/1.1\nhost: a.b\n\nbody", "/raw"),
        (json.dumps(HAR), "/items?id=1"),
    ],
    ids=["curl", "log", "raw", "har"],
)
def test_a_pasted_request_fills_the_form(page: Page, text: str, path: str) -> None:
    pasting = part(page, "Paste a request")
    pasting.get_by_label("Paste a request").fill(text)
    pasting.get_by_role("button", name="Read", exact=True).click()
    expect(page.get_by_label("Path")).to_have_value(path)
    send(page)
    expect(page.locator(".wh-head")).to_contain_text(path)


def test_what_is_pasted_by_the_keyboard_is_read_at_once(page: Page) -> None:
    pasting = part(page, "Paste a request")
    page.evaluate("text => navigator.clipboard.writeText(text)", "curl -X PUT -d some http://a.b/pasted")
    pasting.get_by_label("Paste a request").focus()
    page.keyboard.press("Control+v")
    expect(pasting.locator(".wht-told")).to_have_text("read: PUT /pasted")
    expect(page.get_by_label("Path")).to_have_value("/pasted")


def test_rows_that_were_removed_no_longer_count(page: Page) -> None:
    for title, noun in (
        ("Body", "trailer"),
        ("Upstream", "upstream header"),
        ("Clusters the filter calls", "cluster"),
        ("Client and connection properties", "property"),
    ):
        opened_part = part(page, title)
        if noun == "upstream header":
            opened_part.get_by_label("Upstream", exact=True).select_option("answer")
        name = opened_part.get_by_label(f"{noun.capitalize()} name")
        for text in ("x-stays", "x-goes"):
            opened_part.get_by_role("button", name=f"Add {noun}").click()
            expect(name.last).to_be_focused()
            page.keyboard.type(text)
        opened_part.get_by_role("button", name=f"Remove {noun}").last.press("Enter")
        expect(name).to_have_count(1)
        expect(name).to_be_focused()
    page.get_by_label("Method").select_option("POST")
    part(page, "Body").get_by_label("Body", exact=True).fill("with a body")
    send(page)
    expect(page.locator(".wht-answer")).to_contain_text("trailer x-stays")
    expect(page.locator(".wh-box", has_text="What the client got")).to_contain_text("x-stays")
    expect(page.locator(".wht-answer")).not_to_contain_text("x-goes")


def test_a_file_of_requests_is_opened(page: Page, tmp_path: Path) -> None:
    (tmp_path / "saved.har").write_text(json.dumps(HAR))
    pasting = part(page, "Paste a request")
    pasting.get_by_label("Request file").set_input_files(tmp_path / "saved.har")
    expect(pasting.locator(".wht-told")).to_contain_text("2 requests read")
    expect(page.get_by_label("Method")).to_have_value("POST")
    send(page)
    diff = page.locator("pre[aria-label='Request body'] .wht-plus")
    expect(diff).to_have_text('+ {"A": 1}')
    expect(part(page, "Body").get_by_label("Body kind")).to_have_value("json")


def test_many_pasted_requests_are_chosen_from_and_become_cases(page: Page) -> None:
    pasting = part(page, "Paste a request")
    pasting.get_by_label("Paste a request").fill(HTTP_FILE)
    pasting.get_by_role("button", name="Read", exact=True).click()
    pasting.get_by_label("Which request").select_option("1")
    expect(page.get_by_label("Path")).to_have_value("/2")
    pasting.get_by_role("button", name="Make cases of all").click()
    expect(page.locator(".wht-cases tbody tr")).to_have_count(4)
    expect(page.locator(".wht-green")).to_have_count(3)
    pasting.get_by_label("Paste a request").fill("two\nlines of nothing")
    pasting.get_by_role("button", name="Read", exact=True).click()
    expect(pasting.locator(".wht-told")).to_contain_text("nobody can tell")


def test_the_request_is_copied_in_every_form(page: Page) -> None:
    out = part(page, "Copy the request as")
    for form, told in (
        ("curl", "curl -H"),
        ("python", "Request("),
        ("http", "GET http"),
        ("pytest", "def test_"),
    ):
        out.get_by_label("Copy as").select_option(form)
        assert told in out.get_by_label("Request as text").input_value()
    out.get_by_role("button", name="Copy the request").click()
    expect(out.locator(".wht-told")).to_have_text("copied")
    assert "def test_gate_answers" in page.evaluate("() => navigator.clipboard.readText()")


def test_cases_run_are_edited_added_and_removed(page: Page) -> None:
    cases = part(page, "Cases")
    cases.get_by_role("button", name="Run all cases").click()
    expect(cases.locator(".wht-summary")).to_have_text("2 cases in the embedded proxy: 1 failed")
    expect(cases.locator(".wht-miss")).to_have_text("status: 200, but it was 503")
    cases.get_by_label("Expected of fails").fill("status: 503\nasked: false")
    cases.get_by_label("Expected of fails").press("Tab")
    expect(cases.locator(".wht-summary")).to_have_text("2 cases in the embedded proxy: all pass, 1 changed")
    expect(cases.locator(".wht-changed")).to_have_text("now passes")
    cases.get_by_label("Name of case 2").fill("greets ada")
    cases.get_by_label("Name of case 2").press("Tab")
    expect(cases.locator(".wht-summary")).to_contain_text("two cases are named greets ada")
    cases.get_by_label("Expected of fails").fill("colour: red")
    cases.get_by_label("Expected of fails").press("Tab")
    expect(cases.locator(".wht-summary")).to_contain_text("nothing that can be expected")
    page.get_by_label("Path").fill("/new")
    send(page)
    cases.get_by_role("button", name="Add the request above as a case").click()
    expect(cases.locator(".wht-green")).to_have_count(3)
    assert "upstream.x-greeting: hello ada" in cases.get_by_label("Expected of GET /new").input_value()
    cases.get_by_role("button", name="Load greets ada into the form").click()
    expect(page.get_by_label("Path")).to_have_value("/items")
    cases.get_by_role("button", name="Remove case fails").click()
    expect(cases.locator("tbody tr")).to_have_count(2)
    cases.get_by_role("button", name="Show as text").click()
    text = cases.get_by_label("Cases as text").input_value()
    assert '"name": "GET /new"' in text
    cases.get_by_role("button", name="Copy the cases").click()
    expect(cases.get_by_text("copied")).to_be_visible()
    assert page.evaluate("() => navigator.clipboard.readText()") == text


def test_a_loop_without_end_is_stopped_and_the_page_lives_on(page: Page) -> None:
    page.get_by_label("Path").fill("/loop")
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.locator(".wht-error")).to_contain_text("stopped after", timeout=20_000)
    page.get_by_label("Path").fill("/items")
    send(page)
    expect(page.locator(".wh-status")).to_have_text("200 OK")


@pytest.mark.parametrize(
    ("kind", "callback"),
    [
        ("trap", "proxy_on_response_headers"),
        ("memory", "proxy_on_request_headers"),
        ("time-out", "proxy_on_response_headers"),
        ("time-out", "proxy_on_request_trailers"),
        ("trap", "proxy_on_request_trailers"),
        ("trap", "proxy_on_configure"),
    ],
)
def test_it_fails_on_purpose_in_the_page_as_in_the_kernel(page: Page, kind: Kind, callback: str) -> None:
    page.get_by_label("Path").fill("/items")
    failing = part(page, "Failure simulator")
    failing.get_by_label("Fault", exact=True).select_option(kind)
    failing.get_by_label("Fault callback").select_option(callback)
    failing.get_by_label("Fault call", exact=True).fill("1" if "configure" in callback else "2")
    failing.get_by_role("button", name="Let it fail").click()
    expect(failing.locator("tbody tr")).to_have_count(3)
    fault = Fault(kind, callback, 1 if "configure" in callback else 2)
    request = Request("GET", "/items", headers=[("x-user", "ada")])
    told = [tuple(row.locator("td").all_text_contents()) for row in failing.locator("tbody tr").all()]
    assert told == simulate(gate(), fault, request).rows()
    expect(failing.locator("b")).to_have_text(str(fault))


def test_the_cost_is_measured_in_the_page_and_not_of_a_failure(page: Page) -> None:
    page.get_by_role("button", name="Measure its cost here").click()
    expect(page.locator(".wht-cost")).to_contain_text("an exchange in this page")
    page.get_by_label("Path").fill("/boom")
    page.get_by_role("button", name="Measure its cost here").click()
    expect(page.locator(".wht-cost")).to_contain_text("cannot be measured")


def test_the_page_tells_what_it_holds_and_no_more(context: BrowserContext, tmp_path: Path) -> None:
    made = gate().configure('{"greeting": "secret words"}')
    report = made.bench(seconds=0.05)
    told = {"source": True, "readme": "# The gate <b>", "report": report}
    with opened(context, tmp_path / "a.html", made, **told) as page:
        expect(page.get_by_text("the source, as text")).to_have_count(1)
        expect(page.get_by_text("# The gate <b>")).to_be_visible()
        expect(page.get_by_text("the plugin configuration and environment")).to_have_count(1)
        expect(page.get_by_text("with the figures of the machine it was measured on")).to_have_count(1)
        expect(page.locator(".chart svg[role=img]")).to_be_visible()
        expect(page.locator(".code").filter(has_text="gate: cost in the embedded proxy")).to_be_visible()
    with opened(context, tmp_path / "b.html", made, configuration=False) as page:
        expect(page.get_by_text("the source all the same")).to_have_count(1)
        expect(page.get_by_text("configuration and environment")).to_have_count(0)
    assert "secret words" not in (tmp_path / "b.html").read_text()
    assert "https://" not in (tmp_path / "b.html").read_text()


def test_the_script_is_one_module_that_fetches_nothing() -> None:
    """What VS Code's and Colab's frames ask of a script that the kernel hands over as text."""
    text = script()
    assert text.count("export default") == 1
    reaching = (
        r"(?m)^\s*import\b|\bimport\s*\(|importScripts|require\("
        r"|\bfetch\(|XMLHttpRequest|WebSocket|//[a-z]+\.[a-z]"
    )
    assert re.findall(reaching, re.sub(r"(?m)//\s.*$|/\*.*?\*/", "", text)) == []
    assert not re.findall(r"currentScript|localStorage|sessionStorage|document\.cookie|jupyterapp", text)


def test_it_runs_in_a_frame_of_no_origin(page: Page) -> None:
    page.evaluate(
        """() => {
          const frame = document.createElement('iframe');
          frame.sandbox = 'allow-scripts allow-forms';
          frame.width = 900;
          document.getElementById('tester').replaceChildren();
          frame.srcdoc = document.documentElement.outerHTML;
          document.body.replaceChildren(frame);
        }"""
    )
    frame = page.frame_locator("iframe")
    frame.get_by_label("Header value").first.fill("grace")
    frame.get_by_role("button", name="Send", exact=True).click()
    expect(frame.locator(".wh-add").filter(has_text="x-greeting")).to_have_text("x-greeting: hello grace")
    expect(frame.locator(".wh-head").first).to_contain_text("in this page")


@pytest.fixture(scope="module")
def everything(form: Page) -> Page:
    """The page with all of its parts open, the answer of a failure and cases that ran."""
    form.reload()
    for title in ("Paste a", "Body", "Plugin", "Upstream", "Clusters", "Client", "Copy the", "Failure"):
        part(form, title)
    form.get_by_role("button", name="Add cluster").click()
    form.get_by_label("Path").fill("/boom")
    send(form)
    part(form, "Cases").get_by_role("button", name="Run all cases").click()
    expect(form.locator(".wht-red")).to_have_count(1)
    form.get_by_role("button", name="Let it fail").click()
    expect(form.locator(".wht-faults tbody tr")).to_have_count(3)
    form.get_by_role("button", name="Measure its cost here").click()
    expect(form.locator(".wht-cost")).to_contain_text("cannot be measured")
    return form


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1100])
def test_everything_open_fits_and_stands_out(
    everything: Page, theme: Literal["light", "dark"], width: int
) -> None:
    everything.set_viewport_size({"width": width, "height": 1000})
    everything.emulate_media(color_scheme=theme)
    root = everything.locator(".wht")
    wider = root.evaluate(
        """root => [...root.querySelectorAll('*')].filter(each => each.checkVisibility()
            && !each.closest('.wht-scroll')
            && each.getBoundingClientRect().right > root.getBoundingClientRect().right + 1)
          .map(each => each.outerHTML.slice(0, 100))"""
    )
    assert wider == []
    ratios = root.evaluate(CONTRAST)
    assert len(ratios) > 30
    assert {text: round(ratio, 2) for text, ratio in ratios if ratio < 4.5} == {}
    unnamed = root.evaluate(
        """root => [...root.querySelectorAll('input,select,textarea,button')].filter(each =>
            !(each.ariaLabel || each.textContent.trim() || each.labels?.length))
          .map(each => each.outerHTML)"""
    )
    assert unnamed == []
    assert violations(everything, "body") == []
