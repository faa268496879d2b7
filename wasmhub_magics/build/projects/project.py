"""Projects: a filter's source with everything that builds and tests it, and the way back."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from importlib import import_module
from pathlib import Path
from typing import Any

from ...errors import BuildError
from ..build import Build
from ..language import BuildOptions
from ..languages import find_language
from .layout import Layout
from .texts import IGNORED, TEST, readme, workflow

__all__ = ["Project", "read_project", "write_project"]

MANIFEST = "wasmhub.json"
_KEPT = ("optimize", "debug", "defines", "flags", "packages", "first_line")


@dataclass(frozen=True, slots=True)
class Project:
    """What a project's directory tells: enough to build its filter again."""

    name: str
    language: str
    source: str
    options: BuildOptions
    settings: Mapping[str, Any]
    """The plugin's own, such as its root id; its configuration is not among them."""


def write_project(
    build: Build, folder: Path, table: Mapping[str, Any], settings: Mapping[str, Any], *, force: bool = False
) -> None:
    """Write a build as a project into an empty or new directory; with ``force`` over what is there.

    ``table`` are the exchanges of its test. Raises BuildError where the language has no project, and where
    the directory cannot be used.
    """
    layout = _layout(build)
    manifest = {
        "name": build.name,
        "language": build.language,
        "source": layout.source,
        "files": {name: layout.place(name) for name, _ in build.options.files},
        "options": {name: getattr(build.options, name) for name in _KEPT},
        "settings": settings,
        "digest": build.module.digest,
    }
    texts = {
        **layout.files,
        layout.source: build.source,
        **{layout.place(name): text for name, text in build.options.files},
        "README.md": readme(build, layout),
        ".gitignore": IGNORED + "".join(f"{each}\n" for each in layout.ignored),
        ".github/workflows/filter.yml": workflow(layout),
        "tests/test_filter.py": TEST.replace("NAME", build.name),
        "tests/exchanges.json": _pretty(table),
        MANIFEST: json.dumps(manifest, indent=2) + "\n",
    }
    try:
        if folder.exists() and not force and (not folder.is_dir() or any(folder.iterdir())):
            raise BuildError(
                "there is something already", where=str(folder), do="name a new directory, or use force"
            )
        for name, text in texts.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    except OSError as error:
        raise BuildError(
            f"the project cannot be written: {error.strerror}", where=str(folder), do="name another directory"
        ) from None


def read_project(folder: Path) -> Project:
    """The project in a directory, as it is now. Raises BuildError where there is none."""
    path = folder / MANIFEST
    try:
        told = json.loads(path.read_text())
        given = {name: _frozen(value) for name, value in told["options"].items()}
        known = {each.name for each in fields(BuildOptions)}
        packages = _packages(folder, told["language"], given.get("packages", ()))
        files = tuple((name, (folder / place).read_text()) for name, place in told["files"].items())
        options = BuildOptions(
            **{name: value for name, value in given.items() if name in known} | {"packages": packages},
            files=files,
        )
        source = (folder / told["source"]).read_text()
        return Project(told["name"], told["language"], source, options, told.get("settings", {}))
    except FileNotFoundError as error:
        missing = Path(error.filename).name
        raise BuildError(
            f"this is no exported filter: it has no {missing}",
            where=str(folder),
            do="name a directory that was exported, or a .wasm file",
        ) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BuildError(
            f"the project cannot be read: {type(error).__name__}: {error}",
            where=str(path),
            do="mend it, or export the filter again",
        ) from None


def _layout(build: Build) -> Layout:
    try:
        home = import_module(f".{build.language}", __package__)
    except ModuleNotFoundError:
        raise BuildError(
            f"a filter in {find_language(build.language).title} cannot be exported as a project",
            do="save its module: Filter.save(path)",
        ) from None
    made: Layout = home.layout(build)
    return made


def _packages(folder: Path, language: str, told: tuple[str, ...]) -> tuple[str, ...]:
    """What the source uses: as the project's own files have it now, where they tell it."""
    manifest = folder / "Cargo.toml"
    if language != "rust" or not manifest.is_file():
        return told
    wanted = tomllib.loads(manifest.read_text()).get("dependencies", {})
    return tuple(
        f"{name}={value}" if isinstance(value, str) else f"{name}={_inline(value)}"
        for name, value in wanted.items()
    )


def _inline(table: Mapping[str, Any]) -> str:
    pairs = (f"{name} = {json.dumps(value)}" for name, value in table.items())
    return "{ " + ", ".join(pairs) + " }"


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


def _pretty(table: Mapping[str, Any]) -> str:
    """JSON with one exchange a line."""
    head = json.dumps({key: value for key, value in table.items() if key != "exchanges"}, indent=2)
    rows = ",\n    ".join(json.dumps(each) for each in table.get("exchanges", ()))
    start = head[:-2] + "," if head != "{}" else "{"
    return f'{start}\n  "exchanges": [\n    {rows}\n  ]\n}}\n'
