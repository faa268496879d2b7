"""What a publisher tells travels with the image, wherever the image goes, and changes none of its layers."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from urllib3 import HTTPResponse

from tests.hub.peers import run
from wasmhub_magics import build
from wasmhub_magics.errors import RequestError
from wasmhub_magics.hub import About, Store, info, parse_reference, pull, push
from wasmhub_magics.hub.about import ABOUT, first_sentence
from wasmhub_magics.hub.manifest import EMPTY, INDEX
from wasmhub_magics.hub.place import opened
from wasmhub_magics.hub.registry import Registry
from wasmhub_magics.module import Module

SOURCE = "def on_request_headers(ctx):\n    ctx.request.headers['x-a'] = 'ä'\n"
FULL = About(
    title="greeter",
    description="Says hello",
    version="1.2.3",
    licenses="Apache-2.0",
    authors="Ada",
    vendor="Acme",
    url="https://example.com",
    documentation="https://example.com/docs",
    repository="https://example.com/git",
    revision="abc123",
    created="2026-01-31T12:00:00Z",
    category="networking",
    keywords=("hello", "headers"),
    language="python",
    toolchain="MicroPython 1.26",
    flags="--opt speed",
    verdict="ABI 0.2.1: every import is one that Envoy offers",
    readme="# Greeter\n\nSays *hello* to everybody. And more.\n",
    example_config='{"greeting": "hello"}',
    config_schema={"type": "object", "properties": {"greeting": {"type": "string"}}},
    tests=[{"name": "greets", "passed": True}],
    benchmark={"p50_ns": 512},
    source=SOURCE,
    source_name="greeter.py",
    extra={"example.com/own": "yes"},
)
STANDARD = "org.opencontainers.image."


@pytest.mark.parametrize("layout", ["compat", "solo", "cncf"])
def test_all_of_it_comes_back_from_a_registry(anywhere: Any, module: Module, layout: Any) -> None:
    image = push(module, anywhere.fresh(), about=FULL, layout=layout)
    told = info(image.reference)
    for name in FULL.__dataclass_fields__:
        if name != "extra":
            assert getattr(told.about, name) == getattr(FULL, name), name
    assert told.about.extra["example.com/own"] == "yes"
    assert told.problems == ()
    assert (told.readme, told.schema) == (FULL.readme, FULL.config_schema)
    assert pull(image.reference)[0] == module


def test_standard_annotations_hold_what_they_are_for(module: Module) -> None:
    notes = push(module, "greeter", about=FULL).annotations
    for name in ("title", "description", "version", "licenses", "authors", "vendor", "url", "documentation",
                 "revision", "created"):  # fmt: skip
        assert notes[STANDARD + name] == getattr(FULL, name)
    assert notes[STANDARD + "source"] == FULL.repository
    assert notes["io.artifacthub.package.keywords"] == "hello,headers"


def test_it_adds_no_layer_and_has_the_same_digest_with_and_without_a_readme(module: Module) -> None:
    plain = push(module, "a", about=About(title="g", description="x"))
    full = push(module, "b", about=About(title="g", description="x", readme="# Long\n", tests=[1]))
    assert plain.digest == full.digest


def test_the_same_facts_have_the_same_digests(module: Module, anywhere: Any) -> None:
    first, second = (push(module, anywhere.fresh(), about=FULL) for _ in range(2))
    with Registry(anywhere.address) as registry:
        digests = {
            registry.referrers(each.reference, each.digest, ABOUT)[0].digest for each in (first, second)
        }
    assert len(digests) == 1
    assert first.digest == second.digest


def test_what_is_told_last_of_the_same_module_counts(anywhere: Any, module: Module) -> None:
    for reference in (anywhere.fresh(), "team/greeter:v1"):
        digests = set()
        for text in ("A", "B", "B", "C", "A"):
            about = About(title="g", readme=f"# {text}", tests={"cases": []} if text == "A" else None)
            digests.add(push(module, reference, about=about).digest)
            told = info(reference).about
            assert (told.readme, told.tests) == (about.readme, about.tests)
        assert len(digests) == 1
        with opened(parse_reference(reference)) as place:
            assert len(place.referrers(parse_reference(reference), digests.pop(), ABOUT)) == 4


def test_files_of_the_same_content_travel_too(anywhere: Any, module: Module) -> None:
    same = About(title="g", readme="{}", example_config="{}", source="{}", source_name="a.json", tests={})
    told = info(push(module, anywhere.fresh(), about=same).reference).about
    assert (told.readme, told.example_config, told.source, told.tests) == ("{}", "{}", "{}", {})


def test_oras_pulls_the_files_by_their_names(anywhere: Any, module: Module, tmp_path: Path) -> None:
    image = push(module, anywhere.fresh(), about=FULL)
    found = json.loads(run("oras", "discover", "--plain-http", "--format", "json", image.reference))
    about = next(each for each in found["referrers"] if each["artifactType"] == ABOUT)
    name = f"{str(image.reference).rpartition(':')[0]}@{about['digest']}"
    run("oras", "pull", "--plain-http", name, "-o", tmp_path / "out")
    assert (tmp_path / "out" / "README.md").read_text() == FULL.readme
    assert json.loads((tmp_path / "out" / "config.schema.json").read_text()) == FULL.config_schema
    assert (tmp_path / "out" / "source" / "greeter.py").read_text() == SOURCE


def test_it_travels_through_the_store_and_is_removed_with_its_image(
    module: Module, make: Callable[[str], Module]
) -> None:
    image = push(module, "team/greeter:v1", about=FULL)
    push(make("other"), "team/greeter:v2", about=FULL)
    assert info("team/greeter:v1").readme == FULL.readme
    Store().delete("team/greeter:v1")
    assert Store().referrers(parse_reference("team/greeter"), image.digest) == ()
    assert info("team/greeter:v2").readme == FULL.readme


def test_a_filter_tells_what_it_was_built_from_and_with(anywhere: Any) -> None:
    made = build(SOURCE, name="greeter").configure({"greeting": "hi"})
    image = made.push(anywhere.fresh(), readme="# Hi\n\nGreets all.", keywords=("x",))
    told = info(image.reference)
    assert (told.about.source, told.about.source_name) == (SOURCE, "greeter.py")
    assert (told.about.language, told.about.example_config) == ("python", '{"greeting": "hi"}')
    assert told.about.toolchain
    assert "every import is one that Envoy offers" in told.about.verdict
    assert image.description == "Greets all."
    assert told.provenance is not None
    assert told.sbom is not None
    assert str(image.digest) in repr(told)
    assert "Greets all" in told._repr_html_()


def test_a_source_that_is_kept_here_leaves_its_digest(module: Module) -> None:
    image = build(SOURCE, name="greeter").push("greeter", source=False)
    told = info(image.reference)
    assert told.about.source == ""
    assert told.about.source_digest.startswith("sha256:")


def test_a_source_that_was_exchanged_is_told(hub: Any, module: Module) -> None:
    image = push(module, hub.fresh(), about=FULL)
    from wasmhub_magics.hub.about import pack_about

    forged = pack_about(About(source="evil", source_name="a.py"), Store().manifest(
        push(module, "local", about=FULL).reference).descriptor)  # fmt: skip
    assert forged is not None
    with Registry(hub.address) as registry:
        for each in registry.referrers(image.reference, image.digest, ABOUT):
            registry.delete(parse_reference(f"{hub.address}/{image.reference.repository}@{each.digest}"))
        registry.write(parse_reference(f"{hub.address}/{image.reference.repository}"), forged)
    told = info(image.reference)
    assert "not the one that it was built from" in told.problems[0].what
    assert told.about.source == ""


@pytest.mark.parametrize(
    ("readme", "sentence"),
    [
        ("# T\n\nFirst *one*. Second.", "First one."),
        ("[![b](x)](y)\n\n## A\n\n> See [docs](u) now", "See docs now"),
        (
            "Calls `on_request_headers` and x_y, *then* `a*b > _c_`, _so_.",
            "Calls on_request_headers and x_y, then a*b > _c_, so.",
        ),
        ("", ""),
        ("# only a title", ""),
        ("x" * 300, "x" * 199 + "…"),
    ],
)
def test_a_description_that_is_missing_is_the_first_sentence(readme: str, sentence: str) -> None:
    assert first_sentence(readme) == sentence


@pytest.mark.parametrize(
    "facts",
    [{"keywords": "one,two"}, {"config_schema": "text"}, {"tests": {1, 2}}, {"benchmark": float("nan")}],
)
def test_facts_that_cannot_travel_are_refused(module: Module, facts: dict[str, Any]) -> None:
    with pytest.raises(RequestError):
        push(module, "greeter", about=About(**facts))


def test_it_is_found_where_the_registrys_own_list_knows_no_artifact_types(
    registry: Any, module: Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As that of zot 1.4 does, which takes the configuration's type for the artifact's."""
    image = push(module, registry.fresh(), about=FULL)
    (known,) = Registry(registry.address).referrers(image.reference, image.digest)
    vague = {**known.to_dict(), "artifactType": EMPTY, "annotations": {}}
    listed = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [vague]}).encode()
    plain = requests.Session.request

    def answered(self: requests.Session, method: str, url: str, **options: Any) -> requests.Response:
        response = plain(self, method, url, **options)
        if "/referrers/" in url:
            response.close()
            response.status_code, response.raw = 200, HTTPResponse(io.BytesIO(listed), preload_content=False)
        return response

    monkeypatch.setattr(requests.Session, "request", answered)
    assert info(image.reference).readme == FULL.readme
