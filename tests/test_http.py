"""Headers, requests and responses are values."""

from __future__ import annotations

import pytest

from wasmhub_magics.errors import RequestError
from wasmhub_magics.http import Headers, Request, Response


def test_header_names_are_lower_cased_and_keep_their_order() -> None:
    headers = Headers({"X-B": "1", "x-a": "2"})
    assert headers.pairs == (("x-b", "1"), ("x-a", "2"))


def test_a_repeated_header_gives_all_its_values() -> None:
    headers = Headers([("via", "a"), ("x", "1"), ("Via", "b")])
    assert headers.getall("VIA") == ("a", "b")
    assert headers["via"] == "a, b"
    assert len(headers) == 2


def test_changed_headers_are_copies() -> None:
    headers = Headers({"a": "1"})
    assert headers.set("A", "2") == {"a": "2"}
    assert headers.add("a", "2").getall("a") == ("1", "2")
    assert headers.without("a") == {}
    assert headers == {"a": "1"}


def test_bytes_that_are_not_utf8_survive_a_round_trip() -> None:
    raw = [(b"x-raw", b"\xff\xfe")]
    assert Headers.decode(raw).encode() == raw


@pytest.mark.parametrize("bad", [[("a b", "1")], [("", "1")], [("a", "1\r\nb: 2")], [("a", 1)], [("a",)], 5])
def test_headers_that_could_smuggle_a_line_are_refused(bad: object) -> None:
    with pytest.raises(RequestError):
        Headers(bad)  # type: ignore[arg-type]


def test_headers_are_immutable() -> None:
    with pytest.raises(AttributeError, match="immutable"):
        Headers().pairs = ()


def test_header_values_are_escaped_in_html() -> None:
    assert "<script>" not in Headers({"x": "<script>"})._repr_html_()


def test_a_host_header_becomes_the_authority() -> None:
    request = Request(headers={"Host": "example.com", "x": "1"})
    assert request.authority == "example.com"
    assert request.headers == {"x": "1"}


def test_a_body_travels_in_the_chunks_that_were_planned() -> None:
    assert Request(body="abcdef", chunks=[1, 2]).frames == (b"a", b"bc", b"def")
    assert Request(body="abc").frames == (b"abc",)
    assert Request(body="ab", chunks=[2, 5]).frames == (b"ab",)
    assert Request().frames == ()


def test_the_frames_of_http2_have_16_kib_at_most() -> None:
    body = bytes(40_000)
    assert [len(f) for f in Request(body=body, version="2").frames] == [16384, 16384, 7232]
    assert [len(f) for f in Request(body=body).frames] == [40_000]


def test_a_version_of_http_that_nobody_speaks_is_refused() -> None:
    with pytest.raises(RequestError, match="HTTP/3"):
        Request(version="3")


@pytest.mark.parametrize("chunks", [[0], [-1], ["a"]])
def test_a_chunk_holds_at_least_one_byte(chunks: list[int]) -> None:
    with pytest.raises(RequestError):
        Request(body="abc", chunks=chunks)


@pytest.mark.parametrize(
    ("method", "path"), [("", "/"), ("GE T", "/"), ("GET", ""), ("GET", "/a b"), ("GET", "/\r\n")]
)
def test_a_request_line_that_cannot_travel_is_refused(method: str, path: str) -> None:
    with pytest.raises(RequestError):
        Request(method, path)


@pytest.mark.parametrize("status", [0, 100, 199, 600])
def test_a_response_has_a_final_status(status: int) -> None:
    with pytest.raises(RequestError):
        Response(status)


def test_requests_are_values() -> None:
    assert Request("GET", "/a") == Request("GET", "/a")
    assert hash(Request("GET", "/a")) == hash(Request("GET", "/a"))
    assert Request("GET", "/a").replace(path="/b") == Request("GET", "/b")
