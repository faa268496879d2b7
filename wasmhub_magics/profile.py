"""Host profiles: what each release of Envoy offers to a module. A profile is data: ``profiles.json``.

The lists follow ``proxy-wasm-cpp-host include/proxy-wasm/exports.h`` at the commit that each release pins.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from .abi import HOST_FUNCTIONS, WASI_MODULES
from .binary_types import Export, Import
from .link import problem_of

__all__ = ["Profile", "profiles"]


@dataclass(frozen=True, slots=True)
class Profile:
    """A release of Envoy: ``wasi`` names what it has of WASI, None all; ``exact`` is false for a guess."""

    version: str
    wasi: frozenset[str] | None = None
    uncalled: frozenset[str] = frozenset()
    lacks: str = ""
    exact: bool = True

    @property
    def title(self) -> str:
        """Its name."""
        return f"Envoy {self.version}"

    def of_import(self, wanted: Import, abi: str | None) -> str:
        """Why it cannot link an import; empty where it can."""
        problem = problem_of(wanted, abi)
        if problem is not None:
            return problem.what
        known = (wanted.module, wanted.name) in HOST_FUNCTIONS and wanted.module in WASI_MODULES
        if known and self.wasi is not None and wanted.name not in self.wasi:
            return f"{self.title} does not offer {wanted.module}.{wanted.name}"
        return ""

    def of_export(self, export: Export) -> str:
        """What it does not do with an export that later releases call; empty where it does as they do."""
        return f"{self.title} does not call it" if export.name in self.uncalled else ""


@cache
def _known() -> dict[str, Profile]:
    data = json.loads((files("wasmhub_magics") / "profiles.json").read_text(encoding="utf-8"))
    return {
        version: Profile(
            version,
            None if each["wasi"] == "*" else frozenset(each["wasi"].split()),
            frozenset(each["uncalled"].split()),
            each["lacks"],
        )
        for version, each in data.items()
    }


def profiles(versions: Iterable[str] = ()) -> tuple[Profile, ...]:
    """The profiles of these releases, of all that are known where none is named.

    For a release that has none the newest one before it stands in, with ``exact`` false.
    """
    known = _known()
    wanted = tuple(versions) or tuple(known)
    return tuple(known.get(version) or _near(version, known) for version in wanted)


def _near(version: str, known: dict[str, Profile]) -> Profile:
    older = [each for each in known.values() if _number(each.version) <= _number(version)]
    near = max(older or known.values(), key=lambda each: _number(each.version) if older else ())
    return Profile(version, near.wasi, near.uncalled, near.lacks, exact=False)


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) if part.isdecimal() else 0 for part in version.split(".")[:2])
