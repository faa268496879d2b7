"""The examples of docs/rust.md and docs/go.md do what the pages say, in the embedded proxy and in Envoy."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from wasmhub_magics.build import build_module
from wasmhub_magics.envoy import verify
from wasmhub_magics.http import Request
from wasmhub_magics.plugin import Plugin
from wasmhub_magics.proxy import Proxy

DOCS = Path(__file__).parents[2] / "docs"
EXAMPLES = {
    (language, name): source
    for language in ("rust", "go")
    for name, source in re.findall(
        rf"```{language}\n// example: (\w+)\n(.*?)```", (DOCS / f"{language}.md").read_text(), re.S
    )
}
LANGUAGES = pytest.mark.parametrize("language", ["rust", "go"])


@pytest.fixture(autouse=True)
def cache(kept: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WASMHUB_CACHE", str(kept))
    return kept


@LANGUAGES
def test_every_block_of_the_page_is_an_example(language: str) -> None:
    page = (DOCS / f"{language}.md").read_text()
    assert page.count(f"```{language}\n") == sum(each[0] == language for each in EXAMPLES) == 2


@LANGUAGES
def test_the_gate_reads_its_configuration_refuses_and_changes_headers_and_body(language: str) -> None:
    built = build_module(EXAMPLES[language, "gate"], language)
    assert built.diagnostics == ()
    plugin = Plugin(built.module, "gate", configuration=b"open sesame")
    known = Request("POST", "/in", headers=[("x-key", "open sesame")], body="quiet")
    stranger = Request("GET", "/in")
    with Proxy([plugin]) as proxy:
        let_in, refused = proxy.send(known), proxy.send(stranger)
    assert let_in.response is not None
    assert let_in.response.body == b"QUIET"
    assert let_in.upstream_request is not None
    assert "x-key" not in let_in.upstream_request.headers
    assert [line.message for line in let_in.log] == ["let in"]
    assert refused.upstream_request is None
    assert refused.response is not None
    assert (refused.response.status, refused.response.body) == (403, b"NO KEY, NO ENTRY\n")
    assert refused.response.headers["x-by"] == "gate"
    report = verify([plugin], [known, stranger])
    assert report.agrees, str(report)
    refusal = verify([Plugin(built.module, "gate")], [known])
    assert refusal.agrees, str(refusal)
    assert "proxy_on_configure" in refusal.refused


@LANGUAGES
def test_a_source_on_the_bare_abi_needs_nothing_else(language: str) -> None:
    built = build_module(EXAMPLES[language, "bare"], language)
    assert built.diagnostics == ()
    plugin = Plugin(built.module, "bare")
    with Proxy([plugin]) as proxy:
        response = proxy.send(Request()).response
    assert response is not None
    assert response.headers["x-bare"] == "yes"
    report = verify([plugin])
    assert report.agrees, str(report)
