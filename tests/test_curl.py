"""A curl line is read as curl reads it."""

from __future__ import annotations

from pathlib import Path

import pytest

from wasmhub_magics.curl import parse_curl
from wasmhub_magics.errors import RequestError
from wasmhub_magics.http import Request


def test_a_pasted_line_gives_the_request_curl_would_send() -> None:
    request = parse_curl("curl 'http://api.test:8080/items?id=1' -H 'X-User: ada' -d a=1 --data b=2 -sS")
    assert request == Request(
        "POST",
        "/items?id=1",
        [("x-user", "ada"), ("content-type", "application/x-www-form-urlencoded")],
        b"a=1&b=2",
        authority="api.test:8080",
    )


def test_a_method_may_stand_before_a_bare_path() -> None:
    assert parse_curl("DELETE /items/1") == Request("DELETE", "/items/1")
    assert parse_curl("") == Request("GET", "/")


def test_json_sets_content_type_and_accept() -> None:
    request = parse_curl(["--json", '{"a": 1}', "/x"])
    assert request.method == "POST"
    assert request.headers == {"content-type": "application/json", "accept": "application/json"}


def test_data_goes_into_the_query_with_get() -> None:
    assert parse_curl("-G /x -d a=1 -d b=2").path == "/x?a=1&b=2"


def test_a_header_without_value_is_left_out_and_one_with_semicolon_is_empty() -> None:
    assert parse_curl("/ -A me -H 'user-agent:'").headers == {}
    assert parse_curl("/ -H 'x-empty;'").headers == {"x-empty": ""}


def test_user_and_password_become_basic_authorization() -> None:
    assert parse_curl("/ -u ada:secret").headers["authorization"] == "Basic YWRhOnNlY3JldA=="


def test_a_body_comes_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "body.txt"
    file.write_bytes(b"one\ntwo\n")
    assert parse_curl(["/", "-d", f"@{file}"]).body == b"onetwo"
    assert parse_curl(["/", "--data-binary", f"@{file}"]).body == b"one\ntwo\n"


def test_http2_is_asked_for_as_curl_does() -> None:
    assert parse_curl("/ --http2-prior-knowledge").version == "2"
    assert parse_curl("/").version == "1.1"


def test_chunks_and_trailers_can_be_planned() -> None:
    request = parse_curl("/ -d abcdef --chunks 2,3 --trailer 'x-sum: 6'")
    assert request.frames == (b"ab", b"cde", b"f")
    assert request.trailers == {"x-sum": "6"}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("/ -H nonsense", "no header"),
        ("/a /b", "one path or URL"),
        ("/ 'open", "quot"),
        ("/ --no-such-flag", "no-such-flag"),
        ("/ -d @/no/such/file", "cannot be read"),
        ("/ --chunks two", "chunk sizes"),
    ],
)
def test_a_line_that_cannot_be_read_says_why(line: str, said: str) -> None:
    with pytest.raises(RequestError) as caught:
        parse_curl(line)
    assert said in str(caught.value)
