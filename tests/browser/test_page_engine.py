"""The page's own proxy gives what the kernel's gives, and its functions what those of Python give."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page

from tests.browser.harness import harness, open_proxy, send
from tests.formats.samples import FALSE_TEXTS, REQUESTS, TEXTS
from wasmhub_magics import build
from wasmhub_magics.errors import RequestError
from wasmhub_magics.examples import examples
from wasmhub_magics.filter import Filter
from wasmhub_magics.formats import read_request, read_requests, write
from wasmhub_magics.http import Request
from wasmhub_magics.page import cases_data, exchange_data, request_data, world_from_data
from wasmhub_magics.plugin import Limits
from wasmhub_magics.proxy import Proxy
from wasmhub_magics.testing import Case, Fault, Suite, faulty, run_cases
from wasmhub_magics.testing.run import FIXED

pytestmark = pytest.mark.browser

MANGLER = """\
def on_request_headers(ctx):
    path = ctx.request.path
    if path == "/trap":
        return 1 // 0
    if path == "/stop":
        return ctx.respond(429, body="slow down", headers={"retry-after": "3"})
    if path == "/call":
        return ctx.call("auth", "/check", timeout=1, then=checked)
    ctx.request.headers["x-seen"] = ctx.configuration.decode()
    del ctx.request.headers["x-drop"]
    print("path", path)

def checked(ctx, answer):
    ctx.request.headers["x-auth"] = str(answer.status)
    ctx.resume_request()

def on_request_body(ctx):
    ctx.request.body = ctx.request.body.upper()

def on_response_headers(ctx):
    ctx.response.headers["x-twice"] = "a"
    ctx.response.headers.add("x-twice", "b")

def on_response_body(ctx):
    ctx.response.body = b"<" + ctx.response.body + b">"
"""

TABLE = Suite.parse(
    """\
- {name: plain, request: GET /items}
- {name: headers, request: {path: /x, headers: [[x-drop, "1"], [x-two, a], [x-two, b], [x-user, "é"]]}}
- {name: body, request: {method: POST, path: /b, body: abcdefgh, chunks: [3, 2], headers: {a: b}}}
- {name: bytes, request: {method: PUT, path: /b, base64: /wD+, trailers: {x: "7"}, headers: {te: trailers}}}
- {name: trap, request: GET /trap}
- {name: local, request: GET /stop}
- {name: head, request: "curl --head /items"}
- {name: status, request: /x, upstream: 404}
- {name: answer, request: /x, upstream: {status: 503, headers: {retry-after: "3", a: b}, body: down}}
- {name: empty, request: /x, upstream: {status: 204}}
- {name: no cluster, request: GET /call}
- {name: called, request: GET /call, clusters: {auth: {status: 200, body: ok}}}
- {name: late, request: GET /call, clusters: {auth: {status: 200, delay: 5}}}
- {name: refused, request: GET /call, clusters: {auth: refused}}
- {name: silent, request: GET /call, clusters: {auth: silent}}
- {name: echoing, request: GET /call, clusters: {auth: echo}}
- {name: refused path, request: {method: OPTIONS, path: "*"}}
- {name: odd method, request: {method: BREW, path: /}}
"""
)


@pytest.fixture(scope="module")
def page(context: BrowserContext) -> Iterator[Page]:
    opened = harness(context)
    complaints: list[str] = []
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    yield opened
    assert complaints == []


def told(data: dict[str, Any]) -> dict[str, Any]:
    """What must be the same: all but times, code positions and how a list of headers was held."""
    data = json.loads(json.dumps(data))
    data.pop("ns")
    data.pop("trace")
    for line in data["log"]:
        line["message"] = line["message"].partition("\\nProxy-Wasm plugin in-VM backtrace")[0]
        line["message"] = line["message"].partition("\nProxy-Wasm plugin in-VM backtrace")[0]
    for call in data["calls"]:
        answer = call["answer"]
        if "fail" not in answer:  # the shape in which an answer was told says nothing
            call["answer"] = [answer.get("status", 200), answer.get("body", ""), answer.get("delay", 0)]
    return data


def both(page: Page, made: Filter, case: Case) -> tuple[dict[str, Any], dict[str, Any]]:
    """A case in the kernel's proxy and in the page's."""
    result = run_cases(made, [case]).results[0]
    assert result.exchange is not None, result.error
    (data,) = cases_data([case])
    kept = {key: data[key] for key in ("upstream", "clusters")}
    return exchange_data(result.exchange), send(page, data["request"], **kept)


@pytest.fixture(scope="module")
def mangler(page: Page) -> Filter:
    made = build(MANGLER, name="mangler").configure("set up")
    open_proxy(page, [made])
    return made


@pytest.mark.parametrize("case", TABLE.cases, ids=lambda case: case.name)
def test_one_table_of_cases_gives_the_same_in_page_and_kernel(
    page: Page, mangler: Filter, case: Case
) -> None:
    kernel, own = both(page, mangler, case)
    assert told(own) == told(kernel)
    remembered = run_cases(mangler, [case]).results[0].remembered
    assert page.evaluate("exchange => fingerprint(exchange)", own) == remembered.print
    lines = page.evaluate("([a, b]) => [traceLines(a), traceLines(b)]", [own["trace"], kernel["trace"]])
    assert lines[0] == lines[1]
    assert len(lines[0]) > 0 or not kernel["trace"]["events"]


def test_the_examples_do_in_the_page_what_they_do_in_the_kernel(page: Page) -> None:
    compared = 0
    for each in examples():
        table = each.table
        if table.clusters or "python" not in each.languages:
            continue
        made = build(each.source("python"), name=each.name).configure(each.config)
        open_proxy(page, [made])
        for expectation in table.expectations[:3]:
            kernel, own = both(page, made, Case("example", expectation.request))
            hide = lambda data: re.sub(r"[0-9a-f]{32}", "<random>", json.dumps(told(data)))  # noqa: E731
            assert hide(own) == hide(kernel), each.name
            compared += 1
    assert compared >= 10


@pytest.mark.parametrize("language", ["c", "javascript", "wat"])
def test_other_languages_run_in_the_page_too(page: Page, language: str) -> None:
    sources = {
        "c": '#include "wasmhub.h"\n',
        "javascript": 'function on_request_headers(ctx) { ctx.request.headers.set("x-seen", "yes"); }\n',
        "wat": """(module (memory (export "memory") 1) (func (export "proxy_abi_version_0_2_1"))
          (func (export "malloc") (param i32) (result i32) i32.const 8))""",
    }
    if language == "c":
        from pathlib import Path

        sources["c"] = (Path(__file__).parents[1] / "benchmarks" / "filters" / "probe.c").read_text()
    made = build(sources[language], language, "other")
    open_proxy(page, [made])
    kernel, own = both(page, made, Case("plain", Request("GET", "/items")))
    assert told(own) == told(kernel)


@pytest.mark.parametrize("kind", ["trap", "memory"])
def test_faults_are_told_in_the_same_words(page: Page, kind: str) -> None:
    base = build("def on_request_headers(ctx):\n    pass\n", name="plain")
    module = faulty(base.module, Fault(kind, "proxy_on_response_headers"))  # type: ignore[arg-type]
    plugin = base.plugin.replace(module=module, limits=Limits(memory_bytes=4 << 20))
    open_proxy(page, [plugin])
    with Proxy([plugin], clock=FIXED, seed=0) as proxy:
        kernel = exchange_data(proxy.send(Request("GET", "/")))
    assert told(send(page, request_data(Request("GET", "/")))) == told(kernel)


def test_policies_and_the_state_of_a_machine_are_kept_between_requests(page: Page) -> None:
    source = "def on_request_headers(ctx):\n    if ctx.request.path == '/trap':\n        1 // 0\n"
    statuses = {}
    for policy in ("closed", "open"):
        made = build(source, name="picky").configure(failure_policy=policy)  # type: ignore[arg-type]
        open_proxy(page, [made])
        found = [
            send(page, request_data(Request("GET", path)), fresh=False) for path in ("/ok", "/trap", "/ok")
        ]
        statuses[policy] = [each["response"]["status"] for each in found]
    assert statuses == {"closed": [200, 503, 503], "open": [200, 503, 200]}


def test_what_is_sent_at_once_runs_each_in_the_proxy_made_for_it(page: Page) -> None:
    made = build("def on_request_headers(ctx):\n    print(ctx.configuration)\n", name="both")
    open_proxy(page, [made])
    dates = page.evaluate(
        """async ([request, clock]) => {
          const { plugins } = window.proxy.parts;
          const setup = { plugins, clusters: {} };
          const fixed = { ...setup, clock, seed: '0', fresh: true };
          const sent = [setup, fixed, setup].map(each => window.proxy.send(each, request, { echo: true }));
          const date = exchange => exchange.response.headers.find(([name]) => name === 'date')[1];
          return (await Promise.all(sent)).map(date);
        }""",
        [request_data(Request("GET", "/")), str(FIXED * 10**9)],
    )
    assert ["2023" in date for date in dates] == [False, True, False]


def test_properties_are_given_as_in_the_kernel(page: Page) -> None:
    paths = ["source.address", "connection.mtls", "source.port", 'metadata.filter_metadata["envoy.lb"].stage']
    given = {paths[0]: "10.1.2.3:4711", paths[1]: "true", paths[2]: "4711", paths[3]: "canary"}
    source = (
        "def on_request_headers(ctx):\n"
        "    parts = (('source', 'address'), ('connection', 'mtls'), ('source', 'port'),\n"
        "             ('metadata', 'filter_metadata', 'envoy.lb', 'stage'))\n"
        "    print([repr(ctx.property(*each)) for each in parts])\n"
    )
    made = build(source, name="asking")
    open_proxy(page, [made])
    world = world_from_data({"properties": given}, {})
    with Proxy([made], clock=FIXED, seed=0, properties=world.properties) as proxy:
        kernel = exchange_data(proxy.send(Request("GET", "/")))
    own = send(page, request_data(Request("GET", "/")), properties=given)
    assert told(own) == told(kernel)
    assert "10.1.2.3:4711" in kernel["log"][0]["message"]


def test_a_filter_that_does_not_start_is_told_as_in_the_kernel(page: Page) -> None:
    made = build("def on_configure(ctx):\n    raise ValueError('no such mode')\n", name="broken")
    open_proxy(page, [made])
    own = send(page, request_data(Request("GET", "/")))["error"]
    result = run_cases(made, [Case("start", Request("GET", "/"))]).results[0]
    assert own.splitlines()[0] == result.error.splitlines()[0]
    assert "no such mode" in own


@pytest.mark.parametrize("text", TEXTS)
def test_pasted_text_is_read_as_python_reads_it(page: Page, text: str) -> None:
    wanted = [request_data(each) for each in read_requests(text)]
    assert page.evaluate("text => readRequests(text)", text) == wanted


@pytest.mark.parametrize("text", FALSE_TEXTS)
def test_what_python_refuses_the_page_refuses(page: Page, text: str) -> None:
    with pytest.raises(RequestError):
        read_requests(text)
    attempt = "text => { try { return readRequests(text); } catch (error) { return error.message; } }"
    assert isinstance(page.evaluate(attempt, text), str)


@pytest.mark.parametrize("request_", REQUESTS, ids=repr)
def test_what_the_page_writes_python_reads(page: Page, request_: Request) -> None:
    data = request_data(request_)
    for form in ("curl", "http"):
        text = page.evaluate("([form, request]) => FORMS[form](request, 'my_filter')", [form, data])
        assert read_request(text) == request_
        assert text == write(request_, form)
    code = page.evaluate("request => pythonRequest(request)", data)
    assert eval(code, {"Request": Request}) == request_


EXPECTATIONS = [
    ("status", 200), ("status", "2xx"), ("status", 404), ("status", "3xx"), ("status", None),
    ("body", "<hello from the upstream\n>"), ("body", "~ up.*m"), ("body", "hello"), ("body", "*"),
    ("log", "path /items"), ("log", "~ ^.info. path"), ("log", "nothing"), ("log", None),
    ("asked", True), ("asked", False), ("outcome", "complete"), ("outcome", "reset"),
    ("details", "via_upstream"), ("details", "~ wasm"), ("upstream-body", ""), ("upstream-body", "x"),
    ("calls", "auth"), ("calls", None),
    ("response.x-twice", "a, b"), ("response.x-twice", "a"), ("response.x-none", None),
    ("response.x-none", "*"),
    ("upstream.x-seen", "set up"), ("upstream.:path", "/items"), ("upstream.:method", "POST"),
]  # fmt: skip


def test_expectations_hold_in_the_page_where_they_hold_in_python(page: Page, mangler: Filter) -> None:
    open_proxy(page, [mangler])
    suite = Suite.parse("- {name: plain, request: GET /items}")
    exchange = run_cases(mangler, suite).results[0].exchange
    assert exchange is not None
    from wasmhub_magics.testing import Expectation

    expected = [Expectation(what, value) for what, value in EXPECTATIONS]
    ours = [each.holds(exchange) for each in expected]
    told_ = [[each.what, each.value] for each in expected]
    theirs = page.evaluate("([x, all]) => all.map(each => holds(x, each))", [exchange_data(exchange), told_])
    assert theirs == ours
    assert True in ours
    assert False in ours
