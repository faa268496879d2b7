"""The target ``container``: an Envoy of any release in a Docker container on this machine.

It reads its listener from a file (LDS) and each filter from a file of its own (ECDS), in a directory that is
mounted into it: a new filter is a new chain, a new version of one is swapped in its place.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import socket
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..envoy import config
from ..envoy.server import replace_file
from ..envoy.upstream import UpstreamServer
from ..errors import DeployError, EnvoyRejected
from ..http import Response
from ..plugin import Plugin
from . import preflight
from .cluster import Json
from .deployment import Deployment, State
from .directory import Directory, entry
from .docker import Running as Contained
from .docker import start
from .history import History
from .logs import Logged, Logs
from .rollout import Rollout
from .running import Running, adopt
from .shares import MATCHED, WATCH, access_log, noted
from .snippet import wasm
from .upstream import Answers, upstream_of
from .watching import FileWitness, Trial, nothing_there

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Container"]

INSIDE = "/wasmhub"
LISTENERS, ARMS = "listeners.json", "told/arms.log"
DEFAULT = "envoyproxy/envoy:v1.40.0"
SECONDS = 30.0


class Container:
    """One container for all filters deployed to it; it is removed with the last one, or with this process."""

    name = "container"

    def __init__(self) -> None:
        self._files = Directory()
        self._files.name = self.name
        self._running: Contained | None = None
        self._folder = Path()
        self._answerer: UpstreamServer | None = None
        self._names: list[str] = []
        self._listener: Json = {}
        self._version = 0
        self.admin = ""
        self.url = ""

    def deploy(
        self,
        plugin: Plugin,
        *,
        image: str = "",
        upstream: Answers | None = None,
        port: int = 0,
        note: str = "",
    ) -> Deployment:
        """Serve a plugin in a container, or swap it for the one of the same name without a failed request.

        ``image`` is an image of Envoy, fetched where it is not here; ``upstream`` and ``port`` are as for the
        local Envoy. All three are settled by the first deployment. Raises EnvoyRejected where the Envoy in
        the container refuses the filter, and DeployError without Docker or the image.
        """
        begun = time.perf_counter()
        first = self._running is None or not self._running.alive
        if first:
            self._close()
            self._start(image or DEFAULT, upstream, port)
        known = plugin.name in self._names
        try:
            if not known:
                nothing = config.resource(plugin.name, "0", None)
                replace_file(self._folder / f"{plugin.name}.json", json.dumps(nothing).encode())
                self._listen([*self._names, plugin.name])
            made = self._files.deploy(
                plugin, path=self._folder, proxy_path=INSIDE, admin=self.admin, note=note
            )
        except BaseException as error:
            if isinstance(error, EnvoyRejected) and self._running is not None:
                error.where = self._running.tail() or error.where
            if first:
                self._close()
            elif not known:
                self._listen([name for name in self._names if name != plugin.name])
            raise
        return replace(made, url=self.url, seconds=time.perf_counter() - begun)

    def canary(self, plugin: Plugin, trial: Trial) -> Rollout:
        """Try a new version in the same place of the chain."""
        preflight.check(plugin)
        if plugin.name not in self._names or self._running is None or not self._running.alive:
            raise nothing_there(plugin.name)
        start = time.perf_counter()
        # a name of its own: lines of an earlier one may still come
        name = f"{plugin.name}.canary-{secrets.token_hex(4)}"
        code, told = self._folder / f"{name}.wasm", self._folder / ARMS
        new = wasm(plugin, path=f"{INSIDE}/{code.name}")
        new["config"]["vm_config"]["vm_id"] = name
        both = {"name": name, "typed_config": new}
        noting = FileWitness(told, lambda line: noted(line, plugin.name, name))
        admin = adopt(self.admin)
        try:
            replace_file(code, plugin.module.data)
            with self._files.shared(plugin.name, both, trial.percent):
                admin.runtime(WATCH, 100)
                seen = trial.watch(noting)
                if seen.good:
                    made = self.deploy(plugin, note=f"canary at {trial.percent} %")
            if not seen.good:
                made = next(each for each in self.status() if each.name == plugin.name)
        finally:
            with contextlib.suppress(DeployError):
                admin.runtime(WATCH, 0)
            code.unlink(missing_ok=True)
            if told.exists():
                os.truncate(told, 0)
        return seen.rollout(start, made)

    def rollback(self, name: str, to: int | None = None) -> Deployment:
        """Swap in an earlier version as a new one. Raises DeployError where there is none."""
        return replace(self._files.rollback(name, to), url=self.url)

    def undeploy(self, name: str) -> Deployment:
        """Take a filter away; with the last one the container is removed."""
        gone = self._files.undeploy(name)
        rest = [each for each in self._names if each != name]
        if not rest or self._running is None or not self._running.alive:
            self._close()
        else:
            self._listen(rest)
            (self._folder / f"{name}.json").unlink()
        return gone

    def history(self, name: str) -> History:
        """The versions of a filter."""
        return self._files.history(name)

    def status(self) -> tuple[Deployment, ...]:
        """All filters, in the order in which a request meets them."""
        alive = self._running is not None and self._running.alive
        state: State = "serving" if alive else "stopped"
        found = {each.name: each for each in self._files.status()}
        return tuple(replace(found[name], url=self.url, state=state) for name in self._names if name in found)

    def running(self) -> Running:
        """Its admin interface. Raises DeployError where no container runs."""
        if self._running is None or not self._running.alive:
            raise DeployError("no container of Envoy runs", do="deploy a filter to container")
        return adopt(self.admin)

    def logs(self, name: str, last: int = 50) -> Logs:
        """The last lines of the container's log by the filter. Raises DeployError for other names."""
        self._files.history(name)
        text = "" if self._running is None else self._running.log()
        mark = f"wasm log {name}"
        lines = [line for line in text.splitlines() if mark in line][-last:]
        at = "" if self._running is None else self._running.name
        return Logs(
            name, self.name, tuple(Logged(at, _level(line), line.split(mark, 1)[1]) for line in lines)
        )

    def knows(self, name: str) -> bool:
        """Whether a filter of this name is deployed."""
        return name in self._names

    def names(self) -> list[str]:
        """The names of all filters."""
        return list(self._names)

    def _start(self, image: str, upstream: Answers | None, port: int) -> None:
        target, self._answerer = upstream_of(upstream)
        self._folder = Path(tempfile.mkdtemp(prefix="wasmhub-container-"))
        self._folder.chmod(0o755)
        told = self._folder / "told"
        told.mkdir()
        told.chmod(0o777)  # the Envoy of an image runs as a user of its own
        try:
            if isinstance(target, tuple):
                extra, cluster = [], config.cluster(*target)
            else:
                extra, cluster = [_answering(target)], config.cluster(listener="upstream")
            # a listener that is changed must name the port that it has
            bootstrap = config.bootstrap([], cluster, port=port or _free_port())
            static = bootstrap["static_resources"]
            self._listener = next(each for each in static["listeners"] if each["name"] == "main")
            static["listeners"] = extra
            bootstrap["dynamic_resources"] = {
                "lds_config": {
                    "path_config_source": {"path": f"{INSIDE}/{LISTENERS}"},
                    "resource_api_version": "V3",
                }
            }
            (self._folder / "envoy.json").write_text(json.dumps(bootstrap, indent=1))
            self._write([])
            self._running = start(image, self._folder, INSIDE)
            self._settle(told / "admin.txt")
        except BaseException:
            self._close()
            raise

    def _settle(self, address: Path) -> None:
        """Wait until it serves, and learn where."""
        assert self._running is not None
        deadline = time.monotonic() + SECONDS
        while True:
            if not self._running.alive or time.monotonic() > deadline:
                raise DeployError("Envoy does not start in its container", where=self._running.tail())
            if address.exists() and (text := address.read_text()):
                self.admin = text
                with contextlib.suppress(DeployError):  # not yet
                    if self._taken():
                        break
            time.sleep(0.02)
        self.url = f"http://{config.HOST}:{self._listener['address']['socket_address']['port_value']}"

    def _listen(self, names: list[str]) -> None:
        """Let the chain have these filters, and wait until it has."""
        self._write(names)
        deadline = time.monotonic() + SECONDS
        while not self._taken():
            if time.monotonic() > deadline:
                told = "" if self._running is None else self._running.tail()
                raise DeployError("Envoy does not take its listener", where=told)
            time.sleep(0.01)

    def _write(self, names: Iterable[str]) -> None:
        self._names = list(names)
        self._version += 1
        listener = json.loads(json.dumps(self._listener))
        manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
        chain = [entry(name, INSIDE) for name in self._names]
        for each in chain:
            each["config_discovery"]["type_urls"].append(MATCHED)
        manager["http_filters"] = [*chain, config.ROUTER]
        manager["access_log"] = [access_log(f"{INSIDE}/{ARMS}", WATCH)]
        kind = config.TYPE + "envoy.config.listener.v3.Listener"
        content = {"version_info": str(self._version), "resources": [{"@type": kind, **listener}]}
        replace_file(self._folder / LISTENERS, json.dumps(content).encode())

    def _taken(self) -> bool:
        stats = adopt(self.admin).stats(r"^listener_manager\.(lds\.version_text|total_listeners_warming)$")
        return (
            stats.get("listener_manager.lds.version_text") == str(self._version)
            and stats.get("listener_manager.total_listeners_warming") == 0
        )

    def _close(self) -> None:
        if self._running is not None:
            self._running.remove()
        if self._answerer is not None:
            self._answerer.close()
        if self._folder != Path():
            shutil.rmtree(self._folder, ignore_errors=True)
        self._files.forget()
        self._running = self._answerer = None
        self._folder, self._names = Path(), []


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((config.HOST, 0))
        return int(probe.getsockname()[1])


def _answering(target: Response | tuple[str, int] | None) -> Json:
    return config.fixed_in_envoy(target) if isinstance(target, Response) else config.echo_in_envoy()


def _level(line: str) -> str:
    return next((each for each in ("critical", "error", "warning", "debug") if f"[{each}]" in line), "info")
