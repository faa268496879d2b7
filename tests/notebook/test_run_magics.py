"""%wasm_send, %wasm_bench, %wasm_verify."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.notebook.conftest import PYTHON_GREETER, Shell
from wasmhub_magics.errors import RequestError, WasmhubError


def test_send_takes_curls_flags_and_returns_the_exchange(greeter: Shell) -> None:
    exchange = greeter.run("%wasm_send greeter GET /items?id=1 -H 'x-user: ada'")
    assert exchange.request.path == "/items?id=1"
    assert exchange.upstream_request.headers["x-greeting"] == "hello ada"
    assert exchange.response.status == 200
    assert "+ x-greeting: hello ada" in repr(exchange)
    assert "wh-add" in exchange._repr_html_()


def test_braces_and_dollars_of_a_body_reach_the_filter(greeter: Shell) -> None:
    greeter.run("a = 'REPLACED'")
    exchange = greeter.run(
        """%wasm_send greeter -d '{"a":1,"b":"$a"}' -H 'content-type: application/json' /items"""
    )
    assert exchange.request.body == b'{"a":1,"b":"$a"}'
    assert exchange.request.method == "POST"


def test_flags_may_stand_between_the_words(greeter: Shell) -> None:
    exchange = greeter.run("%wasm_send greeter PUT -H 'x-user: ada' /items -d x")
    assert (exchange.request.method, exchange.request.path) == ("PUT", "/items")


def test_a_request_in_a_variable_is_sent(greeter: Shell) -> None:
    greeter.run("from wasmhub_magics import Request\nr = Request('DELETE', '/x', {'x-user': 'eve'})")
    assert greeter.run("%wasm_send greeter @r").request.method == "DELETE"


def test_the_upstream_is_a_status_a_response_or_a_function(greeter: Shell) -> None:
    assert greeter.run("%wasm_send greeter / --upstream 503").response.status == 503
    greeter.run("from wasmhub_magics import Response\nr = Response(201, {'x-a': 'b'}, 'made')")
    assert greeter.run("%wasm_send greeter / --upstream @r").response.body == b"made"
    greeter.run("def upstream(request):\n    return Response(200, {}, request.headers['x-greeting'])")
    assert greeter.run("%wasm_send greeter / --upstream @upstream").response.body == b"hello stranger"


@pytest.mark.parametrize(
    "line",
    [
        "%wasm_send",
        "%wasm_send nothing /",
        "%wasm_send greeter / --upstream maybe",
        "%wasm_send greeter / --upstream 99",
        "%wasm_send greeter / --upstream @nothing",
        "%wasm_send greeter / --upstream @number",
        "%wasm_send greeter @number",
        "%wasm_send greeter / -H nonsense",
        "%wasm_send greeter / /more",
        "%wasm_send greeter / --engine car",
        "%wasm_send greeter / -d @nothing.json",
        "%wasm_send greeter 'open",
        "%wasm_test nothing",
        "%wasm_test",
        "%wasm_bench nothing",
        "%wasm_bench greeter --vs nothing",
        "%wasm_bench greeter --rate 5",
        "%wasm_verify greeter @number",
        "%wasm_verify nothing",
        "%wasm_push nothing",
        "%wasm_push greeter --username ada --password secret123",
        "%wasm_push greeter --password @number",
        "%wasm_pull",
        "%wasm_deploy nothing",
        "%wasm_deploy greeter --to mars",
        "%wasm_undeploy nothing",
        "%wasm_status extra",
        "%wasm_doctor extra",
    ],
)
def test_a_mistake_is_told_without_a_traceback(greeter: Shell, line: str) -> None:
    greeter.run("number = 5")
    error = greeter.fail(line)
    assert isinstance(error, WasmhubError)
    assert "secret123" not in str(error)
    rendered = "\n".join(error._render_traceback_())  # type: ignore[attr-defined]
    assert "File " not in rendered
    assert len(rendered.splitlines()) < 12


def test_the_filter_keeps_its_machine_between_sends(shell: Shell) -> None:
    shell.run(
        "%%wasm_filter counter\nseen = 0\ndef on_request_headers(ctx):\n    global seen\n    seen += 1\n"
        "    ctx.request.headers['x-seen'] = str(seen)\n"
    )
    seen = [shell.run("%wasm_send counter /").upstream_request.headers["x-seen"] for _ in range(3)]
    assert seen == ["1", "2", "3"]


def test_an_error_of_plain_python_code_still_shows_where_in_the_cell(greeter: Shell) -> None:
    error = greeter.fail("from wasmhub_magics import Request\nRequest('NO METHOD')")
    assert isinstance(error, RequestError)
    assert not hasattr(error, "_render_traceback_")


def test_bench_reports_the_filter_and_the_baseline(greeter: Shell) -> None:
    report = greeter.run("%wasm_bench greeter /items -H 'x-user: ada' --seconds 0.2")
    assert report.exchanges > 0
    assert report.baseline.count > 0
    bundle = report._repr_mimebundle_()
    assert "image/svg+xml" in bundle


def test_bench_measures_the_last_request_where_none_is_named(greeter: Shell) -> None:
    greeter.run("%wasm_send greeter POST /last -H 'x-user: ada'")
    assert greeter.run("%wasm_bench greeter --seconds 0.1").request == "POST /last"
    assert greeter.run("%wasm_bench greeter GET / --seconds 0.1").request == "GET /"
    assert greeter.run("%wasm_bench greeter -H 'x-user: eve' --seconds 0.1").request == "GET /"


def test_bench_puts_two_filters_side_by_side(greeter: Shell) -> None:
    greeter.run("%%wasm_filter other\n" + PYTHON_GREETER.replace("hello", "good morning"))
    comparison = greeter.run("%wasm_bench greeter --vs other --seconds 0.2")
    assert [report.name for report in comparison.reports] == ["other", "greeter"]
    assert "no build before" in str(greeter.fail("%wasm_bench other --vs before"))
    greeter.run("%%wasm_filter other\n" + PYTHON_GREETER)
    old, new = greeter.run("%wasm_bench other --vs before --seconds 0.2").reports
    assert (old.name, new.name) == ("other, the build before", "other")
    assert old.digest == comparison.reports[0].digest
    assert old.digest != new.digest
    greeter.run("%%wasm_filter other\ndef on_request_headers(ctx):\n    1 + 'a'")
    greeter.run("%%wasm_filter other\n" + PYTHON_GREETER)
    mended = greeter.run("%wasm_bench other --vs before --seconds 0.1").reports
    assert [each.digest for each in mended] == [old.digest, new.digest]  # the build between them fails


def test_a_filter_that_never_answered_has_no_build_to_be_measured_beside(shell: Shell) -> None:
    shell.run("%%wasm_filter other\ndef on_request_headers(ctx):\n    1 + 'a'")
    shell.run("%%wasm_filter other\n" + PYTHON_GREETER)
    assert "no build of other before this one" in str(shell.fail("%wasm_bench other --vs before"))


def test_a_mix_in_the_real_envoy_is_measured_and_its_report_goes_into_the_shared_page(
    greeter: Shell, tmp_path: Path
) -> None:
    page = tmp_path / "greeter.html"
    assert "has not been measured" in str(greeter.fail(f"%wasm_share greeter {page} --report"))
    cases = (
        "- {name: list, request: GET /items, weight: 3, expect: 200}\n"
        "- {name: buy, request: curl -d item=7 /orders, weight: 1, expect: 200}\n"
    )
    greeter.run("%%wasm_cases greeter\n" + cases)
    report = greeter.run("%wasm_bench greeter --mix --engine envoy --rate 40 --seconds 0.5")
    assert report.engine == "envoy"
    assert report.request == "mix of 75% GET /items, 25% POST /orders"
    assert report.exchanges == report.unfiltered.exchanges >= 20
    assert report.filtered.statuses == ((200, report.exchanges),)
    shared = greeter.run(f"%wasm_share greeter {page} --report")
    assert any("a latency report" in each for each in shared.reveals)
    assert "greeter: latency in real Envoy" in page.read_text()


def test_the_same_request_goes_through_the_real_envoy(greeter: Shell) -> None:
    exchange = greeter.run("%wasm_send greeter GET /items -H 'x-user: ada' --engine envoy")
    assert exchange.engine == "envoy"
    assert exchange.upstream_request.headers["x-greeting"] == "hello ada"


def test_verify_compares_with_the_real_envoy(greeter: Shell) -> None:
    greeter.run(
        "from wasmhub_magics import Request\n"
        "requests = [Request('GET', '/a'), Request('POST', '/b', body='x')]"
    )
    assert greeter.run("%wasm_verify greeter @requests").agrees
    assert greeter.run("%wasm_verify greeter /items -H 'x-user: ada'").agrees
