"""An example: a filter that is written in several languages, with exchanges that show what it does."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

from ..errors import RequestError
from ..http import Request, Response
from .expectation import Expectation, read_expectation, read_response

__all__ = ["Example", "example", "examples"]

HERE = Path(__file__).parent

SUFFIXES = {
    "python": ".py",
    "javascript": ".js",
    "c": ".c",
    "cpp": ".cc",
    "zig": ".zig",
    "rust": ".rs",
    "go": ".go",
    "assemblyscript": ".ts",
    "wat": ".wat",
}


@dataclass(frozen=True)
class Example:
    """A filter that is written in several languages."""

    name: str
    title: str
    description: str
    config: Any
    """The configuration that the expectations are for; None for none."""
    clusters: Mapping[str, Callable[[Request], Response]]
    """Who answers the filter's call-outs."""
    expectations: tuple[Expectation, ...]
    packages: Mapping[str, Sequence[str]]
    """By language, the crates or modules that the source uses."""

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages it is written in."""
        return tuple(name for name, suffix in SUFFIXES.items() if self._path(suffix).is_file())

    def source(self, language: str) -> str:
        """Its source in a language. Raises RequestError where it is not written in it."""
        if language not in self.languages:
            raise RequestError(
                f"the example {self.name} is not written in {language}",
                do=f"take one of {', '.join(self.languages)}",
            )
        return self._path(SUFFIXES[language]).read_text()

    def _path(self, suffix: str) -> Path:
        return HERE / self.name / f"filter{suffix}"


@cache
def examples() -> tuple[Example, ...]:
    """All examples, by name."""
    return tuple(_read(path) for path in sorted(HERE.glob("*/example.json")))


def example(name: str) -> Example:
    """The example of that name. Raises RequestError, which lists those there are."""
    known = {each.name: each for each in examples()}
    if name in known:
        return known[name]
    near = get_close_matches(name, known, 1, 0.5)
    hint = f"did you mean {near[0]}? " if near else ""
    raise RequestError(f"there is no example {name!r}", do=f"{hint}there are {', '.join(known)}")


def _read(path: Path) -> Example:
    told = json.loads(path.read_text())
    return Example(
        name=path.parent.name,
        title=told["title"],
        description=told["description"],
        config=told["config"],
        clusters={name: _cluster(rules) for name, rules in told.get("clusters", {}).items()},
        expectations=tuple(map(read_expectation, told["exchanges"])),
        packages=told.get("packages", {}),
    )


def _cluster(rules: Sequence[Mapping[str, Any]]) -> Callable[[Request], Response]:
    """A cluster that answers by the first rule whose path and headers a request has."""

    def answer(request: Request) -> Response:
        for rule in rules:
            headers = rule.get("headers", {})
            if rule.get("path", request.path) == request.path and all(
                request.headers.get(name) == value for name, value in headers.items()
            ):
                return read_response(rule["response"])
        return Response(404)

    return answer
