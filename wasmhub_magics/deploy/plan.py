"""What a deployment would change, before anything is applied."""

from __future__ import annotations

import html
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .intent import Gap

__all__ = ["Change", "Plan", "changes", "to_yaml"]

SEEN = ("apiVersion", "kind", "metadata", "spec")
OWN = "wasmhub.filter"


@dataclass(frozen=True, slots=True)
class Change:
    """One place of an object: ``before`` and ``after`` are None where it is not there."""

    path: str
    before: Any = None
    after: Any = None

    def __str__(self) -> str:
        if self.before is None:
            return f"+ {self.path}: {_short(self.after)}"
        if self.after is None:
            return f"- {self.path}: {_short(self.before)}"
        return f"~ {self.path}: {_short(self.before)} -> {_short(self.after)}"


@dataclass(frozen=True, slots=True)
class Plan:
    """A deployment that is not made yet: what would be written where, and what is to be said about it.

    ``manifest`` is what would be sent, ``changes`` is the difference to what is there, as the target itself
    would come out of it. ``gaps`` are settings that the target cannot express, ``notes`` are worth knowing.
    """

    name: str
    target: str
    place: str
    manifest: Any
    changes: tuple[Change, ...] = ()
    gaps: tuple[Gap, ...] = ()
    notes: tuple[str, ...] = ()
    new: bool = True

    @property
    def text(self) -> str:
        """What would be written, as YAML, or as it is where it is text."""
        return self.manifest if isinstance(self.manifest, str) else to_yaml(self.manifest)

    def _lines(self) -> Iterator[str]:
        title = "would be new" if self.new else "would change" if self.changes else "is there as it should be"
        yield f"{self.name} on {self.target} at {self.place}: {title}"
        yield from (f"  {change}" for change in self.changes)
        yield from (f"  cannot be said: {gap}" for gap in self.gaps)
        yield from (f"  note: {note}" for note in self.notes)

    def __repr__(self) -> str:
        return "\n".join(self._lines())

    def _repr_html_(self) -> str:
        first, *rest = self._lines()
        colours = {"+": "#1f9d55", "-": "#d13438", "~": "#b7791f"}
        rows = "".join(
            f"<div style='color:{colours.get(line.strip()[:1], 'inherit')}'>{html.escape(line.strip())}</div>"
            for line in rest
        )
        return (
            f"<div><b>{html.escape(first)}</b><div style='font-family:monospace'>{rows}</div>"
            f"<details><summary>manifest</summary><pre>{html.escape(self.text)}</pre></details></div>"
        )


def changes(before: Any, after: Any) -> tuple[Change, ...]:
    """The places where two objects differ; what the cluster writes by itself is left out."""
    old, new = dict(_flat(_essence(before))), dict(_flat(_essence(after)))
    return tuple(
        Change(path, old.get(path), new.get(path))
        for path in sorted(old.keys() | new.keys(), key=lambda p: p.split("."))
        if old.get(path) != new.get(path)
    )


def to_yaml(value: Any) -> str:
    """A value as YAML, keys in their order."""
    try:
        import yaml
    except ImportError:
        return json.dumps(value, indent=2)
    text: str = yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=100)
    return text


def _essence(found: Any) -> Any:
    if not isinstance(found, dict):
        return found
    kept = {key: value for key, value in found.items() if key in SEEN}
    meta = found.get("metadata") or {}
    kept["metadata"] = {
        "labels": dict(meta.get("labels") or {}),
        "annotations": {k: v for k, v in (meta.get("annotations") or {}).items() if OWN not in k},
    }
    return kept


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every leaf with its path; elements of lists that have names go by them."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _flat(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and value:
        for number, inner in enumerate(value):
            name = inner.get("name") if isinstance(inner, dict) else None
            yield from _flat(inner, f"{path}[{name if isinstance(name, str) else number}]")
    elif value not in ({}, [], None):
        yield path, value


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 100 else f"{text[:97]}..."
