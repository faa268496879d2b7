"""The real Envoy with the interface of the embedded proxy."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any, Self

from ..errors import EnvoyError
from ..http import Request, http_version
from ..module import Module
from ..plugin import HasPlugin, Plugin, as_plugin
from ..proxy.cluster import Cluster
from ..proxy.exchange import Exchange, LogLine, Timing
from ..proxy.upstream import Upstream, echo
from .client import Answer, ask
from .clusters import Clusters
from .config import HOST
from .process import EnvoyProcess
from .server import EnvoyServer, Swap
from .upstream import UpstreamServer
from .upstream2 import UpstreamServer2

__all__ = ["EnvoyProxy"]

FLUSH_SECONDS = 2.0
PAUSED_SECONDS = 0.1


class EnvoyProxy:
    """A real Envoy with these filters and one upstream, started when it is made.

    A request that has no answer after ``timeout`` seconds counts as paused. Where a filter never returns, the
    exchange says so and the next one gets a new Envoy. Filters have ``start_timeout`` seconds to start and
    configure themselves; ``slots`` leaves room for more of them to be swapped in; ``log_level`` is what
    ``proxy_get_log_level`` tells them. ``clusters`` answer the call-outs of filters, each by a real server;
    a Delay is waited for. ``upstream_version`` is that of HTTP between Envoy and the upstream, "1.1" or "2".
    Raises EnvoyMissing, EnvoyError where Envoy does not start, and EnvoyRejected with Envoy's own reason
    where it refuses a filter.
    """

    def __init__(
        self,
        filters: Iterable[HasPlugin | Module] | HasPlugin | Module,
        upstream: Upstream = echo,
        *,
        timeout: float = 5.0,
        slots: int = 0,
        log_level: str = "info",
        start_timeout: float = 30.0,
        clusters: Mapping[str, Cluster] | None = None,
        upstream_version: str = "1.1",
    ) -> None:
        self.timeout = timeout
        self.plugins: tuple[Plugin, ...] = _chain(filters)
        self._lock = threading.RLock()
        self._lines: deque[LogLine] = deque(maxlen=20_000)
        self._dropped = 0
        self._seen = 0
        self._closed = False
        self._options: dict[str, Any] = {
            "slots": slots,
            "log_level": log_level,
            "start_timeout": start_timeout,
            "access_log": True,
        }
        self._clusters = Clusters(clusters or {})
        self._options |= {"clusters": self._clusters.ports, "http2": self._clusters.http2}
        over_http2 = http_version(upstream_version) == "2"
        self._options["upstream_http2"] = over_http2
        self._upstream = (UpstreamServer2 if over_http2 else UpstreamServer)(upstream, self._pace)
        try:
            self._server = self._start()
        except BaseException:
            self._upstream.close()
            self._clusters.close()
            raise

    @property
    def log(self) -> tuple[LogLine, ...]:
        """The lines that filters logged since the start, start-up included; at most the last 20,000."""
        with self._lock:
            self._collect()
            return tuple(self._lines)

    @property
    def running(self) -> bool:
        """Whether its Envoy is alive."""
        return self._server.running

    @property
    def url(self) -> str:
        """The address where it serves, for other clients than ``send``."""
        return self._server.url

    @property
    def pid(self) -> int:
        """The process id of its Envoy."""
        return self._server.process.pid

    def send(self, request: Request | None = None, *, upstream: Upstream | None = None) -> Exchange:
        """Send one request through the filters; ``upstream`` answers this one instead of the proxy's own.

        What the upstream function raises comes out here. Raises RequestError where HTTP cannot carry the
        request or the upstream's response.
        """
        request = Request() if request is None else request
        if self._upstream.answering or self._clusters.answering:
            raise EnvoyError(
                "this proxy waits for its upstream and cannot take another request meanwhile",
                do="use another proxy inside the upstream function",
            )
        with self._lock:
            server = self._started()
            self._collect()
            with self._upstream.visit(upstream) as visit:
                answer = self._ask(server, request)
                alive = server.barrier.wait(self.timeout)
                request_seen, response_given = visit.request, visit.response
            lines = self._collect()
            access = self._access(server, answer) if alive else {}
            warnings = [answer.warning] if answer.warning else []
            if self._dropped:
                warnings.append(f"{self._dropped} log lines were dropped: there were too many")
            if not alive:
                warnings.append(self._lost())
            calls = self._clusters.take()
            if visit.error is not None:
                raise visit.error
            return Exchange(
                request=request,
                response=answer.response,
                received=_received(request, request_seen, access),
                upstream_request=request_seen,
                upstream_response=response_given,
                log=lines,
                details="" if answer.outcome == "paused" else _known(access.get("details")),
                outcome=answer.outcome,
                timing=Timing(answer.nanoseconds),
                warnings=tuple(warnings),
                calls=calls,
                engine="envoy",
            )

    def _ask(self, server: EnvoyServer, request: Request) -> Answer:
        return ask(server.port, request, timeout=self.timeout, pace=self._pace)

    def swap(self, filters: Iterable[HasPlugin | Module] | HasPlugin | Module) -> Swap:
        """Replace the filters while requests go on, and wait until the new ones serve.

        Each filter gets a virtual machine of its own unless it names one. Raises EnvoyRejected with Envoy's
        reason where it refuses one; those before go on serving.
        """
        plugins = _chain(filters)
        with self._lock:
            server = self._started()
            if len(plugins) > server.slots:
                raise EnvoyError(
                    f"this Envoy has room for {server.slots} filters, not for {len(plugins)}",
                    do=f"start it with slots={len(plugins)}",
                )
            self._collect()
            changes: dict[int, Plugin | None] = dict(enumerate(plugins))
            for number in range(len(plugins), server.slots):
                if server.filled(number):
                    changes[number] = None
            swap = server.swap(changes)
            self.plugins = plugins
            self._collect()
            return swap

    def stats(self, prefix: str = "") -> dict[str, int | str]:
        """Envoy's counters, gauges and text readouts whose name starts with the prefix."""
        stats = self._process().stats()
        return {name: value for name, value in stats.items() if name.startswith(prefix)}

    @property
    def metrics(self) -> dict[str, int]:
        """The counters and gauges that filters have defined, as they are now."""
        found = self.stats("wasmcustom.")
        return {
            name.removeprefix("wasmcustom."): value for name, value in found.items() if isinstance(value, int)
        }

    def admin(self, path: str, method: str = "GET") -> str:
        """What Envoy's admin interface answers, such as ``/config_dump`` or ``/server_info``."""
        return self._process().admin(path, method)

    def close(self) -> None:
        """Stop Envoy and the upstream and remove their files; a second call does nothing."""
        with self._lock:
            if not self._closed:
                self._collect()
            self._closed = True
            self._server.close()
            self._upstream.close()
            self._clusters.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        state = f"at {self.url}" if self.running else "stopped"
        return f"<EnvoyProxy of {', '.join(p.name for p in self.plugins) or 'no filter'}, {state}>"

    def _start(self) -> EnvoyServer:
        server = EnvoyServer(self.plugins, (HOST, self._upstream.port), **self._options)
        self._seen = 0
        return server

    def _process(self) -> EnvoyProcess:
        """The process, without waiting for an exchange that is under way."""
        if self._server.running:
            return self._server.process
        with self._lock:
            return self._started().process

    def _started(self) -> EnvoyServer:
        if self._closed:
            raise EnvoyError("this proxy is closed", do="make a new one")
        if not self._server.running:
            self._server.close()
            self._server = self._start()
        return self._server

    def _collect(self) -> tuple[LogLine, ...]:
        self._server.process.drain()
        entries = self._server.process.log.since(self._seen)
        before, self._seen = self._seen, entries[-1].number if entries else self._seen
        self._dropped = (entries[0].number - 1 if entries else self._seen) - before
        lines = self._server.lines(entries)
        self._lines.extend(lines)
        return lines

    def _access(self, server: EnvoyServer, answer: Answer) -> dict[str, Any]:
        # A paused stream with much to read may stay open in Envoy: then there is no line to wait for.
        patience = PAUSED_SECONDS if answer.outcome == "paused" else FLUSH_SECONDS
        return server.process.access(answer.port, time.monotonic() + patience)

    def _pace(self) -> None:
        self._server.barrier.wait(self.timeout)

    def _lost(self) -> str:
        """Stop an Envoy whose worker does not answer; what to tell about it."""
        hung = self._server.running
        last = self._server.process.log.tail(3)
        self._server.close()
        if hung:
            return "a filter did not return and holds Envoy's worker: the next request starts a new Envoy"
        return f"Envoy ended during the exchange; the next request starts a new one\n{last}"


def _chain(filters: Iterable[HasPlugin | Module] | HasPlugin | Module) -> tuple[Plugin, ...]:
    return tuple(as_plugin(f) for f in (filters if isinstance(filters, Iterable) else (filters,)))


def _received(request: Request, seen: Request | None, access: dict[str, Any]) -> Request:
    """The request as the first filter got it: Envoy adds two headers before any filter runs."""
    headers = request.headers.without("connection", "keep-alive", "proxy-connection", "transfer-encoding")
    if "x-forwarded-proto" not in headers:
        headers = headers.add("x-forwarded-proto", request.scheme)
    if "x-request-id" not in headers:
        number = _known(access.get("request_id")) or (
            "" if seen is None else seen.headers.get("x-request-id", "")
        )
        if number:
            headers = headers.add("x-request-id", number)
    return request.replace(headers=headers)


def _known(value: object) -> str:
    return value if isinstance(value, str) and value != "-" else ""
