"""Requests out of pasted text, and back into text."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.formats.samples import (
    BROWSER,
    CHUNKED,
    COMBINED,
    ENVOY,
    FALSE_TEXTS,
    FLAGS,
    HAR,
    HTTP_FILE,
    ISTIO,
    JSON_LOG,
    REQUESTS,
)
from wasmhub_magics.errors import RequestError
from wasmhub_magics.formats import FORMS, read_request, read_requests, write
from wasmhub_magics.http import Request


def test_a_curl_line_over_several_lines_is_read() -> None:
    request = read_request(BROWSER)
    assert (request.method, request.path, request.authority) == ("POST", "/items", "a.b")
    assert request.headers["x-user"] == "ada"
    assert request.body == b"it's\n"


def test_flags_of_curl_that_say_nothing_about_the_request_are_passed_over() -> None:
    assert read_request(FLAGS) == Request("GET", "/x", authority="a.b", scheme="https", version="2")


def test_several_curl_lines_are_several_requests() -> None:
    found = read_requests("curl http://a/1\ncurl -H 'x: curl it' http://a/2\n")
    assert [request.path for request in found] == ["/1", "/2"]


def test_every_request_of_a_har_file_is_read() -> None:
    first, second = read_requests(json.dumps(HAR))
    assert (first.method, first.path, first.scheme) == ("POST", "/items?id=1", "https")
    assert first.headers.pairs == (("content-type", "application/json"),)
    assert first.body == b'{"a": 1}'
    assert second.path == "/"


@pytest.mark.parametrize(
    ("line", "path", "headers"),
    [
        (
            COMBINED,
            "/a?b=1",
            {"user-agent": "Agent 1", "referer": "http://r/", "x-forwarded-for": "1.2.3.4"},
        ),
        (
            ENVOY,
            "/items",
            {
                "user-agent": "curl/8",
                "x-request-id": "cc21d9b0-cf5c-432b-8c7e-98aeb7988cd2",
                "x-forwarded-for": "10.0.35.28",
            },
        ),
        (ISTIO, "/items", {"user-agent": "curl/8", "x-request-id": "id-1"}),
        (JSON_LOG, "/items", {"user-agent": "curl/8"}),
    ],
    ids=["combined", "envoy", "istio", "json"],
)
def test_a_line_of_an_access_log_is_a_request(line: str, path: str, headers: dict[str, str]) -> None:
    request = read_request(line)
    assert request.path == path
    assert request.headers == headers


def test_a_raw_message_with_chunks_and_trailers_is_read() -> None:
    request = read_request(CHUNKED)
    assert (request.authority, request.body, request.chunks) == ("a.b", b"abcdefgh", (3,))
    assert request.frames == (b"abc", b"defgh")
    assert request.trailers == {"x-sum": "7"}


def test_a_file_for_rest_clients_holds_many_requests() -> None:
    one, two = read_requests(HTTP_FILE)
    assert (one.path, one.headers["accept"]) == ("/1", "*/*")
    assert (two.method, two.body) == ("POST", b"body")


@pytest.mark.parametrize("text", FALSE_TEXTS)
def test_what_is_no_request_is_refused_in_words(text: str) -> None:
    with pytest.raises(RequestError):
        read_requests(text)


@pytest.mark.parametrize("request_", REQUESTS, ids=repr)
@pytest.mark.parametrize("form", ["curl", "http"])
def test_what_is_written_is_read_back(request_: Request, form: str) -> None:
    assert read_request(write(request_, form)) == request_


@pytest.mark.parametrize("request_", [*REQUESTS, Request("POST", "/", body=b"\xff\0", chunks=[1])], ids=repr)
def test_python_gives_the_same_request(request_: Request) -> None:
    line = next(line for line in write(request_, "python").splitlines() if ".send(" in line)
    code = line.partition(".send(")[2].removesuffix(")")
    assert eval(code, {"Request": Request}) == request_


def test_the_pytest_file_runs(tmp_path: Path) -> None:
    from wasmhub_magics import build

    build("def on_request_headers(ctx):\n    pass\n", name="my_filter").save(tmp_path / "my_filter.wasm")
    (tmp_path / "test_it.py").write_text(write(REQUESTS[0], "pytest"))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "test_it.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout


def test_bytes_that_are_no_text_are_refused_where_text_is_needed() -> None:
    with pytest.raises(RequestError, match="not text"):
        write(Request("POST", "/", body=b"\xff"), "curl")


def test_a_form_that_there_is_not_is_refused_with_those_there_are() -> None:
    with pytest.raises(RequestError) as caught:
        write(Request(), "java")
    assert all(form in str(caught.value) for form in FORMS)
