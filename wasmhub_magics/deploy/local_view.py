"""What the local Envoy counts and does, put together from its statistics, its log and its access log."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

from ..envoy.log import TRAP
from ..envoy.split import SplitServer
from ..errors import DeployError, EnvoyError
from ..plugin import Plugin
from ..proxy.exchange import LogLine
from .deployment import Deployment, unknown
from .history import History, Version
from .live import Live, access_from
from .logs import Logs, from_envoy
from .running import Running

__all__ = ["LocalView", "Serving", "counts"]

ENDS_SECONDS = 2.0
"""How long an Envoy that was killed may take to end, after its sockets have gone."""
COUNTED = r"^(wasm\.|extension_config_discovery\.http_filter\.|http\.main\.downstream_rq_)"


@dataclass(frozen=True, slots=True)
class Serving:
    """One deployed filter: where it is in the chain, and what the counters said when it came."""

    deployment: Deployment
    plugin: Plugin
    slot: int
    requests: int
    errors: int
    mark: int


def counts(server: SplitServer) -> tuple[int, int]:
    """Answers so far, and those that were failures (5xx)."""
    stats = server.process.stats(r"^http\.main\.downstream_rq_(completed|5xx)$")
    return (
        int(stats.get("http.main.downstream_rq_completed", 0)),
        int(stats.get("http.main.downstream_rq_5xx", 0)),
    )


def _live(
    server: SplitServer, envoy: Running, serving: Iterable[Serving], log: Iterable[LogLine], last: int
) -> Live:
    """The local Envoy at this moment; filters in the order in which a request meets them."""
    stats = envoy.stats(COUNTED)
    traps = Counter(line.plugin for line in log if line.message.startswith(TRAP))
    names = [(s.deployment.name, f"slot-{s.slot}") for s in sorted(serving, key=lambda s: s.slot)]
    return Live(
        "serving",
        server.url,
        envoy.place,
        envoy.log_level(),
        int(stats.get("http.main.downstream_rq_completed", 0)),
        int(stats.get("http.main.downstream_rq_5xx", 0)),
        int(stats.get("wasm.wasm_vm_count", 0)),
        traps[""],
        tuple(envoy.counted(name, stats, slot=slot, traps=traps[name]) for name, slot in names),
        tuple(map(access_from, server.process.recent(last))),
    )


class LocalView:
    """What can be seen of the local Envoy; nothing here changes it."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._server: SplitServer | None = None
        self._serving: dict[str, Serving] = {}
        self._history: dict[str, list[Version]] = {}

    def status(self) -> tuple[Deployment, ...]:
        """All filters, in the order in which a request meets them."""
        with self._lock:
            return tuple(map(self._now, sorted(self._serving.values(), key=lambda s: s.slot)))

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

    @property
    def pid(self) -> int:
        """Its process. Raises DeployError where none runs."""
        with self._lock:
            self.running()
            assert self._server is not None
            return self._server.process.pid

    def running(self) -> Running:
        """Its admin interface: statistics, configuration, log level. Raises DeployError where none runs."""
        with self._lock:
            server = self._server
            if server is None or not server.running:
                raise DeployError("no local Envoy runs", do="local.start() (%wasm_envoy start) starts it")
            return Running(server.process.admin, f"127.0.0.1:{server.process.admin_port}")

    def live(self, last: int = 10) -> Live:
        """What it counts and does at this moment, with the last requests."""
        with self._lock:
            server = self._server
            if server is None or not server.running:
                return Live("stopped" if self._serving else "none")
            try:
                return _live(server, self.running(), self._serving.values(), self.log_lines(), last)
            except EnvoyError:
                if not server.process.ends(ENDS_SECONDS):
                    raise
                return Live("stopped")

    def logs(self, name: str, last: int = 50) -> Logs:
        """The last lines that a filter has logged. Raises DeployError for an unknown name."""
        return from_envoy(name, self.log_lines(name), last)

    def log_lines(self, name: str = "") -> tuple[LogLine, ...]:
        """What filters have logged, as far as it is kept, of one or of all; traps among it."""
        with self._lock:
            if name and name not in self._serving:
                raise unknown(name, list(self._serving))
            if self._server is None:
                return ()
            self._server.process.drain()
            lines = self._server.lines(self._server.process.log.since(0))
            return tuple(line for line in lines if name in ("", line.plugin))

    def _now(self, serving: Serving) -> Deployment:
        server = self._server
        if server is None or not server.running:
            return replace(serving.deployment, state="stopped")
        try:
            requests, errors = counts(server)
        except EnvoyError:
            if not server.process.ends(ENDS_SECONDS):
                raise
            return replace(serving.deployment, state="stopped")
        return replace(
            serving.deployment,
            requests=requests - serving.requests,
            errors=errors - serving.errors,
        )
