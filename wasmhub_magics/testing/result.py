"""What came of running cases, and what changed since the run before."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal
from xml.etree.ElementTree import Element, SubElement, tostring

from ..proxy import Exchange
from .case import Case, Expectation, seen
from .memory import Remembered, fingerprint, short

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["CaseResult", "Change", "Miss", "Results"]

Change = Literal["", "new", "now passes", "now fails", "answers differently"]


@dataclass(frozen=True, slots=True)
class Miss:
    """An expectation that did not hold, and what was there in its place."""

    expectation: Expectation
    found: str

    def __str__(self) -> str:
        return f"{self.expectation}, but it was {self.found}"


@dataclass(frozen=True, slots=True)
class CaseResult:
    """One case that was run: ``exchange`` is None and ``error`` says why where it could not be."""

    case: Case
    exchange: Exchange | None = None
    misses: tuple[Miss, ...] = ()
    error: str = ""
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        """Whether all that was expected held."""
        return not self.misses and not self.error

    @property
    def told(self) -> str:
        """Why it did not pass; empty where it did."""
        return self.error or "; ".join(str(miss) for miss in self.misses)

    @property
    def remembered(self) -> Remembered:
        """What is kept of it, to tell whether another run's differs."""
        first = self.error.partition("\n")[0]
        return Remembered(self.told, short(first) if self.exchange is None else fingerprint(self.exchange))

    def __str__(self) -> str:
        return f"{'pass' if self.passed else 'FAIL'}  {self.case.name}" + (f": {self.told}" * bool(self.told))


def missed(case: Case, exchange: Exchange) -> tuple[Miss, ...]:
    """The expectations of a case that an exchange does not meet."""
    return tuple(
        Miss(expectation, _shown(seen(exchange, expectation.what)))
        for expectation in case.expect
        if not expectation.holds(exchange)
    )


def _shown(found: object) -> str:
    if found is None:
        return "not there"
    if isinstance(found, tuple):
        return " | ".join(map(str, found)) or "empty"
    text = repr(found) if isinstance(found, str) else str(found)
    return text if len(text) <= 200 else text[:199] + "…"


@dataclass(frozen=True)
class Results:
    """The results of a run in the order of the cases; ``before`` is what is kept of the run that it follows.

    ``module`` is the digest of the module that the cases are for, the last one of the chain.
    """

    results: tuple[CaseResult, ...]
    engine: str = "embedded"
    before: Mapping[str, Remembered] | None = field(default=None, repr=False)
    module: str = ""

    @property
    def passed(self) -> bool:
        """Whether every case passed."""
        return all(result.passed for result in self.results)

    @property
    def failed(self) -> tuple[CaseResult, ...]:
        """The cases that did not pass."""
        return tuple(result for result in self.results if not result.passed)

    @property
    def changes(self) -> tuple[Change, ...]:
        """For each result what changed against the run before: nothing where there was none."""
        if self.before is None:
            return tuple("" for _ in self.results)
        return tuple(self._change(each.remembered, self.before.get(each.case.name)) for each in self.results)

    @staticmethod
    def _change(now: Remembered, before: Remembered | None) -> Change:
        if before is None:
            return "new"
        if bool(now.told) != bool(before.told):
            return "now fails" if now.told else "now passes"
        return "" if now.print == before.print else "answers differently"

    @property
    def remembered(self) -> dict[str, Remembered]:
        """What is kept of each case, by its name, to mark what changes in a later run."""
        return {result.case.name: result.remembered for result in self.results}

    def after(self, before: Results | Mapping[str, Remembered] | None) -> Results:
        """The same results as those that follow a run before, so that changes show."""
        earlier = before.remembered if isinstance(before, Results) else before
        return Results(self.results, self.engine, earlier, self.module)

    def __iter__(self) -> Iterator[CaseResult]:
        return iter(self.results)

    def __len__(self) -> int:
        return len(self.results)

    def to_frame(self) -> DataFrame:
        """A pandas table: a row for each case. Raises ImportError without pandas."""
        import pandas as pd

        rows = [
            {
                "name": result.case.name,
                "passed": result.passed,
                "status": None
                if result.exchange is None or result.exchange.response is None
                else result.exchange.response.status,
                "change": change,
                "told": result.told,
                "seconds": result.seconds,
            }
            for result, change in zip(self.results, self.changes, strict=True)
        ]
        return pd.DataFrame(rows)

    def junit(self, name: str = "wasmhub") -> str:
        """The results as JUnit XML, which CI systems read."""
        failures = sum(bool(result.misses) for result in self.results)
        errors = sum(bool(result.error) for result in self.results)
        counts = {"tests": str(len(self.results)), "failures": str(failures), "errors": str(errors)}
        root = Element("testsuites", counts)
        took = f"{sum(result.seconds for result in self.results):.6f}"
        suite = SubElement(root, "testsuite", {"name": name, "time": took, **counts})
        for result in self.results:
            about = {"classname": name, "name": _xml(result.case.name), "time": f"{result.seconds:.6f}"}
            element = SubElement(suite, "testcase", about)
            if result.error:
                first = _xml(result.error.partition("\n")[0])
                SubElement(element, "error", {"message": first}).text = _xml(result.error)
            elif result.misses:
                first = _xml(str(result.misses[0]))
                SubElement(element, "failure", {"message": first}).text = _xml(
                    "\n".join(map(str, result.misses))
                )
            if not result.passed and result.exchange is not None:
                SubElement(element, "system-out").text = _xml(repr(result.exchange))
        return '<?xml version="1.0" encoding="utf-8"?>\n' + tostring(root, encoding="unicode") + "\n"

    @property
    def summary(self) -> str:
        """The outcome in one sentence."""
        failed = len(self.failed)
        count = f"{len(self)} case{'' if len(self) == 1 else 's'}"
        where = {"embedded": "the embedded proxy", "envoy": "real Envoy"}.get(self.engine, self.engine)
        changed = sum(bool(change) for change in self.changes)
        tail = f", {changed} changed" if changed else ""
        return f"{count} in {where}: {'all pass' if not failed else f'{failed} failed'}{tail}"

    def __str__(self) -> str:
        lines = [self.summary]
        for result, change in zip(self.results, self.changes, strict=True):
            lines.append(f"  {result}" + (f"  ({change})" if change else ""))
        return "\n".join(lines)

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        rows = "".join(_row(r, c) for r, c in zip(self.results, self.changes, strict=True))
        style = "text-align:left"
        return (
            f"<div><b>{html.escape(self.summary)}</b><table><thead><tr>"
            + "".join(f"<th style='{style}'>{head}</th>" for head in ("", "case", "status", "told", "change"))
            + f"</tr></thead><tbody>{rows}</tbody></table></div>"
        )


def _row(result: CaseResult, change: str) -> str:
    response = None if result.exchange is None else result.exchange.response
    mark = "<b style='color:#1a7f37'>✓ pass</b>" if result.passed else "<b style='color:#cf222e'>✗ fail</b>"
    texts = (result.case.name, "" if response is None else str(response.status), result.told, change)
    cells = "".join(f"<td style='text-align:left'>{html.escape(text)}</td>" for text in texts)
    return f"<tr><td>{mark}</td>{cells}</tr>"


def _xml(text: str) -> str:
    """Without what XML has no place for."""
    clean = text.encode("utf-8", "replace").decode()
    return "".join(c if c in "\t\n" or " " <= c <= "\ufffd" else "\N{REPLACEMENT CHARACTER}" for c in clean)
