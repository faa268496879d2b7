"""The doctor: which parts are on this machine, and how to get the others."""

from __future__ import annotations

import html
import os
import platform
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal, TypeAlias

from . import __version__
from .errors import WasmhubError

__all__ = ["Check", "Report", "doctor"]

State: TypeAlias = Literal["ok", "missing", "broken", "told"]

MARKS = {"ok": "✓", "missing": "–", "broken": "✗", "told": " "}
COLOURS = {"ok": "#1f9d55", "missing": "inherit", "broken": "#d13438", "told": "inherit"}


@dataclass(frozen=True, slots=True)
class Check:
    """One part: whether it is here (``ok``), could be got (``missing``) or does not work (``broken``).

    ``found`` is what is here or what is wrong, ``do`` the command that helps. ``told`` is a mere fact.
    """

    group: str
    part: str
    state: State
    found: str = ""
    do: str = ""


@dataclass(frozen=True)
class Report:
    """All checks, in groups."""

    checks: tuple[Check, ...]

    @property
    def healthy(self) -> bool:
        """Whether nothing is broken; what is merely missing is needed by those who use it only."""
        return all(check.state != "broken" for check in self.checks)

    def __getitem__(self, part: str) -> Check:
        for check in self.checks:
            if check.part == part:
                return check
        raise KeyError(part)

    def _groups(self) -> Iterator[tuple[str, list[Check]]]:
        for group in dict.fromkeys(check.group for check in self.checks):
            yield group, [check for check in self.checks if check.group == group]

    def __repr__(self) -> str:
        wide = max((len(check.part) for check in self.checks), default=0)
        lines = []
        for group, checks in self._groups():
            lines.append(group)
            for check in checks:
                lines.append(f"  {MARKS[check.state]} {check.part:<{wide}}  {check.found}".rstrip())
                if check.do:
                    lines.append(f"    {'':<{wide}}  {check.do}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        left = "style='text-align:left;vertical-align:top'"
        rows = []
        for group, checks in self._groups():
            rows.append(f"<tr><th colspan='3' {left}>{html.escape(group)}</th></tr>")
            for check in checks:
                do = f"<br><code>{html.escape(check.do)}</code>" if check.do else ""
                mark = f"<span style='color:{COLOURS[check.state]}'>{MARKS[check.state]}</span>"
                rows.append(
                    f"<tr><td>{mark}</td><td {left}>{html.escape(check.part)}</td>"
                    f"<td {left}>{html.escape(check.found)}{do}</td></tr>"
                )
        return f"<table><tbody>{''.join(rows)}</tbody></table>"


def doctor(
    settings: Mapping[str, object] | None = None,
    *,
    warm: Sequence[str] | None = None,
    progress: Callable[[str], None] | None = None,
) -> Report:
    """Look at this machine: toolchains, proxies, notebook, registries, directories, settings.

    With ``warm``, the names of languages or ``()`` for all, what their compilers do once is done first.
    Raises BuildError for a name of no language, and ToolchainMissing for one whose compiler is not here.
    """
    warmed = [] if warm is None else list(_warmed(warm, progress))
    checks = [*warmed, *_here(), *_languages(), *_proxies(), *_notebook(), *_registries(), *_places()]
    checks += [
        Check("settings", name, "told", str(value)) for name, value in sorted((settings or {}).items())
    ]
    return Report(tuple(checks))


def _warmed(names: Sequence[str], progress: Callable[[str], None] | None) -> Iterator[Check]:
    from .build.warm import warm

    for each in warm(names, progress):
        found = each.why or f"in {each.seconds:.1f} s"
        yield Check("warmed", each.language, "broken" if each.why else "ok", found)


def _here() -> Iterator[Check]:
    system = f"{platform.system()} {platform.machine()}"
    yield Check("this machine", "wasmhub-magics", "ok", __version__)
    yield Check(
        "this machine", "Python", "ok", f"{platform.python_version()}, {system}, {os.cpu_count()} cores"
    )


def _languages() -> Iterator[Check]:
    from .build import languages

    for language in languages().values():
        yield _asked("languages", language.title, lambda each=language: _compiler(str(each.detect())))  # type: ignore[misc]


def _compiler(toolchain: str) -> str:
    return "needs no compiler" if toolchain.strip() in ("", "none") else toolchain


def _proxies() -> Iterator[Check]:
    from .envoy import find_envoy

    host = Path(__file__).parent / "proxy" / "host.wasm"
    if host.is_file():
        yield _package("proxies", "wasmtime", "the embedded proxy", "pip install wasmtime")
    else:
        yield Check(
            "proxies",
            "wasmtime",
            "broken",
            "the embedded proxy is not built",
            "pip install --force-reinstall .",
        )
    yield _asked("proxies", "Envoy", lambda: str(find_envoy()))
    yield _tool("proxies", "h2load", "load on the real Envoy", "apt-get install nghttp2-client")


def _notebook() -> Iterator[Check]:
    yield _package("notebook", "ipython", "magics", "pip install ipython")
    yield _package("notebook", "ipykernel", "kernel", "pip install ipykernel")
    for name in ("ipywidgets", "anywidget"):
        yield _package("notebook", name, "request tester", f"pip install {name}")
    yield _package("notebook", "jupyterlab", "", 'pip install "wasmhub-magics[lab]"')


def _registries() -> Iterator[Check]:
    yield _package("registries", "oras", "push and pull", "pip install oras")
    yield _tool("registries", "skopeo", "looks at and copies images", "apt-get install skopeo")
    yield _tool(
        "registries", "docker-registry", "a registry on this machine", "apt-get install docker-registry"
    )


def _tool(group: str, name: str, serves: str, do: str) -> Check:
    path = shutil.which(name)
    found = f"{path} ({serves})" if path else f"not installed; {serves}"
    return Check(group, name, "ok" if path else "missing", found, "" if path else do)


def _places() -> Iterator[Check]:
    from .build.cache import cache_root
    from .hub import Store

    yield _place("build cache", cache_root())
    yield _place("local store", Store().path)


def _asked(group: str, part: str, ask: Callable[[], str]) -> Check:
    from .errors import EnvoyMissing, ToolchainMissing

    try:
        return Check(group, part, "ok", ask())
    except (ToolchainMissing, EnvoyMissing) as error:
        return Check(group, part, "missing", error.what, error.do)
    except WasmhubError as error:
        return Check(group, part, "broken", error.what, error.do)


def _package(group: str, name: str, serves: str, do: str) -> Check:
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        return Check(
            group, name, "missing", f"not installed; serves the {serves}" if serves else "not installed", do
        )
    return Check(group, name, "ok", f"{version} ({serves})" if serves else version)


def _place(part: str, path: Path) -> Check:
    """A directory that is, or can be, made and written."""
    nearest = next(each for each in (path, *path.parents) if each.exists())
    if nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK):
        return Check("directories", part, "ok", str(path))
    return Check("directories", part, "broken", f"{path} cannot be written", f"chown -R $USER {nearest}")
