"""A suite: cases as plain text, for a notebook, for a file, for a table."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import RequestError
from ..http import Request
from .case import Case
from .text import cell, dumper, entry_of, expected_cell, flat, read_case, request_of_row

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["Suite", "read_suite"]


@dataclass(frozen=True)
class Suite:
    """Cases in order, under names that differ.

    ``filter`` names what they are for: a source file, a module or an image, from where the suite's own file
    lies; empty where whoever runs it says so.
    """

    cases: tuple[Case, ...] = ()
    filter: str = ""

    def __post_init__(self) -> None:
        names = [case.name for case in self.cases]
        twice = {name for name in names if names.count(name) > 1}
        if twice:
            raise RequestError(f"two cases are named {sorted(twice)[0]!r}", do="give each a name of its own")

    @classmethod
    def parse(cls, text: str, where: str = "the cases") -> Suite:
        """The suite in YAML text. Raises RequestError, with the place, where it cannot be read."""
        import yaml

        try:
            found = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise RequestError(
                f"this is not YAML: {error}",
                where=where,
                do="put text with a colon in it into quotes: request: \"curl -H 'x-user: ada' /items\"",
            ) from None
        if isinstance(found, list):
            found = {"cases": found}
        found = {} if found is None else found
        if not isinstance(found, dict) or found.keys() - {"cases", "filter"}:
            raise RequestError("a suite has the keys cases and filter", where=where, do="write - name: ...")
        listed = found.get("cases") or []
        if not isinstance(listed, list):
            raise RequestError("the cases are no list", where=where, do="write - name: ... for each")
        cases = tuple(read_case(each, f"{where}, case {n}") for n, each in enumerate(listed, 1))
        return cls(cases, str(found.get("filter") or ""))

    @classmethod
    def from_csv(cls, text: str) -> Suite:
        """The suite in CSV text: ``name``, ``request``, ``upstream``, ``config``, and what is expected."""
        rows = list(csv.DictReader(io.StringIO(text)))
        return cls.from_rows(rows)

    @classmethod
    def from_frame(cls, frame: DataFrame) -> Suite:
        """The suite in a pandas table, with the columns of ``from_csv``; missing values are left out."""
        rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
        return cls.from_rows(rows)

    @classmethod
    def from_rows(cls, rows: Iterable[Mapping[str, Any]]) -> Suite:
        """The suite in a table's rows: a column for each expectation; an empty cell expects nothing.

        In place of ``request`` there may be ``method``, ``path``, ``headers`` (JSON or lines) and ``body``.
        """
        cases = []
        for number, row in enumerate(rows, 1):
            told = {str(k): v for k, v in row.items() if k is not None and v is not None and str(v) != ""}
            entry: dict[str, Any] = {"name": str(told.pop("name", f"row {number}"))}
            if "request" in told:
                entry["request"] = str(told.pop("request"))
            else:
                entry["request"] = request_of_row(told)
            for key in ("upstream", "clusters", "config", "weight"):
                if key in told:
                    entry[key] = cell(told.pop(key))
            entry["expect"] = {key: expected_cell(key, value) for key, value in told.items()}
            cases.append(read_case(entry, f"row {number}"))
        return cls(tuple(cases))

    def to_yaml(self) -> str:
        """The suite as YAML, which ``parse`` reads back."""
        import yaml

        entries = [entry_of(case) for case in self.cases]
        content: dict[str, Any] = {"filter": self.filter} if self.filter else {}
        content["cases"] = entries
        text: str = yaml.dump(content, Dumper=dumper(), sort_keys=False, allow_unicode=True, width=100)
        return text

    def to_csv(self) -> str:
        """The suite as CSV, which ``from_csv`` reads back; ``null`` stands for what must not be there."""
        whats = list(dict.fromkeys(e.what for case in self.cases for e in case.expect))
        target = io.StringIO()
        table = csv.writer(target, lineterminator="\n")
        table.writerow(["name", "request", "upstream", "clusters", "config", "weight", *whats])
        for case in self.cases:
            entry = entry_of(case)
            expected, request = entry.get("expect", {}), entry["request"]
            table.writerow(
                [case.name, request if isinstance(request, str) else json.dumps(request)]
                + [flat(entry[key]) if key in entry else "" for key in ("upstream", "clusters", "config")]
                + [flat(entry["weight"]) if "weight" in entry else ""]
                + [flat(expected[what]) if what in expected else "" for what in whats]
            )
        return target.getvalue()

    def to_pytest(self, target: str = "") -> str:
        """A pytest file with these cases in it; ``target`` is the module or source that it loads."""
        name = target or self.filter or "my_filter.wasm"
        text = Suite(self.cases).to_yaml().replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
        return _PYTEST.format(text=text, name=name)

    def mix(self) -> tuple[tuple[Request, float], ...]:
        """The requests with their weights, for a measurement."""
        return tuple((case.request, case.weight) for case in self.cases if case.weight)

    def save(self, path: str | Path) -> Path:
        """Write the suite to a file: CSV where its name ends so, else YAML."""
        path = Path(path)
        path.write_text(self.to_csv() if path.suffix == ".csv" else self.to_yaml(), encoding="utf-8")
        return path

    def __iter__(self) -> Iterator[Case]:
        return iter(self.cases)

    def __len__(self) -> int:
        return len(self.cases)

    def __repr__(self) -> str:
        return f"<Suite of {len(self.cases)} cases>\n{self.to_yaml()}"


def read_suite(path: str | Path) -> Suite:
    """The suite in a file: CSV where its name ends so, else YAML. Raises RequestError."""
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError(
            f"the cases cannot be read: {error}", where=str(path), do="check the path"
        ) from None
    return Suite.from_csv(text) if path.suffix == ".csv" else Suite.parse(text, str(path))


_PYTEST = '''"""Cases of a filter, as pytest runs them."""

import pytest

from wasmhub_magics import build, load
from wasmhub_magics.testing import Case, Suite, run_case

SUITE = Suite.parse("""\\
{text}""")


@pytest.fixture(scope="session")
def made():
    """The filter: a module is loaded, a source is built."""
    from wasmhub_magics.build import language_of

    name = {name!r}
    if name.endswith(".wasm"):
        return load(name)
    with open(name, encoding="utf-8") as source:
        return build(source.read(), language_of(name))


@pytest.mark.parametrize("case", SUITE.cases, ids=lambda case: case.name)
def test_case(made, case: Case) -> None:
    result = run_case(made, case)
    assert result.passed, f"{{result.told}}\\n{{result.exchange}}"
'''
