"""Any Envoy that reads its listeners from a file (LDS): the filter in the chains that are written there.

The file is somebody else's: all of it but our own line remains as it is, and after undeploying it is what it
was. It is replaced by a rename, which is what Envoy watches for.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from pathlib import Path
from typing import Any

from ..errors import Conflict, DeployError
from ..plugin import Plugin
from .chain_text import filters, put, take
from .cluster import Json
from .deployment import Deployment
from .files import FileTarget, Place, check_name, refused
from .running import adopt

__all__ = ["ListenerFile"]

COUNTED = (
    r"^listener_manager\.(lds\.(update_success|update_rejected|update_failure)|total_listeners_warming)$"
)


class ListenerFile(FileTarget):
    """Deployments as entries of ``http_filters``, before the router."""

    name = "listeners"

    def deploy(
        self,
        plugin: Plugin,
        *,
        path: str | Path = "",
        proxy_path: str = "",
        admin: str = "",
        listeners: tuple[str, ...] = (),
        note: str = "",
    ) -> Deployment:
        """Write the filter into the chains of all listeners in a file, or of those of these names.

        ``proxy_path`` is the file's directory as the proxy sees it: the module is put beside the file.
        ``admin`` is the address of its admin interface: it tells the file where none is given, and whether
        the filter was taken; without it the state is ``written``. Raises EnvoyRejected where the proxy
        refuses it, the file is then as it was; Conflict where a filter of that name is there already.
        """
        start = time.perf_counter()
        check_name(plugin.name)
        watched = path or (adopt(admin).listener_file() if admin else "")
        if not watched:
            raise DeployError(
                f"the proxy at {admin} reads no listeners from a file"
                if admin
                else "the target listeners needs the file that a proxy reads its listeners from",
                do="pass path=: the path_config_source of dynamic_resources.lds_config in its bootstrap",
            )
        only = (listeners,) if isinstance(listeners, str) else tuple(listeners)
        place = Place(Path(watched), proxy_path, admin, only)
        text = _read(place.path)
        if not self._versions(place, plugin.name) and any(plugin.name in each for each in filters(text)):
            raise Conflict(
                f"there is a filter {plugin.name} that was not deployed from here",
                where=str(place.path),
                do="deploy it under another name",
            )
        return self._deployed(plugin, place, note, start)

    def _reads(self, place: Place, name: str) -> Path:  # noqa: ARG002 one for all
        return place.path

    def _put(self, place: Place, name: str, number: int, typed: Json | None) -> None:  # noqa: ARG002
        text = _read(place.path)
        if typed is None:
            new = take(text, name)
        else:
            new = put(text, {"name": name, "typed_config": typed}, place.listeners)
        if _read(place.path) != text:
            raise Conflict(
                "somebody else has just changed the file", where=str(place.path), do="deploy it again"
            )
        _replace(place.path, new)

    def _taken(self, place: Place, name: str, number: int | str, before: dict[str, Any]) -> bool:  # noqa: ARG002
        now = self._counts(place, name)
        for kind in ("update_rejected", "update_failure"):
            if now.get(kind, 0) > before.get(kind, 0):
                raise refused(place, name)
        return now.get("update_success", 0) > before.get("update_success", 0) and not now.get("warming")

    def _counts(self, place: Place, name: str) -> dict[str, Any]:  # noqa: ARG002 Envoy counts files, not filters
        found = adopt(place.admin).stats(COUNTED)
        counts = {key.rpartition(".")[2]: value for key, value in found.items()}
        counts["warming"] = counts.pop("total_listeners_warming", 0)
        return counts

    def _hint(self, name: str) -> str:  # noqa: ARG002
        return "check that its lds_config names this file, and that it watches for renames there"


def _read(path: Path) -> str:
    """The text of the file. Raises DeployError where it cannot be changed."""
    if path.suffix in (".pb", ".pb_text"):
        raise DeployError(
            "listeners are changed in YAML and JSON only", where=str(path), do="convert the file"
        )
    if path.is_symlink():
        raise DeployError(
            "the file is a symbolic link: Envoy watches for renames where the link is",
            where=str(path),
            do=f"pass the file itself, {path.resolve()}, if its directory is the watched_directory",
        )
    try:
        return path.read_bytes().decode()
    except FileNotFoundError:
        raise DeployError(
            "there is no such file", where=str(path), do="pass the file of lds_config"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise DeployError(f"the file of listeners cannot be read: {error}", where=str(path)) from None


def _replace(path: Path, text: str) -> None:
    """Put the new text in the file's place, with its mode and its owner."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_bytes(text.encode())
        shutil.copymode(path, partial)
        was, now = path.stat(), partial.stat()
        if (was.st_uid, was.st_gid) != (now.st_uid, now.st_gid):
            with contextlib.suppress(PermissionError):  # who may not give it away keeps it
                os.chown(partial, was.st_uid, was.st_gid)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
