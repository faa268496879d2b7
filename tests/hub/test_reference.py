"""Names of images are read as docker reads them, and bad ones are explained."""

from __future__ import annotations

import pytest

from wasmhub_magics.errors import RequestError
from wasmhub_magics.hub import Reference, parse_reference
from wasmhub_magics.hub.reference import is_loopback

DIGEST = "sha256:" + "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("greeter", Reference("greeter", "latest")),
        ("team/greeter:v1", Reference("team/greeter", "v1")),
        ("a/b/c/d__e-f.g:V_1.0-x", Reference("a/b/c/d__e-f.g", "V_1.0-x")),
        ("localhost/greeter", Reference("greeter", "latest", "", "localhost")),
        ("localhost:5000/team/greeter:v1", Reference("team/greeter", "v1", "", "localhost:5000")),
        ("127.0.0.1:5000/greeter", Reference("greeter", "latest", "", "127.0.0.1:5000")),
        ("[::1]:5000/greeter:v1", Reference("greeter", "v1", "", "[::1]:5000")),
        ("Registry.Example.com/greeter", Reference("greeter", "latest", "", "Registry.Example.com")),
        (f"greeter@{DIGEST}", Reference("greeter", "", DIGEST)),
        (f"r.example/greeter:v1@{DIGEST}", Reference("greeter", "v1", DIGEST, "r.example")),
        (" oci://r.example/greeter:v1 ", Reference("greeter", "v1", "", "r.example")),
    ],
)
def test_a_name_is_taken_apart(text: str, expected: Reference) -> None:
    assert parse_reference(text) == expected


@pytest.mark.parametrize(
    "text", ["greeter:latest", "team/greeter:v1", f"r.example:5000/a/b:v1@{DIGEST}", f"a@{DIGEST}"]
)
def test_a_name_that_was_read_prints_as_it_was(text: str) -> None:
    assert str(parse_reference(text)) == text
    assert parse_reference(parse_reference(text)) == parse_reference(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"),
        ("   ", "empty"),
        ("https://registry.example/greeter", "no URL"),
        ("localhost:5000", "no repository"),
        ("registry.example:443", "no repository"),
        ("localhost:5000/", "no name of a repository"),
        ("Greeter", "greeter would do"),
        ("my greeter", "my-greeter would do"),
        ("team//greeter", "no name of a repository"),
        ("../greeter", "no address"),
        ("a/../../b", "no name of a repository"),
        ("/etc/passwd", "no name of a repository"),
        ("greeter:", "no tag"),
        ("greeter:-v1", "no tag"),
        ("greeter:v1:v2", "no tag"),
        ("greeter:" + "v" * 129, "no tag"),
        ("greeter@sha256:12", "no digest"),
        ("greeter@", "no digest"),
        (f"greeter@{DIGEST.upper()}", "no digest"),
        ("local host:5000/greeter", "no address"),
        ("user@host.example/greeter", "holds no login"),
        ("host:99999/greeter", "no address"),
        ("host:port/greeter", "no address"),
        ("a" * 256, "no name of a repository"),
        ("gr\u00fc\u00dfe", "no name of a repository"),
        ("greeter\n", None),
        (7, "no name of an image"),
    ],
)
def test_a_bad_name_is_explained(text: str, says: str | None) -> None:
    if says is None:
        assert parse_reference(text).repository == text.strip()
        return
    with pytest.raises(RequestError) as caught:
        parse_reference(text)
    assert says in str(caught.value)
    assert caught.value.do


@pytest.mark.parametrize(
    "text",
    [
        "ada:hunter2@host.example/greeter",
        "https://ada:hunter2@host.example/x",
        "ada:hunter2@x",
        "a:b@hunter2@h/x",
    ],
)
def test_a_password_in_a_name_is_not_repeated(text: str) -> None:
    with pytest.raises(RequestError) as caught:
        parse_reference(text)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("localhost:5000", True),
        ("hub.localhost:80", True),
        ("127.8.9.1:5000", True),
        ("[::1]:5000", True),
        ("localhost.example.com", False),
        ("10.0.0.1:5000", False),
        ("127.0.0.1.example.com", False),
        ("[2001:db8::1]:5000", False),
    ],
)
def test_only_this_machine_counts_as_loopback(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected
