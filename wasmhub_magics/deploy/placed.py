"""A deployment as an object of a cluster carries it, and the manifests that carry it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from .cluster import Json, Kind
from .history import Version, annotation, named, read
from .intent import Intent

__all__ = ["Placed", "bare", "lonely", "notes_of", "ordered", "same", "without"]


@dataclass(frozen=True, slots=True)
class Placed:
    """A deployment in a cluster: the object that carries it and the name of its entry there."""

    name: str
    kind: Kind
    object_name: str
    live: Json

    @property
    def entry(self) -> str:
        """Its name in a list and in the annotation."""
        return self.name

    @property
    def history(self) -> tuple[Version, ...]:
        """Its versions."""
        return read(named(notes_of(self.live)).get(annotation(self.name), ""))


def ordered(there: list[Json], mine: Json, priority: int, notes: dict[str, str]) -> list[Json]:
    """The list with this entry in it: higher priority first, others in their order, ours in its old place."""

    def weight(entry: Json) -> int:
        versions = read(notes.get(annotation(str(entry.get("name"))), ""))
        return versions[-1].priority if versions else 0

    names = [entry.get("name") for entry in there]
    if mine["name"] in names:
        place = names.index(mine["name"])
        rest = there[:place] + there[place + 1 :]
        fits = all(weight(e) >= priority for e in rest[:place]) and all(
            weight(e) <= priority for e in rest[place:]
        )
        if fits:
            return [*rest[:place], mine, *rest[place:]]
        there = rest
    place = next((i for i, entry in enumerate(there) if weight(entry) < priority), len(there))
    return [*there[:place], mine, *there[place:]]


def lonely(live: Json, entries: list[Json]) -> tuple[str, ...]:
    """The path of the list with these entries, or of the highest part below the spec's that holds only it."""

    def walk(value: Any, path: tuple[str, ...]) -> tuple[str, ...] | None:
        if value == entries:
            return path
        if isinstance(value, dict):
            for key, inner in value.items():
                found = walk(inner, (*path, key))
                if found is not None:
                    return path if len(value) == 1 and len(path) > 2 else found
        return None

    return walk(live.get("spec") or {}, ("spec",)) or ("spec",)


def bare(kind: Kind, name: str, notes: dict[str, str]) -> Json:
    """A manifest without a spec."""
    metadata: Json = {"name": name}
    if notes:
        metadata["annotations"] = notes
    return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata}


def notes_of(live: Json | None) -> dict[str, str]:
    """The annotations of an object; none where there is no object."""
    return ((live or {}).get("metadata") or {}).get("annotations") or {}


def same(one: Json, other: Json) -> bool:
    """Whether two references mean the same object."""
    return all(one.get(key, "") == other.get(key, "") for key in ("group", "kind", "name", "sectionName"))


def without(intent: Intent, settings: set[str]) -> Intent:
    """The intent without what the target cannot say, where the user goes without it."""
    plugin = intent.plugin
    if "environment" in settings:
        plugin = plugin.replace(environment=())
        intent = replace(intent, host_env=())
    if "failure policy" in settings:
        plugin = plugin.replace(failure_policy="closed")
    if "configuration" in settings:
        plugin = plugin.replace(configuration=b"")
    if "phase" in settings:
        intent = replace(intent, phase="")
    return replace(intent, plugin=plugin)
