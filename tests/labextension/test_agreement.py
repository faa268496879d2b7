"""What the extension and the kernel's side both know is the same."""

from __future__ import annotations

import argparse
import builtins
import dataclasses
import json
import keyword
import re
import sys
import typing
from pathlib import Path
from typing import Any

import pytest

import wasmhub_magics
from wasmhub_magics.abi import HOST_FUNCTIONS
from wasmhub_magics.build import languages
from wasmhub_magics.errors import Diagnostic
from wasmhub_magics.notebook import answers, completion, errors, history, messages
from wasmhub_magics.notebook.magics import GROUPS
from wasmhub_magics.notebook.magics_filter import FilterMagics

ROOT = Path(__file__).parents[2]
LAB = ROOT / "labextension"
BUILT = ROOT / "wasmhub_magics" / "labextension"


class Everything(*GROUPS):  # type: ignore[misc]
    """All magics."""


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
    sources = [
        each for part in ("src", "style", "schema") for each in (LAB / part).rglob("*") if each.is_file()
    ]
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


def test_the_extension_knows_its_version() -> None:
    assert f"VERSION = '{wasmhub_magics.__version__}'" in (LAB / "src" / "version.ts").read_text()


def test_both_sides_speak_the_same_protocol() -> None:
    told = (LAB / "src" / "kernel" / "messages.ts").read_text()
    assert f"PROTOCOL = {messages.PROTOCOL};" in told
    assert f"TARGET = '{messages.TARGET}';" in told
    values = [history.Figure, *(v for v in vars(messages).values() if dataclasses.is_dataclass(v))]
    for value in {each.__name__: each for each in values if each is not Diagnostic}.values():
        names = {field.name for field in dataclasses.fields(value)}
        assert set(members(told, value.__name__)) == names, value.__name__
    asked = re.findall(r"^  readonly (\w+): \{", told.split("interface Questions {")[1], re.MULTILINE)
    assert set(asked) == {"hello", *answers.ANSWERS}
    kinds = re.search(r"type FigureKind = (.*);", told)
    assert kinds
    assert set(re.findall(r"'(\w+)'", kinds.group(1))) == set(typing.get_args(history.Kind))


def test_each_command_with_a_shortcut_is_there() -> None:
    sources = "".join(each.read_text() for each in (LAB / "src").rglob("*.ts"))
    actions = re.search(r"ACTIONS = \[(.*)\] as const", sources)
    assert actions
    known = {f"wasmhub:{name}" for name in re.findall(r"'(\w+)'", actions.group(1))}
    known |= set(re.findall(r"'(wasmhub:[\w-]+)'", sources))
    for schema in (LAB / "schema").glob("*.json"):
        for each in json.loads(schema.read_text()).get("jupyter.lab.shortcuts", []):
            assert each["command"] in known
    for name in re.findall(r"'(\w+)'", actions.group(1)):
        assert name == "build" or hasattr(Everything, f"wasm_{name}")


def test_help_is_about_what_there_is() -> None:
    tables = {each.stem: json.loads(each.read_text()) for each in (LAB / "src" / "help" / "api").iterdir()}
    guest = ROOT / "wasmhub_magics" / "guest"
    header = (guest / "c" / "proxy_wasm.h").read_text()
    python = (ROOT / "docs" / "python.md").read_text()
    cpp = "".join(each.read_text() for each in (guest / "cpp" / "include").rglob("*.h"))
    cpp += (ROOT / "docs" / "cpp.md").read_text()
    hosts = {each.name: each for each in HOST_FUNCTIONS.values()}
    for name, parameters, *_ in tables["host"]:
        named = [each.partition(":")[0] for each in parameters.split(", ") if each]
        assert tuple(named) == hosts[name].params
    for name, *_ in tables["c"]:
        assert re.search(rf"\b{name}\(", header), name
    for language, told in (("cpp", cpp), ("python", python)):
        for name, *_ in tables[language]:
            # C++ makes the names for responses as it makes those for requests.
            known = name.replace("ResponseHeader", "RequestHeader")
            assert re.search(rf"\b{known}\b", told), name
    explained = {name for name, *_ in tables["python"]}
    words = set(completion.PYTHON_WORDS) - set(keyword.kwlist) - set(dir(builtins))
    assert words <= explained


def test_there_is_a_first_filter_in_each_language() -> None:
    templates = json.loads((LAB / "src" / "help" / "templates.json").read_text())
    assert set(templates) == {each["name"] for each in table()["languages"]}


@pytest.mark.parametrize("language", json.loads((LAB / "src" / "help" / "templates.json").read_text()))
def test_a_first_filter_in_each_language_greets(language: str) -> None:
    cell = json.loads((LAB / "src" / "help" / "templates.json").read_text())[language]
    line, body = cell.split("\n", maxsplit=1)
    assert line.split()[1:] == ["greeter", *(["--lang", language] if language != "python" else [])]
    exchange = wasmhub_magics.build(body, language, "greeter").send()
    assert exchange.upstream_request is not None
    assert exchange.upstream_request.headers["x-greeting"].startswith("hello")


def members(source: str, interface: str) -> list[str]:
    """The names of an interface's properties."""
    body = source.split(f"interface {interface} {{")[1].split("}", maxsplit=1)[0]
    return re.findall(r"readonly (\w+):", body)
