"""Comparing the embedded proxy with the real Envoy."""

import struct
from dataclasses import replace

import pytest

from wasmhub_magics.envoy import Difference, ParityReport, verify
from wasmhub_magics.envoy.verify import LEFT_OUT, _compare
from wasmhub_magics.errors import EnvoyMissing, RequestError
from wasmhub_magics.http import Request, Response
from wasmhub_magics.proxy.exchange import Exchange, LogLine

CALLBACKS = ["request_headers", "request_body", "response_headers", "response_body"]
REPLY = """(drop (call $reply (i32.const 403) (i32.const 0) (i32.const 0)
  (i32.const 1024) (i32.const 3) (i32.const 0) (i32.const 0) (i32.const -1)))"""


def test_a_filter_that_changes_and_logs_agrees_on_the_default_requests(plugin):
    report = verify(
        [
            plugin(
                configure='LOG("configured")',
                request_headers='ADD(0, "x-one", "1") ADD(0, "x-one", "2") LOG("in")',
                response_headers='ADD(2, "x-two", "2")',
                log='LOG("done")',
            )
        ]
    )
    assert report.agrees, repr(report)
    assert len(report.exchanges) == len(report.requests) == 3
    assert [real.engine for _, real in report.exchanges] == ["envoy"] * 3
    assert report.exchanges[1][1].upstream_request.headers.getall("x-one") == ("1", "2")


@pytest.mark.parametrize("callback", CALLBACKS)
@pytest.mark.parametrize("policy", ["closed", "open"])
def test_traps_agree_in_each_callback(plugin, callback, policy):
    trapping = plugin(options={"failure_policy": policy}, **{callback: "unreachable"})
    report = verify([trapping], [Request("POST", body="abc"), Request("POST", body="abc")])
    assert report.agrees, repr(report)
    outcome = "reset" if callback == "response_body" else "complete"  # there the headers have gone already
    assert report.exchanges[0][1].outcome == outcome
    assert any("failed: Uncaught RuntimeError" in line.message for line in report.exchanges[0][1].log)


@pytest.mark.parametrize("callback", CALLBACKS)
@pytest.mark.parametrize("code", ["(return (i32.const 1))", "(drop (call $close (i32.const 0)))", REPLY])
def test_pauses_resets_and_local_replies_agree_in_each_callback(plugin, callback, code):
    chain = [
        plugin("outer", response_headers='LOG("outer response")', log='LOG("outer done")'),
        plugin("inner", log='LOG("inner done")', **{callback: code}),
    ]
    report = verify(chain, [Request("POST", body="abc")], timeout=0.3)
    assert report.agrees, repr(report)


@pytest.mark.parametrize(
    "answer",
    [
        Response(204),
        Response(304),
        Response(200),
        Response(200, {"content-length": "3"}, "abc"),
        Response(500, [("set-cookie", "a"), ("set-cookie", "b")], "abcdef", chunks=[1, 2]),
        Response(200, body="x", trailers={"x-end": "1"}),
    ],
)
def test_all_forms_of_answers_agree(plugin, answer):
    frame = """
      (i32.store8 (i32.const 8) (i32.add (i32.const 48) (local.get 1)))
      (i32.store8 (i32.const 9) (i32.add (i32.const 48) (local.get 2)))
      (drop (call $log (i32.const 2) (i32.const 8) (i32.const 2)))
    """
    report = verify(
        [plugin(response_headers=frame, response_body=frame)], [Request(), Request("HEAD")], answer
    )
    assert report.agrees, repr(report)


@pytest.mark.parametrize("callback", ["request_headers", "response_headers"])
def test_a_status_among_the_headers_of_an_answer_does_not_change_its_status(plugin, callback):
    pairs = struct.pack("<III", 1, 7, 3) + b":status\0" + b"200\0"
    words = enumerate(struct.unpack("<3Q", pairs))
    stored = "".join(f"(i64.store (i32.const {2048 + 8 * at}) (i64.const {word}))" for at, word in words)
    answer = REPLY.replace(
        "(i32.const 0) (i32.const 0) (i32.const -1)", "(i32.const 2048) (i32.const 24) (i32.const -1)"
    )
    report = verify([plugin(**{callback: stored + answer + "(return (i32.const 1))"})], [Request()])
    assert report.agrees, repr(report)
    assert {each.response.status for each in report.exchanges[0]} == {403}


def test_lines_below_those_that_envoy_is_asked_for_make_no_difference(plugin):
    quiet = "".join(
        f"(drop (call $log (i32.const {level}) (i32.const 1024) (i32.const 2)))" for level in (0, 1)
    )
    report = verify([plugin(configure=quiet, request_headers=f'{quiet} LOG("in") {quiet}')], [Request()])
    assert report.agrees, repr(report)
    embedded, real = report.exchanges[0]
    assert [line.level for line in embedded.log] == ["trace", "debug", "info", "trace", "debug"]
    assert [line.level for line in real.log] == ["info"]


def test_two_refusals_to_start_agree(plugin):
    report = verify([plugin(configure="(return (i32.const 0))")])
    assert report.agrees
    assert "proxy_on_configure refused" in report.refused
    assert "both refuse to start" in repr(report)
    assert report.exchanges == ()


def test_what_the_upstream_raises_comes_out(plugin):
    with pytest.raises(ZeroDivisionError):
        verify([plugin()], [Request()], lambda _: 1 / 0)


def test_no_request_is_an_error(plugin):
    with pytest.raises(RequestError, match="no request"):
        verify([plugin()], [])


def test_a_machine_without_envoy_is_told_so(plugin, monkeypatch, tmp_path):
    monkeypatch.setenv("WASMHUB_ENVOY", str(tmp_path / "none"))
    with pytest.raises(EnvoyMissing):
        verify([plugin()])


def exchange(**changes):
    request = Request("GET", "/", {"x-request-id": changes.pop("number", "1-2-3")})
    made = Exchange(
        request=Request(),
        response=Response(
            200, [("date", "today"), ("x-a", "1"), ("x-a", "2")], "body", trailers={"x-t": "1"}
        ),
        received=request,
        upstream_request=request,
        upstream_response=Response(200),
        log=(LogLine("info", "hello", "a"),),
        details="via_upstream",
    )
    return replace(made, **changes)


def test_equal_exchanges_have_no_difference():
    assert list(_compare(0, exchange(), exchange())) == []


def test_random_and_timed_values_make_no_difference():
    def one(number, time):
        response = Response(
            200, {"x-id": number, "date": time, "x-envoy-upstream-service-time": time}, number
        )
        log = (LogLine("info", f"id {number}"), LogLine("info", f"x-envoy-upstream-service-time: {time}"))
        return exchange(number=number, response=response, log=log)

    assert list(_compare(0, one("aa-bb", "1"), one("cc-dd", "2"))) == []


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"outcome": "reset"}, "outcome"),
        ({"details": "other"}, "details"),
        ({"response": None}, "response"),
        ({"response": Response(404)}, "status"),
        ({"response": exchange().response.replace(body=b"other")}, "response body"),
        ({"response": exchange().response.replace(trailers={"x-t": "2"})}, "response trailers"),
        (
            {"response": exchange().response.replace(headers=[("x-a", "2"), ("x-a", "1")])},
            "response header x-a",
        ),
        ({"upstream_request": None}, "upstream request"),
        ({"upstream_request": exchange().received.replace(path="/other")}, "upstream path"),
        ({"upstream_request": exchange().received.replace(body=b"x")}, "upstream body"),
        ({"upstream_request": exchange().received.replace(trailers={"x": "1"})}, "upstream trailers"),
        ({"upstream_request": Request()}, "upstream header x-request-id"),
        ({"log": (LogLine("warn", "hello", "a"),)}, "log line 1"),
        ({"log": ()}, "log line 1"),
    ],
)
def test_each_thing_that_differs_is_told(changes, field):
    found = list(_compare(3, exchange(), exchange(**changes)))
    assert [(d.exchange, d.field) for d in found] == [(3, field)]
    assert found[0].embedded != found[0].envoy


def test_a_report_is_readable_as_text_and_as_html():
    request = Request("GET", "/<script>")
    difference = Difference(0, "response body", "<b>" * 200, "b'x'")
    report = ParityReport(("a",), (request,), ((exchange(), exchange()),), (difference,), LEFT_OUT, "1.40.0")
    assert not report.agrees
    assert "differ in 1 point on 1 request" in repr(report)
    assert "x-request-id" in repr(report)
    page = report._repr_html_()
    assert "&lt;script&gt;" in page
    assert "<script>" not in page
    assert "(600 characters)" in page
    assert "agree on 1 request" in repr(replace(report, differences=()))
