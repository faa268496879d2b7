"""Exported filters are projects that the plain toolchains build, and come back as they were."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from wasmhub_magics import Filter, Proxy, Request, build, load
from wasmhub_magics.build import BuildOptions, find_language, languages
from wasmhub_magics.build.cache import cache_root
from wasmhub_magics.build.rust_toolchain import find_rust
from wasmhub_magics.errors import BuildError
from wasmhub_magics.examples import Table, example, starter

SAME_BYTES = {"python", "javascript", "c", "zig", "assemblyscript", "wat"}
"""The languages whose own toolchain gives the very module; the others write names of the project into it,
or link another standard library."""


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One cache for all: what a compiler does only once is done once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WASMHUB_CACHE", str(tmp_path_factory.getbasetemp() / "languages"))
        yield


def make(folder: Path, *words: str, environment: dict[str, str] | None = None) -> None:
    """Run make in a project with the tools of this test's Python."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["make", f"PYTHON={sys.executable}", *words],
        cwd=folder,
        env={**os.environ, "PATH": path, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def plainly(language: str, folder: Path) -> tuple[list[str], dict[str, str]]:
    """How a plain toolchain of this machine is named to make."""
    if language == "c":
        return ["zig"], {}
    if language == "zig":
        return [f"ZIG={sys.executable} -m ziglang"], {}
    if language == "go":
        home = cache_root() / "go" / find_language("go").detect().version
        return [], {"GOCACHE": str(home / "build"), "GOMODCACHE": str(home / "mod")}
    if language != "rust":
        return [], {}
    rust = find_rust()
    assert rust is not None
    environment = dict(rust.environment)
    environment["PATH"] = f"{Path(rust.command[0]).parent}{os.pathsep}{os.environ['PATH']}"
    if rust.linker:
        script = folder.parent / "linker"
        script.write_text(f'#!/bin/sh\n[ "$1" = -flavor ] && shift 2\nexec {" ".join(rust.linker)} "$@"\n')
        script.chmod(0o755)
        environment[f"CARGO_TARGET_{rust.target.upper().replace('-', '_')}_LINKER"] = str(script)
    return [f"TARGET={rust.target}", f"OPTIONS={' '.join(rust.flags)}"], environment


@pytest.mark.parametrize("language", [name for name in languages() if name != "wasm"])
def test_a_project_builds_tests_and_comes_back(language: str, tmp_path: Path) -> None:
    shown = example("headers")
    made = build(shown.source(language), language, "headers")
    folder = made.export(tmp_path / "headers", shown.told)
    words, environment = plainly(language, folder)
    make(folder, *words, environment=environment)
    built, back = load(folder / "headers.wasm"), load(folder)
    table = Table.read(folder / "tests" / "exchanges.json")
    with Proxy(built.configure(table.config), clusters=table.clusters) as proxy:
        assert table.differences(proxy) == []
    assert back.digest == made.digest
    assert (back.name, back.language, back.source) == ("headers", language, made.source)
    assert (built.digest == made.digest) == (language in SAME_BYTES)


def test_a_filter_for_the_assemblyscript_sdk_of_old_is_a_project_too(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "assemblyscript.md").read_text()
    (source,) = re.findall(r"^```typescript\n([^`]*@solo-io/[^`]*)^```", page, re.M)
    made = build(source, "assemblyscript", "old").configure("world")
    folder = made.export(tmp_path / "old", [made.send(Request())])
    make(folder, "all", "test")
    assert load(folder / "old.wasm").digest == load(folder).digest == made.digest


def test_the_test_of_a_project_notices_a_changed_filter(tmp_path: Path) -> None:
    made = build(starter("python"), "python", "greeter")
    exchange = made.send(Request("GET", "/", {"x-user": "ada"}))
    folder = made.export(tmp_path / "greeter", [exchange])
    make(folder, "test")
    source = folder / "src" / "filter.py"
    source.write_text(source.read_text().replace("hello", "bye"))
    assert load(folder).send(Request()).upstream_request.headers["x-greeting"] == "bye stranger"
    with pytest.raises(AssertionError, match="x-greeting is bye ada, not hello ada"):
        make(folder, "test")


def test_options_files_and_settings_come_back(tmp_path: Path) -> None:
    options = BuildOptions(
        defines=(("LIMIT", "5"),),
        files=(("helpers.py", "def twice(n):\n    return 2 * n\n"),),
        first_line=2,
    )
    source = """
import helpers

def on_request_headers(ctx):
    ctx.request.headers["x-n"] = str(helpers.twice(LIMIT))
"""
    made = build(source, "python", "limits", options=options).configure("text", root_id="r")
    folder = made.export(tmp_path / "limits")
    back = load(folder)
    assert back.digest == made.digest
    assert back.plugin.root_id == "r"
    assert back.plugin.configuration == b""
    assert json.loads((folder / "tests" / "exchanges.json").read_text())["config"] == "text"
    assert back.send().upstream_request.headers["x-n"] == "10"


def test_crates_are_read_from_the_projects_own_manifest(tmp_path: Path) -> None:
    made = build(starter("python"), "python", "a")
    folder = made.export(tmp_path / "a")
    manifest = folder / "wasmhub.json"
    manifest.write_text(manifest.read_text().replace('"python"', '"rust"'))
    (folder / "Cargo.toml").write_text(
        '[dependencies]\nserde = { version = "1", features = ["derive"] }\nlog = "0.4"\n'
    )
    from wasmhub_magics.build import read_project

    assert read_project(folder).options.packages == (
        'serde={ version = "1", features = ["derive"] }',
        "log=0.4",
    )


def test_what_cannot_be_exported_or_loaded_is_told(tmp_path: Path) -> None:
    made = build(starter("wat"), "wat", "a")
    ready = load(made.save(tmp_path / "a.wasm"))
    with pytest.raises(BuildError, match="is a ready-made module, so there is no source"):
        ready.export(tmp_path / "b")
    with pytest.raises(BuildError, match="there is something already"):
        made.export(tmp_path)
    assert isinstance(load(made.export(tmp_path, force=True)), Filter)
    with pytest.raises(BuildError, match=r"it has no wasmhub\.json"):
        load(tmp_path / "tests")
    (tmp_path / "src" / "filter.wat").unlink()
    with pytest.raises(BuildError, match=r"it has no filter\.wat"):
        load(tmp_path)
    (tmp_path / "wasmhub.json").write_text("{")
    with pytest.raises(BuildError, match="the project cannot be read"):
        load(tmp_path)
