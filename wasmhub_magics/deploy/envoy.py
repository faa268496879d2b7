"""The target ``envoy``: one Envoy on this machine that serves all filters deployed to it.

It runs in the background until the last filter is undeployed or this Python process ends.
"""

from __future__ import annotations

import os
import time
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import urlsplit

from ..envoy.split import SplitServer
from ..envoy.upstream import UpstreamServer
from ..envoy.validate import validate
from ..errors import DeployError, EnvoyError
from ..plugin import Plugin
from ..proxy.exchange import LogLine
from .deployment import Deployment, unknown
from .history import KEPT, Version
from .local_view import LocalView, Serving, counts
from .rollout import Rollout
from .upstream import Answers, upstream_of
from .watching import FileWitness, Trial, arm_line, nothing_there

__all__ = ["LocalEnvoy"]

SLOTS = 16


class LocalEnvoy(LocalView):
    """One Envoy for all filters deployed to it; requests meet them in the order of deployment."""

    name = "envoy"

    def __init__(self) -> None:
        super().__init__()
        self._answerer: UpstreamServer | None = None
        self._upstream: Answers | None = None
        self._trial = ""
        self._stays = False
        """Whether it goes on without a filter."""

    def start(self, *, upstream: Answers | None = None, port: int = 0) -> str:
        """Start Envoy before there is a filter, or again with those that served; its address.

        It then runs until ``stop``, with or without filters. One that runs goes on. ``upstream`` and ``port``
        are as for ``deploy``, which raises the same errors.
        """
        with self._lock:
            if self._server is None or not self._server.running:
                self._close()
                self._start(None, upstream, port)
            else:
                self._settled(self._server, upstream, port)
            self._stays = True
            assert self._server is not None
            return self._server.url

    def stop(self) -> tuple[Deployment, ...]:
        """End Envoy; its filters remain deployed, and serve again after the next start or deployment.

        Raises DeployError where none runs, and while a canary is under way.
        """
        with self._lock:
            self.running()
            if self._trial:
                raise self._trying()
            self._close()
            self._stays = False
            return self.status()

    def deploy(
        self, plugin: Plugin, *, upstream: Answers | None = None, port: int | None = None, note: str = ""
    ) -> Deployment:
        """Serve a plugin, or swap it for the one of the same name without a failed request.

        ``upstream`` is an address such as http://127.0.0.1:9000, a fixed response or a function; the default
        echoes requests. ``upstream`` and ``port`` are settled by the first deployment. Raises LinkError or
        EnvoyRejected where the module is nothing that Envoy takes, and DeployError where the port is in use.
        """
        start = time.perf_counter()
        plugin.module.check()
        validate(plugin)
        with self._lock:
            if self._server is not None and not self._server.running:
                self._close()
            mark = 0 if self._server is None else self._server.process.log.count
            if self._server is None:
                swap_seconds = self._start(plugin, upstream, port or 0)
            else:
                swap_seconds = self._swap(self._server, plugin, upstream, port)
            server = self._server
            assert server is not None
            before = self._serving.get(plugin.name)
            requests, errors = counts(server)
            deployment = Deployment(
                name=plugin.name,
                target=self.name,
                url=server.url,
                digest=plugin.module.digest,
                version=1 if before is None else before.deployment.version + 1,
                since=datetime.now(UTC),
                state="serving",
                seconds=time.perf_counter() - start,
                swap_seconds=swap_seconds,
                _read_log=lambda: self._log(plugin),
            )
            slot = self._slot(plugin.name)
            self._serving[plugin.name] = Serving(deployment, plugin, slot, requests, errors, mark)
            self._remember(deployment, plugin, note)
            return deployment

    def canary(self, plugin: Plugin, trial: Trial) -> Rollout:
        """Try a new version by a second route; interrupted, take it back."""
        plugin.module.check()
        validate(plugin)
        start = time.perf_counter()
        with self._lock:
            server = self._server
            if plugin.name not in self._serving or server is None or not server.running:
                raise nothing_there(plugin.name)
            if self._trial:
                raise self._trying()
            self._trial = plugin.name
            slot = self._serving[plugin.name].slot
        try:
            server.swap({slot + server.slots: plugin})
            if server.arms.exists():
                os.truncate(server.arms, 0)
            server.divert(slot, trial.percent)
            seen = trial.watch(FileWitness(server.arms, arm_line))
            if seen.good:
                made = self.deploy(plugin, note=f"canary at {trial.percent} %")
            else:
                made = self._now(self._serving[plugin.name])
        finally:
            self._trial = ""
            if server.running:
                server.divert(None)
                server.swap({slot + server.slots: None})
        return seen.rollout(start, made)

    def rollback(self, name: str, to: int | None = None) -> Deployment:
        """Swap in an earlier version as a new one. Raises DeployError where there is none."""
        with self._lock:
            back = self.history(name).before(to)
            return self.deploy(back.applied, note=f"rollback to version {back.version}")

    def undeploy(self, name: str) -> Deployment:
        """Take a filter out of the chain; with the last one Envoy stops and its files go."""
        with self._lock:
            if name not in self._serving:
                raise unknown(name, list(self._serving))
            gone = self._now(self._serving[name])
            if len(self._serving) == 1 and not self._stays:
                self._close()
            elif self._server is not None and self._server.running:
                self._server.swap({self._serving[name].slot: None})
            del self._serving[name]
            del self._history[name]
            return replace(gone, state="undeployed")

    def order(self, *names: str) -> tuple[Deployment, ...]:
        """Let requests meet the filters in this order; those that are not named come behind, as they are.

        No filter is left out for a moment: while they move, a request may meet one twice. Raises DeployError
        for an unknown name, and where there is no room to move them.
        """
        with self._lock:
            for name in names:
                if name not in self._serving:
                    raise unknown(name, list(self._serving))
            now = [s.deployment.name for s in sorted(self._serving.values(), key=lambda s: s.slot)]
            wanted = [*dict.fromkeys(names), *(name for name in now if name not in names)]
            server = self._server
            if wanted == now or server is None or not server.running:
                return self.status()
            taken = {s.slot for s in self._serving.values()}
            free = self._room(taken, len(wanted))
            server.swap({slot: self._serving[name].plugin for slot, name in zip(free, wanted, strict=True)})
            server.swap(dict.fromkeys(taken))
            for slot, name in zip(free, wanted, strict=True):
                self._serving[name] = replace(self._serving[name], slot=slot)
            return self.status()

    def _remember(self, deployment: Deployment, plugin: Plugin, note: str) -> None:
        versions = self._history.setdefault(plugin.name, [])
        at = deployment.since.isoformat(timespec="seconds")
        versions.append(Version(deployment.version, at, deployment.digest, note=note, applied=plugin))
        del versions[:-KEPT]

    def _start(self, plugin: Plugin | None, upstream: Answers | None, port: int) -> float:
        """Start Envoy with this filter, and with those that a lost Envoy served before."""
        if upstream is None and self._serving:
            upstream = self._upstream
        if not port and self._serving:
            port = urlsplit(next(iter(self._serving.values())).deployment.url).port or 0
        start = time.perf_counter()
        target, answerer = upstream_of(upstream)
        try:
            server = SplitServer([], target, slots=SLOTS, port=port, access_log=True)
        except EnvoyError as error:
            if answerer is not None:
                answerer.close()
            if "is in use" in error.what:
                raise DeployError(
                    f"port {port} is in use by another program",
                    do="choose another port, or leave it out to get a free one",
                ) from None
            raise
        self._server, self._answerer, self._upstream = server, answerer, upstream
        try:
            kept = {s.slot: s.plugin for s in self._serving.values()}
            if plugin is not None:
                kept[self._slot(plugin.name)] = plugin
            if kept:
                server.swap(kept)
            for name, serving in self._serving.items():  # this Envoy counts from zero
                self._serving[name] = replace(serving, requests=0, errors=0, mark=0)
        except BaseException:
            self._close()
            raise
        return time.perf_counter() - start

    def _swap(self, server: SplitServer, plugin: Plugin, upstream: Answers | None, port: int | None) -> float:
        self._settled(server, upstream, port)
        return server.swap({self._slot(plugin.name): plugin}).seconds

    def _settled(self, server: SplitServer, upstream: Answers | None, port: int | None) -> None:
        """Raise DeployError where another port or upstream is asked for than that of the running Envoy."""
        rest = f"undeploy first: {', '.join(self._serving)}" if self._serving else "stop it first"
        if port and port != server.port:
            raise DeployError(
                f"the local Envoy serves on port {server.port}, not on {port}",
                do=f"leave the port out, or {rest}",
            )
        if upstream is not None and upstream != self._upstream:
            raise DeployError(
                "the local Envoy has another upstream already",
                do=f"leave the upstream out, or {rest}",
            )

    def _slot(self, name: str) -> int:
        if name in self._serving:
            return self._serving[name].slot
        slot = max((s.slot for s in self._serving.values()), default=-1) + 1
        if slot == SLOTS:
            raise DeployError(
                f"the local Envoy has room for {SLOTS} filters one after another",
                do="undeploy all of them and deploy again those that you need",
            )
        return slot

    def _room(self, taken: set[int], count: int) -> list[int]:
        """As many free slots, in order."""
        if self._trial:
            raise self._trying()
        free = [slot for slot in range(SLOTS) if slot not in taken][:count]
        if len(free) < count:
            raise DeployError(
                f"{count} of {SLOTS} places are taken, which leaves no room to move them",
                do="undeploy them and deploy them in their order",
            )
        return free

    def _trying(self) -> DeployError:
        return DeployError(f"a canary of {self._trial} is under way", do="wait for it, or interrupt it")

    def _log(self, plugin: Plugin) -> tuple[LogLine, ...]:
        with self._lock:
            serving = self._serving.get(plugin.name)
            if serving is None or serving.plugin is not plugin or self._server is None:
                return ()
            self._server.process.drain()
            lines = self._server.lines(self._server.process.log.since(serving.mark))
            return tuple(line for line in lines if line.plugin == plugin.name)

    def _close(self) -> None:
        if self._server is not None:
            self._server.close()
        if self._answerer is not None:
            self._answerer.close()
        self._server = self._answerer = None
