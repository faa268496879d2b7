"""The target ``envoy``: one Envoy on this machine that serves all filters deployed to it.

It runs in the background until the last filter is undeployed or this Python process ends.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TypeAlias
from urllib.parse import urlsplit

from ..envoy.split import SplitServer
from ..envoy.upstream import UpstreamServer
from ..envoy.validate import validate
from ..errors import DeployError, EnvoyError
from ..http import Request, Response
from ..plugin import Plugin
from ..proxy.exchange import LogLine
from ..proxy.upstream import echo
from .deployment import Deployment, unknown
from .history import KEPT, History, Version
from .rollout import Rollout, Rules, Tick, watch

__all__ = ["LocalEnvoy"]

SLOTS = 16
Answers: TypeAlias = "str | Response | Callable[[Request], Response]"


@dataclass(frozen=True, slots=True)
class _Serving:
    """One deployed filter: where it is in the chain, and what the counters said when it came."""

    deployment: Deployment
    plugin: Plugin
    slot: int
    requests: int
    errors: int
    mark: int


class LocalEnvoy:
    """One Envoy for all filters deployed to it; requests meet them in the order of deployment."""

    name = "envoy"

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._server: SplitServer | None = None
        self._answerer: UpstreamServer | None = None
        self._upstream: Answers | None = None
        self._serving: dict[str, _Serving] = {}
        self._history: dict[str, list[Version]] = {}
        self._trial = ""

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
            requests, errors = _counts(server)
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
            self._serving[plugin.name] = _Serving(deployment, plugin, slot, requests, errors, mark)
            self._remember(deployment, plugin, note)
            return deployment

    def canary(
        self,
        plugin: Plugin,
        percent: int = 10,
        *,
        seconds: float = 30.0,
        rules: Rules | None = None,
        progress: Callable[[Tick], object] | None = None,
    ) -> Rollout:
        """Let a share of the requests meet a new version; promote it or take it back, as they go.

        Raises DeployError where there is no version to compare with, and as ``deploy`` does. Interrupted, it
        takes the new version back.
        """
        if not 0 < percent < 100:
            raise DeployError(f"{percent} per cent is no share", do="give 1 to 99")
        plugin.module.check()
        validate(plugin)
        start = time.perf_counter()
        with self._lock:
            server = self._server
            if plugin.name not in self._serving or server is None or not server.running:
                raise DeployError(
                    f"{plugin.name} is not deployed, so there is nothing to compare it with",
                    do="deploy it once without a canary",
                )
            if self._trial:
                raise DeployError(
                    f"a canary of {self._trial} is under way", do="wait for it, or interrupt it"
                )
            self._trial = plugin.name
            slot = self._serving[plugin.name].slot
        try:
            server.swap({slot + server.slots: plugin})
            if server.arms.exists():
                os.truncate(server.arms, 0)
            server.divert(slot, percent)
            reason, good, ticks, stable, new = watch(server.arms, seconds, rules or Rules(), progress)
            if good:
                made = self.deploy(plugin, note=f"canary at {percent} %")
            else:
                made = self._now(self._serving[plugin.name])
        finally:
            self._trial = ""
            if server.running:
                server.divert(None)
                server.swap({slot + server.slots: None})
        return Rollout(good, reason, percent, time.perf_counter() - start, stable, new, ticks, made)

    def rollback(self, name: str, to: int | None = None) -> Deployment:
        """Swap in an earlier version as a new one. Raises DeployError where there is none."""
        with self._lock:
            back = self.history(name).before(to)
            return self.deploy(back.applied, note=f"rollback to version {back.version}")

    def history(self, name: str) -> History:
        """The versions of a filter since it was first deployed. Raises DeployError for an unknown name."""
        with self._lock:
            if name not in self._serving:
                raise unknown(name, list(self._serving))
            return History(name, tuple(self._history[name]))

    def knows(self, name: str) -> bool:
        """Whether a filter of this name is deployed."""
        with self._lock:
            return name in self._serving

    def names(self) -> list[str]:
        """The names of all filters."""
        with self._lock:
            return list(self._serving)

    def undeploy(self, name: str) -> Deployment:
        """Take a filter out of the chain; with the last one Envoy stops and its files go."""
        with self._lock:
            if name not in self._serving:
                raise unknown(name, list(self._serving))
            gone = self._now(self._serving[name])
            if len(self._serving) == 1:
                self._close()
            elif self._server is not None and self._server.running:
                self._server.swap({self._serving[name].slot: None})
            del self._serving[name]
            del self._history[name]
            return replace(gone, state="undeployed")

    def status(self) -> tuple[Deployment, ...]:
        """All filters, in the order in which a request meets them."""
        with self._lock:
            return tuple(map(self._now, sorted(self._serving.values(), key=lambda s: s.slot)))

    def _remember(self, deployment: Deployment, plugin: Plugin, note: str) -> None:
        versions = self._history.setdefault(plugin.name, [])
        at = deployment.since.isoformat(timespec="seconds")
        versions.append(Version(deployment.version, at, deployment.digest, note=note, applied=plugin))
        del versions[:-KEPT]

    def _start(self, plugin: Plugin, upstream: Answers | None, port: int) -> float:
        """Start Envoy with this filter, and with those that a lost Envoy served before."""
        if upstream is None and self._serving:
            upstream = self._upstream
        if not port and self._serving:
            port = urlsplit(next(iter(self._serving.values())).deployment.url).port or 0
        start = time.perf_counter()
        target, answerer = _upstream(upstream)
        try:
            server = SplitServer([], target, slots=SLOTS, port=port)
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
            server.swap({**kept, self._slot(plugin.name): plugin})
        except BaseException:
            self._close()
            raise
        return time.perf_counter() - start

    def _swap(self, server: SplitServer, plugin: Plugin, upstream: Answers | None, port: int | None) -> float:
        if port and port != server.port:
            raise DeployError(
                f"the local Envoy serves on port {server.port}, not on {port}",
                do=f"leave the port out, or undeploy first: {', '.join(self._serving)}",
            )
        if upstream is not None and upstream != self._upstream:
            raise DeployError(
                "the local Envoy has another upstream already",
                do=f"leave the upstream out, or undeploy first: {', '.join(self._serving)}",
            )
        return server.swap({self._slot(plugin.name): plugin}).seconds

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

    def _now(self, serving: _Serving) -> Deployment:
        server = self._server
        if server is None or not server.running:
            return replace(serving.deployment, state="stopped")
        requests, errors = _counts(server)
        return replace(
            serving.deployment,
            requests=requests - serving.requests,
            errors=errors - serving.errors,
        )

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


def _upstream(upstream: Answers | None) -> tuple[tuple[str, int] | Response | None, UpstreamServer | None]:
    """What Envoy is told about its upstream, and the server that has to run for it."""
    if upstream is None or upstream is echo:
        return None, None
    if isinstance(upstream, str):
        return _address(upstream), None
    if isinstance(upstream, Response) and not upstream.trailers:
        return upstream, None
    server = UpstreamServer(upstream)
    return ("127.0.0.1", server.port), server


def _address(url: str) -> tuple[str, int]:
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        host, port = parts.hostname, parts.port or 80
    except ValueError:
        host, port, parts = None, 0, urlsplit("")
    if parts.scheme != "http" or not host or parts.path not in ("", "/") or parts.query or parts.username:
        raise DeployError(
            f"{url!r} cannot be an upstream", do="give a plain address such as http://127.0.0.1:9000"
        )
    return host, port


def _counts(server: SplitServer) -> tuple[int, int]:
    stats = server.process.stats(r"^http\.main\.downstream_rq_(completed|5xx)$")
    return (
        int(stats.get("http.main.downstream_rq_completed", 0)),
        int(stats.get("http.main.downstream_rq_5xx", 0)),
    )
