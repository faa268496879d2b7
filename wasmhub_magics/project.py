"""A filter as a project on disk: written with its test, and read back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import BuildError
from .plugin import Plugin
from .proxy import Exchange, Proxy

if TYPE_CHECKING:
    from .build import Build

__all__ = ["export", "read"]


def export(
    plugin: Plugin,
    built: Build | None,
    folder: Path,
    exchanges: Iterable[Exchange] | Mapping[str, Any] | None = None,
    *,
    force: bool = False,
) -> Path:
    """Write a filter as a project: see ``Filter.export``. ``exchanges`` may be a table as JSON has it."""
    from .build import write_project
    from .examples import record

    if built is None:
        raise BuildError(
            f"{plugin.name} is a ready-made module, so there is no source to export",
            do="save the module: Filter.save(path)",
        )
    if exchanges is None:
        with Proxy([plugin]) as proxy:
            exchanges = [proxy.send()]
    if not isinstance(exchanges, Mapping):
        config = plugin.configuration.decode("utf-8", "replace") if plugin.configuration else None
        exchanges = record(exchanges, config)
    settings = {"root_id": plugin.root_id, "failure_policy": plugin.failure_policy}
    folder = folder.expanduser()
    write_project(built, folder, exchanges, settings, force=force)
    return folder


def read(folder: Path, name: str = "") -> tuple[Plugin, Build]:
    """Build the project in a directory, as it is now. Raises BuildError where there is none."""
    from .build import build_module, read_project

    project = read_project(folder)
    title = name or project.name
    built = build_module(project.source, project.language, title, options=project.options)
    settings = {key: value for key, value in project.settings.items() if key in ("root_id", "failure_policy")}
    return Plugin(built.module, name=title, **settings), built
