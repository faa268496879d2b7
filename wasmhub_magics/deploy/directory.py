"""Any Envoy that reads a directory: the filter as a discovered extension (ECDS) in a file there.

The proxy's configuration names the file once (``entry``); from then on filters are swapped by a rename. The
module lies in the directory too: of a discovered extension Envoy 1.40 never fetches a remote module.
"""

from __future__ import annotations

import contextlib
import json
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..envoy import config
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
from .shares import composite
from .snippet import wasm

__all__ = ["Directory", "entry"]

SECONDS = 10.0


def entry(name: str, proxy_path: str) -> Json:
    """What the proxy's ``http_filters`` must contain, so that it reads the file of this filter there."""
    return config.slot(name, Path(proxy_path) / f"{name}.json")


class Directory:
    """Deployments as files; the history lies beside them."""

    name = "directory"

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._made: dict[str, tuple[Path, str]] = {}
        """Where each was written, and the admin interface of the proxy that reads it, if it is known."""

    def deploy(
        self,
        plugin: Plugin,
        *,
        path: str | Path = "",
        proxy_path: str = "",
        admin: str = "",
        note: str = "",
    ) -> Deployment:
        """Write the module and the resource that names it, and wait until the proxy has taken it.

        ``proxy_path`` is the directory as the proxy sees it, in a container for example. ``admin`` is the
        address of its admin interface: it tells the directory where none is given, and whether the filter was
        taken; without it nothing can be known of it, and the state is ``written``.
        Raises EnvoyRejected where the proxy refuses the filter; the former version is then put back.
        """
        start = time.perf_counter()
        if not re.fullmatch(r"[A-Za-z0-9_.-]+", plugin.name):
            raise DeployError(
                f"{plugin.name!r} cannot name a file", do="use letters, digits, '_', '.' and '-'"
            )
        preflight.check(plugin)
        watched = path or (adopt(admin).folder(plugin.name) if admin else "")
        if not watched:
            wanted = json.dumps(entry(plugin.name, "DIRECTORY"))
            raise DeployError(
                f"the proxy at {admin} reads no filter {plugin.name} from a directory"
                if admin
                else "the target directory needs a directory",
                do=f"pass path=, or let its http_filters contain: {wanted}",
            )
        folder = Path(watched)
        if not folder.is_dir():
            raise DeployError("there is no such directory", where=str(folder), do="make it, or mount it")
        digest = plugin.module.digest.removeprefix("sha256:")
        with self._lock:
            versions = self._versions(folder, plugin.name)
            number = versions[-1].version + 1 if versions else 1
            code = f"{plugin.name}-{digest[:16]}.wasm"
            seen = Path(proxy_path or folder) / code
            typed = wasm(plugin, path=str(seen))
            typed["config"]["vm_config"]["vm_id"] += f"-{number}"
            resource = config.resource(plugin.name, str(number), typed)
            old = _read(folder / f"{plugin.name}.json")
            try:
                replace_file(folder / code, plugin.module.data)
                before = _stats(admin, plugin.name) if admin else {}
                replace_file(folder / f"{plugin.name}.json", json.dumps(resource, indent=1).encode())
            except OSError as error:
                raise DeployError(
                    f"the directory cannot be written: {error.strerror}",
                    where=str(folder),
                    do="check its rights",
                ) from None
            try:
                state: State = self._taken(admin, plugin.name, str(number), before) if admin else "written"
            except EnvoyRejected:
                if old is None:
                    _nothing(folder, plugin.name, number)
                else:
                    replace_file(folder / f"{plugin.name}.json", old)
                raise
            at = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime())
            version = Version(number, at, plugin.module.digest, str(seen), note=note, applied=resource)
            self._keep(folder, plugin.name, (*versions, version))
            self._made[plugin.name] = (folder, admin)
            made = self._deployment(folder, plugin.name, version, state)
        return replace(made, seconds=time.perf_counter() - start)

    def canary(self, plugin: Plugin, percent: int = 10, **_: Any) -> Rollout:  # noqa: ARG002 it cannot
        """Raises DeployError: the chain of filters belongs to somebody else."""
        raise DeployError(
            f"a proxy that reads {plugin.name} from a directory has no place for a second version of it",
            do="try the canary on envoy or container, or deploy to some of the proxies first",
        )

    @contextlib.contextmanager
    def shared(self, name: str, other: Json, percent: int) -> Iterator[None]:
        """Let a share of the requests meet another filter, as long as the block lasts.

        What is deployed meanwhile remains. Raises EnvoyRejected where the proxy does not take it.
        """
        folder, admin = self._made[name]
        file = folder / f"{name}.json"
        old = file.read_bytes()
        (now,) = json.loads(old)["resources"]
        stable = {"name": name, "typed_config": now["typed_config"]}
        version = f"{self._versions(folder, name)[-1].version}-{percent}%"
        both = config.resource(name, version, composite(name, stable, other, percent)["typed_config"])
        written = json.dumps(both, indent=1).encode()
        before = _stats(admin, name)
        try:
            replace_file(file, written)
            self._taken(admin, name, version, before)
            yield
        finally:
            if file.read_bytes() == written:
                replace_file(file, old)

    def rollback(self, name: str, to: int | None = None, *, path: str | Path = "") -> Deployment:
        """Put an earlier version back, as a new one."""
        with self._lock:
            folder = self._folder(name, path)
            versions = self._versions(folder, name)
            back = History(name, versions).before(to)
            number = versions[-1].version + 1
            resource = {**back.applied, "version_info": str(number)}
            admin = self._made.get(name, (folder, ""))[1]
            before = _stats(admin, name) if admin else {}
            replace_file(folder / f"{name}.json", json.dumps(resource, indent=1).encode())
            state: State = self._taken(admin, name, str(number), before) if admin else "written"
            at = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime())
            note = f"rollback to version {back.version}"
            version = replace(back, version=number, at=at, note=note, applied=resource)
            self._keep(folder, name, (*versions, version))
            return self._deployment(folder, name, version, state)

    def undeploy(self, name: str, *, path: str | Path = "") -> Deployment:
        """Put a filter that does nothing in its place, since the proxy reads that file; remove the rest."""
        with self._lock:
            folder = self._folder(name, path)
            last = self._versions(folder, name)[-1]
            _nothing(folder, name, last.version + 1)
            for file in folder.glob(f"{name}-*.wasm"):
                file.unlink()
            (folder / f".{name}.history").unlink()
            self._made.pop(name, None)
            return self._deployment(folder, name, last, "undeployed")

    def history(self, name: str, *, path: str | Path = "") -> History:
        """The versions of a filter there."""
        return History(name, self._versions(self._folder(name, path), name))

    def status(self) -> tuple[Deployment, ...]:
        """All that was written from here."""
        with self._lock:
            found = []
            for name, (folder, _) in self._made.items():
                versions = self._versions(folder, name)
                if versions:
                    found.append(self._deployment(folder, name, versions[-1], "written"))
            return tuple(found)

    def logs(self, name: str, last: int = 50, **_: Any) -> Logs:  # noqa: ARG002 nothing can be read
        """Raises DeployError: the log is where that proxy runs."""
        raise DeployError(
            f"the log of {name} is where its proxy runs, which somebody else started",
            do="read it there; adopt(ADMIN).log_level('debug') makes it tell more",
        )

    def forget(self, name: str = "") -> tuple[Deployment, ...]:
        """Look no longer after one of them, or after all; what was forgotten."""
        with self._lock:
            gone = tuple(each for each in self.status() if name in ("", each.name))
            for each in gone:
                del self._made[each.name]
            return gone

    def knows(self, name: str) -> bool:
        """Whether it was written from here."""
        return name in self._made

    def names(self) -> list[str]:
        """What was written from here."""
        return list(self._made)

    def _folder(self, name: str, path: str | Path) -> Path:
        folder = Path(path) if path else self._made.get(name, (None, ""))[0]
        if folder is None or not (folder / f".{name}.history").exists():
            raise unknown(name, self.names(), str(path))
        return folder

    def _versions(self, folder: Path, name: str) -> tuple[Version, ...]:
        text = _read(folder / f".{name}.history")
        return () if text is None else read(text.decode())

    def _keep(self, folder: Path, name: str, versions: tuple[Version, ...]) -> None:
        """Write the history, and remove modules that no kept version names."""
        text = written(versions)
        (folder / f".{name}.history").write_text(text)
        for file in folder.glob(f"{name}-*.wasm"):
            if file.name not in text:
                file.unlink()

    def _taken(self, admin: str, name: str, version: str, before: dict[str, Any]) -> State:
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            stats = _stats(admin, name)
            if stats.get("version_text") == version:
                return "serving"
            for kind in ("update_rejected", "update_failure"):
                if int(stats.get(kind, 0)) > int(before.get(kind, 0)):
                    raise EnvoyRejected(
                        f"the proxy refuses {name}",
                        where=admin,
                        do="read the proxy's log; the former version is back",
                    )
            time.sleep(0.01)
        raise DeployError(
            f"the proxy at {admin} has not read version {version} of {name} in {SECONDS:g} s",
            do=f"let its http_filters contain: {json.dumps(entry(name, 'DIRECTORY'))}",
        )

    def _deployment(self, folder: Path, name: str, version: Version, state: State) -> Deployment:
        return Deployment(
            name=name, target=self.name, url="", digest=version.digest, version=version.version,
            since=version.since, state=state, seconds=0.0, swap_seconds=0.0, place=str(folder),
            source=version.source,
        )  # fmt: skip


def _nothing(folder: Path, name: str, version: int) -> None:
    resource = config.resource(name, str(version), None)
    replace_file(folder / f"{name}.json", json.dumps(resource, indent=1).encode())


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _stats(admin: str, name: str) -> dict[str, Any]:
    prefix = f"extension_config_discovery.http_filter.{name}."
    found = adopt(admin).stats(f"^{re.escape(prefix)}")
    return {key.removeprefix(prefix): value for key, value in found.items()}
