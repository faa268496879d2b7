"""What the extension and the kernel's side both know is the same."""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

import wasmhub_magics
from wasmhub_magics.build import languages
from wasmhub_magics.errors import Diagnostic
from wasmhub_magics.notebook import errors
from wasmhub_magics.notebook.magics_filter import FilterMagics

ROOT = Path(__file__).parents[2]
LAB = ROOT / "labextension"
BUILT = ROOT / "wasmhub_magics" / "labextension"


def table() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((LAB / "src" / "languages" / "languages.json").read_text())
    return found


def test_both_have_the_same_version() -> None:
    assert json.loads((LAB / "package.json").read_text())["version"] == wasmhub_magics.__version__
    assert json.loads((LAB / "package-lock.json").read_text())["version"] == wasmhub_magics.__version__


def test_the_extension_that_is_built_is_the_one_the_package_names() -> None:
    (paths,) = wasmhub_magics._jupyter_labextension_paths()
    built = json.loads((ROOT / "wasmhub_magics" / paths["src"] / "package.json").read_text())
    assert built["name"] == paths["dest"]
    assert built["version"] == wasmhub_magics.__version__
    assert (BUILT / built["jupyterlab"]["_build"]["load"]).is_file()


def test_the_extension_that_is_built_and_installed_is_made_of_these_sources() -> None:
    sources = [each for part in ("src", "style", "schema") for each in (LAB / part).rglob("*") if each.is_file()]
    newer = [str(each) for each in sources if each.stat().st_mtime > (BUILT / "package.json").stat().st_mtime]
    assert newer == [], "build them: python hatch_build.py"
    installed = Path(sys.prefix) / "share" / "jupyter" / "labextensions" / "wasmhub-magics-lab"
    for each in (each for each in BUILT.rglob("*") if each.is_file()):
        copy = installed / each.relative_to(BUILT)
        assert copy.is_file(), "install it: pip install --editable ."
        assert copy.read_bytes() == each.read_bytes()


def test_every_language_that_can_be_built_is_highlighted() -> None:
    known = {each["name"]: set(each["aliases"]) for each in table()["languages"]}
    assert next(iter(known)) == next(iter(languages()))
    for name, language in languages().items():
        if name != "wasm":  # a ready-made module has no source
            assert set(language.aliases) <= known[name]


def test_every_option_that_takes_a_value_is_known() -> None:
    parser: argparse.ArgumentParser = FilterMagics.wasm_filter.parser
    valued = {name for each in parser._actions if each.nargs != 0 for name in each.option_strings}
    assert set(table()["valued"]) == valued
    assert table()["magic"] == FilterMagics.wasm_filter.__name__


def test_diagnostics_have_the_shape_that_the_extension_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[dict[str, Any]] = []
    monkeypatch.setattr(errors, "display", lambda bundle, raw: shown.append(bundle))
    errors.show_diagnostics([Diagnostic("error", "no such name", 2, 3)], "body")
    (bundle,) = shown
    protocol = (LAB / "src" / "diagnostics" / "protocol.ts").read_text()
    assert f"'{next(iter(bundle))}'" in protocol
    (finding,) = bundle[errors.DIAGNOSTICS]["diagnostics"]
    assert set(finding) == set(members(protocol, "Finding"))
    assert set(bundle[errors.DIAGNOSTICS]) == set(members(protocol, "Findings"))


def members(source: str, interface: str) -> list[str]:
    """The names of an interface's properties."""
    body = source.split(f"interface {interface} {{")[1].split("}", maxsplit=1)[0]
    return re.findall(r"readonly (\w+):", body)
