"""Filters for an Envoy that somebody else runs, written into files that it reads; what such targets share.

The module and the history of a deployment lie beside the file that the proxy reads.
"""

from __future__ import annotations

import abc
import contextlib
import re
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..envoy.server import replace_file
from ..errors import DeployError, EnvoyRejected
from ..plugin import Plugin
from . import preflight
from .cluster import Json
from .deployment import Deployment, State, unknown
from .history import History, Version, read, written
from .logs import Logs
from .rollout import Rollout
from .running import adopt
from .serving import served_by
from .snippet import wasm
from .watching import Trial

__all__ = ["FileTarget", "Place", "check_name", "content", "refused"]

SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Place:
    """What a proxy reads: the file ``path``, or the directory where each filter has its own.

    ``inside`` is that directory as the proxy sees it, ``admin`` the address of its admin interface;
    ``listeners`` are those that are meant, or all.
    """

    path: Path
    inside: str = ""
    admin: str = ""
    listeners: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        """Where modules and histories lie."""
        return self.path if self.path.is_dir() else self.path.parent

    def book(self, name: str) -> Path:
        """The file of a filter's history."""
        own = "" if self.path.is_dir() else f"{self.path.name}."
        return self.folder / f".{own}{name}.history"


class FileTarget(abc.ABC):
    """Deployments as files; where nobody can ask the proxy, their state is ``written``."""

    name: str

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._made: dict[str, Place] = {}

    @abc.abstractmethod
    def deploy(self, plugin: Plugin, *args: Any, **options: Any) -> Deployment:
        """Write a filter for a proxy to read."""

    @abc.abstractmethod
    def _put(self, place: Place, name: str, number: int, typed: Json | None) -> None:
        """Let the proxy read this filter as version ``number``, or none. Raises OSError."""

    @abc.abstractmethod
    def _reads(self, place: Place, name: str) -> Path:
        """The file that the proxy reads."""

    @abc.abstractmethod
    def _taken(self, place: Place, name: str, number: int | str, before: dict[str, Any]) -> bool:
        """Whether the proxy serves this version. Raises EnvoyRejected where it has refused it."""

    @abc.abstractmethod
    def _counts(self, place: Place, name: str) -> dict[str, Any]:
        """What the proxy counts of such changes."""

    @abc.abstractmethod
    def _hint(self, name: str) -> str:
        """What the proxy's configuration must have."""

    def _deployed(self, plugin: Plugin, place: Place, note: str, start: float) -> Deployment:
        """Write the module and what names it; the former version is put back where the proxy refuses it."""
        unchecked = preflight.check(plugin)
        digest = plugin.module.digest.removeprefix("sha256:")
        with self._lock:
            versions = self._versions(place, plugin.name)
            number = versions[-1].version + 1 if versions else 1
            code = f"{plugin.name}-{digest[:16]}.wasm"
            seen = Path(place.inside or place.folder) / code
            typed = wasm(plugin, path=str(seen))
            typed["config"]["vm_config"]["vm_id"] += f"-{number}"
            try:
                replace_file(place.folder / code, plugin.module.data)
                state = self._swapped(place, plugin.name, number, typed)
            except BaseException:
                self._prune(place.folder, plugin.name)
                raise
            version = Version(number, _now(), plugin.module.digest, str(seen), note=note, applied=typed)
            self._keep(place, plugin.name, (*versions, version))
            self._made[plugin.name] = place
            made = self._deployment(place, plugin.name, version, state)
        return replace(made, seconds=time.perf_counter() - start, notes=unchecked)

    def _swapped(self, place: Place, name: str, number: int, typed: Json) -> State:
        """Let the proxy have it, or put back what there was."""
        file = self._reads(place, name)
        old = content(file)
        before = self._counts(place, name) if place.admin else {}
        try:
            self._put(place, name, number, typed)
        except OSError as error:
            raise DeployError(
                f"the directory cannot be written: {error.strerror}",
                where=str(place.folder),
                do="check its rights",
            ) from None
        if not place.admin:
            return "written"
        new = content(file)
        try:
            self._await(place, name, number, before)
        except BaseException:
            if content(file) == new:  # else somebody else has changed it meanwhile
                self._put_back(place, name, number, old)
            raise
        return "serving"

    def _put_back(self, place: Place, name: str, number: int, old: bytes | None) -> None:
        if old is None:
            self._put(place, name, number, None)
        else:
            replace_file(self._reads(place, name), old)

    def _await(self, place: Place, name: str, number: int | str, before: dict[str, Any]) -> None:
        deadline = time.monotonic() + SECONDS
        while not self._taken(place, name, number, before):
            if time.monotonic() > deadline:
                raise DeployError(
                    f"the proxy at {place.admin} has not read version {number} of {name} in {SECONDS:g} s",
                    do=self._hint(name),
                )
            time.sleep(0.01)

    def canary(self, plugin: Plugin, trial: Trial, **_: Any) -> Rollout:  # noqa: ARG002 it cannot
        """Raises DeployError: the chain of filters belongs to somebody else."""
        raise DeployError(
            f"a proxy that reads {plugin.name} from a file has no place for a second version of it",
            do="try the canary on envoy or container, or deploy to some of the proxies first",
        )

    def rollback(self, name: str, to: int | None = None, *, path: str | Path = "") -> Deployment:
        """Put an earlier version back, as a new one."""
        with self._lock:
            place = self._place(name, path)
            versions = self._versions(place, name)
            back = History(name, versions).before(to)
            number = versions[-1].version + 1
            state = self._swapped(place, name, number, back.applied)
            note = f"rollback to version {back.version}"
            version = replace(back, version=number, at=_now(), note=note)
            self._keep(place, name, (*versions, version))
            return self._deployment(place, name, version, state)

    def undeploy(self, name: str, *, path: str | Path = "") -> Deployment:
        """Take it out of what the proxy reads, and remove what lies beside it."""
        with self._lock:
            place = self._place(name, path)
            last = self._versions(place, name)[-1]
            before = {}
            if place.admin:
                with contextlib.suppress(DeployError):  # a proxy that is gone reads it when it is back
                    before = self._counts(place, name)
            self._put(place, name, last.version + 1, None)
            if before:
                self._await(place, name, last.version + 1, before)
            place.book(name).unlink()
            self._prune(place.folder, name)
            self._made.pop(name, None)
            return self._deployment(place, name, last, "undeployed")

    def history(self, name: str, *, path: str | Path = "") -> History:
        """The versions of a filter there."""
        return History(name, self._versions(self._place(name, path), name))

    def status(self) -> tuple[Deployment, ...]:
        """All that was written from here; where its proxy can be asked, with what that serves."""
        with self._lock:
            found = [(n, p, v[-1]) for n, p in self._made.items() if (v := self._versions(p, n))]
        return tuple(self._now(*each) for each in found)

    def _now(self, name: str, place: Place, version: Version) -> Deployment:
        made = self._deployment(place, name, version, "written")
        if not place.admin:
            return made
        try:
            served = served_by(adopt(place.admin), name, place.admin)
        except DeployError as error:
            return replace(made, state="unknown", notes=(error.what,))
        state: State = "serving" if served.serves(version) else "refused"
        return replace(made, state=state, serving=(served.known((version,)),))

    def logs(self, name: str, last: int = 50, **_: Any) -> Logs:  # noqa: ARG002 nothing can be read
        """Raises DeployError: the log is where that proxy runs."""
        raise DeployError(
            f"the log of {name} is where its proxy runs, which somebody else started",
            do="read it there; adopt(ADMIN).log_level('debug') makes it tell more",
        )

    def forget(self, name: str = "") -> tuple[Deployment, ...]:
        """Look no longer after one of them, or after all; what was forgotten."""
        with self._lock:
            gone = []
            for each in [n for n in self._made if name in ("", n)]:
                place = self._made.pop(each)
                if versions := self._versions(place, each):
                    gone.append(self._deployment(place, each, versions[-1], "written"))
            return tuple(gone)

    def knows(self, name: str) -> bool:
        """Whether it was written from here."""
        return name in self._made

    def names(self) -> list[str]:
        """What was written from here."""
        return list(self._made)

    def _place(self, name: str, path: str | Path) -> Place:
        place = Place(Path(path)) if path else self._made.get(name)
        if place is None or not place.book(name).exists():
            raise unknown(name, self.names(), str(path))
        return place

    def _versions(self, place: Place, name: str) -> tuple[Version, ...]:
        text = content(place.book(name))
        return () if text is None else read(text.decode())

    def _keep(self, place: Place, name: str, versions: tuple[Version, ...]) -> None:
        place.book(name).write_text(written(versions))
        self._prune(place.folder, name)

    def _prune(self, folder: Path, name: str) -> None:
        """Remove modules of this filter that no history there names."""
        text = "".join(file.read_text() for file in folder.glob(".*.history"))
        for file in folder.glob(f"{name}-{'[0-9a-f]' * 16}.wasm"):
            if file.name not in text:
                file.unlink()

    def _deployment(self, place: Place, name: str, version: Version, state: State) -> Deployment:
        return Deployment(
            name=name, target=self.name, url="", digest=version.digest, version=version.version,
            since=version.since, state=state, seconds=0.0, swap_seconds=0.0, place=str(place.path),
            source=version.source,
        )  # fmt: skip


def check_name(name: str) -> None:
    """Raise DeployError where it cannot be part of a file's name."""
    if not re.fullmatch(r"[A-Za-z0-9_.-]+", name):
        raise DeployError(f"{name!r} cannot name a file", do="use letters, digits, '_', '.' and '-'")


def refused(place: Place, name: str) -> EnvoyRejected:
    """The error where the proxy has taken nothing of it."""
    return EnvoyRejected(
        f"the proxy refuses {name}",
        where=place.admin,
        do="read the proxy's log; the former version is back",
    )


def content(path: Path) -> bytes | None:
    """What a file holds; None where there is none."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime())
