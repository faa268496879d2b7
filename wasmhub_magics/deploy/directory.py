"""Any Envoy that reads a directory: the filter as a discovered extension (ECDS) in a file there.

The proxy's configuration names the file once (``entry``); from then on filters are swapped by a rename. The
module lies in the directory too: of a discovered extension Envoy 1.40 never fetches a remote module.
"""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..envoy import config
from ..envoy.server import replace_file
from ..errors import DeployError
from ..plugin import Plugin
from .cluster import Json
from .deployment import Deployment
from .files import FileTarget, Place, check_name, refused
from .running import adopt
from .shares import composite

__all__ = ["Directory", "entry"]


def entry(name: str, proxy_path: str) -> Json:
    """What the proxy's ``http_filters`` must contain, so that it reads the file of this filter there."""
    return config.slot(name, Path(proxy_path) / f"{name}.json")


class Directory(FileTarget):
    """Deployments as files, one for each filter."""

    name = "directory"

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
        check_name(plugin.name)
        watched = path or (adopt(admin).folder(plugin.name) if admin else "")
        if not watched:
            raise DeployError(
                f"the proxy at {admin} reads no filter {plugin.name} from a directory"
                if admin
                else "the target directory needs a directory",
                do=f"pass path=, or let its http_filters contain: {_wanted(plugin.name)}",
            )
        folder = Path(watched)
        if not folder.is_dir():
            raise DeployError("there is no such directory", where=str(folder), do="make it, or mount it")
        return self._deployed(plugin, Place(folder, proxy_path, admin), note, start)

    @contextlib.contextmanager
    def shared(self, name: str, other: Json, percent: int) -> Iterator[None]:
        """Let a share of the requests meet another filter, as long as the block lasts.

        What is deployed meanwhile remains. Raises EnvoyRejected where the proxy does not take it.
        """
        place = self._made[name]
        file = self._reads(place, name)
        old = file.read_bytes()
        (now,) = json.loads(old)["resources"]
        stable = {"name": name, "typed_config": now["typed_config"]}
        version = f"{self._versions(place, name)[-1].version}-{percent}%"
        both = config.resource(name, version, composite(name, stable, other, percent)["typed_config"])
        written = json.dumps(both, indent=1).encode()
        before = self._counts(place, name)
        try:
            replace_file(file, written)
            self._await(place, name, version, before)
            yield
        finally:
            if file.read_bytes() == written:
                replace_file(file, old)

    def _reads(self, place: Place, name: str) -> Path:
        return place.path / f"{name}.json"

    def _put(self, place: Place, name: str, number: int, typed: Json | None) -> None:
        """The file remains where there is no filter, since the proxy reads it: one then that does nothing."""
        resource = config.resource(name, str(number), typed)
        replace_file(self._reads(place, name), json.dumps(resource, indent=1).encode())

    def _taken(self, place: Place, name: str, number: int | str, before: dict[str, Any]) -> bool:
        stats = self._counts(place, name)
        if stats.get("version_text") == str(number):
            return True
        for kind in ("update_rejected", "update_failure"):
            if int(stats.get(kind, 0)) > int(before.get(kind, 0)):
                raise refused(place, name)
        return False

    def _counts(self, place: Place, name: str) -> dict[str, Any]:
        prefix = f"extension_config_discovery.http_filter.{name}."
        found = adopt(place.admin).stats(f"^{re.escape(prefix)}")
        return {key.removeprefix(prefix): value for key, value in found.items()}

    def _hint(self, name: str) -> str:
        return f"let its http_filters contain: {_wanted(name)}"


def _wanted(name: str) -> str:
    return json.dumps(entry(name, "DIRECTORY"))
