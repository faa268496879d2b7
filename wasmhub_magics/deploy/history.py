"""The versions of a deployment, kept where the deployment is."""

from __future__ import annotations

import hashlib
import html
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from ..errors import DeployError
from .tables import table_html, table_text

__all__ = ["KEPT", "History", "Version", "annotation", "named", "read", "written"]

KEPT = 10
BYTES = 100_000
COLUMNS = ("version", "applied", "digest", "from", "note")
PREFIX = "history.wasmhub.filter/"


@dataclass(frozen=True, slots=True)
class Version:
    """One version: when it was applied, the module's digest, where it comes from, and what was applied.

    Version 0 is what was there before, where somebody else's object was adopted. ``note`` says why a version
    came about that nobody deployed: a rollback, or a canary that failed.
    """

    version: int
    at: str
    digest: str
    source: str = ""
    priority: int = 0
    note: str = ""
    applied: Any = field(default=None, repr=False)

    @property
    def since(self) -> datetime:
        """When it was applied."""
        return datetime.fromisoformat(self.at)


@dataclass(frozen=True, slots=True)
class History:
    """The versions of a deployment, oldest first; the last one is at work."""

    name: str
    versions: tuple[Version, ...]

    def __iter__(self) -> Iterator[Version]:
        return iter(self.versions)

    def __len__(self) -> int:
        return len(self.versions)

    def __getitem__(self, version: int) -> Version:
        """The version of that number. Raises DeployError where it is not kept."""
        for each in self.versions:
            if each.version == version:
                return each
        raise DeployError(
            f"{self.name} has no version {version}",
            do=f"choose one of: {', '.join(str(v.version) for v in self.versions)}",
        )

    def before(self, version: int | None = None) -> Version:
        """The version to go back to: the one given, else the last that differs from the one at work.

        Raises DeployError where there is none.
        """
        if version is not None:
            return self[version]
        now = self.versions[-1]
        for each in reversed(self.versions[:-1]):
            if each.applied != now.applied:
                return each
        raise DeployError(
            f"{self.name} has nothing to go back to", do="it has one version only; undeploy takes it away"
        )

    def _rows(self) -> list[tuple[str, ...]]:
        return [(str(v.version), v.at[:19], v.digest[:19], v.source, v.note) for v in self.versions]

    def __repr__(self) -> str:
        return table_text(COLUMNS, self._rows())

    def _repr_html_(self) -> str:
        return f"<b>{html.escape(self.name)}</b>{table_html(COLUMNS, self._rows())}"


def annotation(name: str) -> str:
    """The annotation that holds the history of the deployment of that name."""
    if len(name) > 63:
        name = f"{name[:50]}-{hashlib.sha256(name.encode()).hexdigest()[:12]}"
    return PREFIX + name


def named(annotations: Mapping[str, str] | None) -> dict[str, str]:
    """All annotations of this package."""
    return {key: value for key, value in (annotations or {}).items() if key.startswith(PREFIX)}


def read(text: str) -> tuple[Version, ...]:
    """The versions that an annotation holds; none where it cannot be read."""
    try:
        return tuple(Version(**each) for each in json.loads(text))
    except (ValueError, TypeError):
        return ()


def written(versions: Sequence[Version]) -> str:
    """The annotation of these versions; the oldest are left out where there are many."""
    kept = list(versions)[-KEPT:]
    while True:
        text = json.dumps([asdict(each) for each in kept], separators=(",", ":"))
        if len(text) <= BYTES or len(kept) == 1:
            return text
        del kept[0]
