"""The examples of docs/c.md do what the page says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from wasmhub_magics.build import build_module

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "c.md").read_text()
GUEST = ROOT / "wasmhub_magics" / "guest"
HEADER = (GUEST / "c" / "proxy_wasm.h").read_text()
SHARED = "".join(header.read_text() for header in sorted((GUEST / "shared").glob("*.h")))
EXAMPLES = dict(re.findall(r"```c\n// example: (\w+)\n(.*?)```", PAGE, re.S))


def hello(host) -> None:
    host.headers = [(b":path", b"/where")]
    assert host("proxy_on_request_headers", 2, 1, 1) == 0
    assert host.log == [(2, "asked for /where")]
    assert host.headers[-1] == (b"x-hello", b"C")


def walk(host) -> None:
    host.headers = [(b":status", b"200"), (b"x-internal-a", b"1"), (b"x", b"2"), (b"x-internal-b", b"3")]
    assert host("proxy_on_response_headers", 2, 4, 1) == 0
    assert host.headers == [(b":status", b"200"), (b"x", b"2")]


def shout(host) -> None:
    host.headers = [(b"content-length", b"6")]
    host.buffers[1] = b"Hello!"
    host("proxy_on_response_headers", 2, 1, 0)
    assert host("proxy_on_response_body", 2, 6, 1) == 0
    assert host.headers == []
    assert host.buffers[1] == b"HELLO!"


def gate(host) -> None:
    assert host("proxy_on_configure", 1, 0) == 0
    host.buffers[7] = b"open sesame"
    assert host("proxy_on_configure", 1, 11) == 1
    host.headers = [(b"x-key", b"open sesame")]
    assert host("proxy_on_request_headers", 2, 1, 1) == 0
    host.headers = [(b"x-key", b"please")]
    host.properties[b"source\0address"] = b"10.0.0.1:80"
    assert host("proxy_on_request_headers", 3, 1, 1) == 1
    assert host.log == [(3, "refused 10.0.0.1:80")]
    pairs = host.encode([(b"content-type", b"text/plain")])
    assert host.calls == [("respond", (403, b"no key, no entry\n", pairs, 0xFFFFFFFF))]


def count(host) -> None:
    assert host("proxy_on_vm_start", 1, 0) == 1
    host("proxy_on_log", 2)
    assert [name for name, _ in host.calls] == ["proxy_define_metric", "proxy_increment_metric"]


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_of_the_page_builds_without_a_warning_and_does_what_it_says(name: str, guest) -> None:
    built = build_module(EXAMPLES[name], "c")
    assert built.diagnostics == ()
    {"hello": hello, "walk": walk, "shout": shout, "gate": gate, "count": count}[name](guest(built.module))


def test_every_block_of_the_page_is_an_example() -> None:
    assert PAGE.count("```c\n") == len(EXAMPLES) == 5


def test_every_name_on_the_page_is_in_a_header() -> None:
    names = set(re.findall(r"\b(?:pw|PW|proxy)_\w*[A-Za-z0-9]\b(?!\.h)", PAGE)) - {"proxy_wasm"}
    assert len(names) > 60
    assert {name for name in names if not re.search(rf"\b{name}\b", HEADER + SHARED)} == set()


def test_every_helper_of_the_header_is_on_the_page() -> None:
    helpers = re.findall(r"^(?:PW_HELPER|PW_INLINE)[^(=]*?\b\*?(pw_[a-z_]*[a-z])\(", HEADER, re.M)
    assert len(helpers) > 20
    internal = {"pw_vformat", "pw_encode_pairs", "pw_log"}
    assert {name for name in helpers if name not in PAGE} <= internal
