"""The embedded proxy: filters in a chain, run by the host module inside this process."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from ..errors import HostError, ProxyError, RequestError
from ..http import Request, Response, http_version
from ..module import Module
from ..plugin import HasPlugin, Plugin, as_plugin
from .cluster import CallOut, Cluster, Delay, Failure, as_clusters, cluster_answer
from .engine import owner
from .exchange import Exchange, LogLine
from .grpc_session import Part
from .loop import Loop
from .properties import PropertyValue, encode_properties
from .state import Activity, Metrics, State
from .tcp import Connection, TcpStep, TcpUpstream, cut
from .upstream import Upstream, echo
from .worker import GrpcNews, Step, Worker

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["Proxy"]

T = TypeVar("T")
LOCAL, REMOTE = 1, 2


class Proxy:
    """A proxy that runs a filter chain in this process as Envoy 1.40 would, without the network.

    ``upstream`` answers what passes the filters: a fixed Response, or a function of the Request. ``clock`` (a
    datetime, or seconds since the epoch) and ``seed`` fix time and randomness, so that a run repeats byte for
    byte; each look at a fixed clock moves it on by a microsecond. ``trace`` records every callback and host
    call; ``fuel`` counts instructions, which makes code slower. ``clusters`` answer the call-outs of filters:
    by name a Response, a Delay, a Failure, or a function of the Request that gives one of these, and for gRPC
    a GrpcReply or ``Grpc``; ``upstream`` is a cluster of that name, too.

    ``properties`` are what filters find by these paths, such as ``source.address``, in place of what the
    proxy would say: text, bytes, a whole number (8 bytes) or a truth (1 byte). A part of a path with dots in
    it stands in brackets: ``metadata.filter_metadata["envoy.lb"].stage``.

    ``upstream_version`` is that of HTTP between proxy and upstream, "1.1" or "2".

    Nobody waits for a delay or a timer: the proxy's own time jumps to what happens next. While a stream waits
    for a call-out, the timers of plugins go off in between; a paused stream has five seconds for a timer to
    wake it.

    Use it in a ``with`` block. Any thread may send; exchanges run one after another. Raises LinkError where a
    module cannot be linked, StartError where a plugin does not start.
    """

    def __init__(
        self,
        filters: Iterable[HasPlugin | Module] | HasPlugin | Module,
        upstream: Upstream = echo,
        *,
        clusters: Mapping[str, Cluster] | None = None,
        clock: datetime | float | None = None,
        seed: int | None = None,
        trace: bool = True,
        fuel: bool = False,
        properties: Mapping[str, PropertyValue] | None = None,
        upstream_version: str = "1.1",
    ) -> None:
        chain = filters if isinstance(filters, Iterable) else (filters,)
        self.plugins: tuple[Plugin, ...] = tuple(as_plugin(f) for f in chain)
        for plugin in self.plugins:
            plugin.module.check()
        self.upstream = upstream
        self.clusters: dict[str, Cluster] = {"upstream": upstream, **as_clusters(clusters)}
        self._asked: Mapping[str, Cluster] = self.clusters
        self.trace = trace
        self._lock = threading.Lock()
        self._holder: int | None = None
        self._options: dict[str, Any] = {
            "fuel": fuel or any(plugin.limits.fuel is not None for plugin in self.plugins),
            "clock": None if clock is None else _nanoseconds(clock),
            "seed": seed,
            "properties": encode_properties(properties or {}),
            "upstream_version": http_version(upstream_version),
        }
        self._closed = False
        self._broken = False
        # The worker lives in a list, so that the finalizer can reach the newest one without this object.
        self._workers: list[Worker] = []
        self._finalizer = weakref.finalize(self, _close, self._workers)
        self._log: list[LogLine] = []
        self._run(self._open)
        self._log += self._beside(0).log

    @property
    def log(self) -> tuple[LogLine, ...]:
        """Every line logged since the start, start-up included."""
        return tuple(self._log)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What start-up had to say besides the log; each exchange has warnings of its own."""
        return self._workers[-1].chain.warnings if self._workers else ()

    @property
    def memory(self) -> tuple[int, ...]:
        """Bytes of linear memory of each plugin's VM now, in the order of ``plugins``."""
        with self._held():
            return self._run(lambda: self._worker().memory())

    def send(
        self,
        request: Request | None = None,
        *,
        upstream: Upstream | None = None,
        clusters: Mapping[str, Cluster] | None = None,
    ) -> Exchange:
        """Send one request through the chain; ``upstream`` answers this one instead of the proxy's own.

        ``clusters`` answer the call-outs of this exchange, in the place of the proxy's own.

        What an upstream function raises comes out here, and filters see their client go. Ctrl-C ends the
        filter at once; its VM, whose state nobody knows then, is replaced before the next send, like every VM
        of this proxy. Raises HostError where the proxy itself fails (the next send then starts anew).
        """
        request = Request() if request is None else request
        answer = self.upstream if upstream is None else upstream
        with self._held():
            fixed = answer if isinstance(answer, Response) else None
            if clusters is not None:
                self._asked = {"upstream": self.upstream, **as_clusters(clusters)}
            try:
                exchange = self._drive(
                    lambda: self._worker().begin(request, fixed, self._asked, self.trace), answer
                )
            finally:
                self._asked = self.clusters
            assert isinstance(exchange, Exchange)
            self._log += exchange.log
            return exchange

    def connect(
        self,
        data: bytes | str | Iterable[bytes | str] = b"",
        upstream: TcpUpstream = lambda data: data,
        *,
        abort: bool = False,
    ) -> Connection:
        """Let a TCP client connect, send its pieces one after another, and end; tell what the filters did.

        The filters are network filters here: their callbacks are those of TCP. ``upstream`` gets what passes
        them and gives what to send back; by default it sends everything back. It ends after the client. With
        ``abort`` the client goes away instead of ending.
        """
        with self._held():
            out: list[TcpStep] = []
            received: list[bytes] = []

            def step(function: str, *arguments: int, data: bytes | None = None) -> bool:
                new = not out
                done = self._drive(
                    lambda: self._worker().tcp(function, *arguments, data=data, new=new), self.upstream
                )
                assert isinstance(done, TcpStep)
                out.append(done)
                if done.to_upstream:
                    received.append(done.to_upstream)
                    back = upstream(done.to_upstream)
                    if back and not done.closed:
                        step("tcp_data", 0, 0, data=back)
                return not out[-1].closed

            going = step("tcp_open", self.trace)
            for piece in cut(data):
                going = going and step("tcp_data", 1, 0, data=piece)
            if not abort:
                going = going and step("tcp_data", 1, 1, data=b"") and step("tcp_data", 0, 1, data=b"")
            if going:
                step("tcp_close", REMOTE if abort else LOCAL)
            lines = tuple(line for each in out for line in each.log)
            self._log += lines
            events = b"".join(each.events for each in out)
            dropped = sum(each.dropped for each in out)
            return Connection(
                b"".join(received),
                b"".join(each.to_client for each in out),
                not going,
                lines,
                tuple(dict.fromkeys(warning for each in out for warning in each.warnings)),
                tuple(call for each in out for call in each.calls),
                self._worker().trace_of(events, dropped),
            )

    def tick(self, seconds: float = 1.0) -> Activity:
        """Let time go on for filters: timers that are due go off, in order, and late answers arrive.

        Without waiting; ``proxy_get_current_time_nanoseconds`` tells filters the new time.
        """
        if not 0 <= seconds < 1e9:
            raise RequestError(f"time cannot go on by {seconds} seconds", do="pass a number from 0 to 1e9")
        with self._held():
            activity = self._beside(int(seconds * 1_000_000_000))
            self._log += activity.log
            return activity

    @property
    def state(self) -> State:
        """What filters keep outside of streams, now: metrics, shared data, queues, timers, pending calls."""
        return self._state()

    @property
    def metrics(self) -> Metrics:
        """The metrics that filters have defined, as they are now."""
        return self._state().metrics

    @property
    def shared_data(self) -> dict[str, dict[str, bytes]]:
        """The shared data of filters now, by ``vm_id`` and key."""
        return self._state().shared_data

    @property
    def queues(self) -> dict[str, dict[str, tuple[bytes, ...]]]:
        """The messages in the shared queues now, by ``vm_id`` of the filter that made it and name."""
        return self._state().queues

    def loop(
        self,
        request: Request | None = None,
        n: int = 1,
        *,
        timed: bool = False,
        upstream: Upstream | None = None,
    ) -> Loop:
        """Run the same exchange n times inside the host and measure; nothing is logged or traced.

        An upstream function is asked once, by an exchange before the loop, and its answer is used for all.
        ``timed`` reads the clock twice in each exchange and fills the histogram.
        """
        if n < 1:
            raise RequestError(f"{n} exchanges measure nothing", do="pass n of at least 1")
        request = Request() if request is None else request
        answer = self.upstream if upstream is None else upstream
        if not isinstance(answer, Response):
            seen = self.send(request, upstream=answer).upstream_request
            answer = _answer(answer, request if seen is None else seen)
        fixed = answer
        with self._held():
            loop = self._drive(lambda: self._worker().loop(request, fixed, n, timed=timed), answer)
            assert isinstance(loop, Loop)
            return loop

    def close(self) -> None:
        """Stop the proxy and free what it holds; a second call does nothing."""
        self._closed = True
        self._finalizer()

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
        state = ", closed" if self._closed else ""
        return f"<Proxy of {', '.join(p.name for p in self.plugins) or 'no filter'}{state}>"

    def _state(self) -> State:
        with self._held():
            return self._run(lambda: self._worker().state())

    def _beside(self, nanoseconds: int) -> Activity:
        activity = self._drive(lambda: self._worker().beside(nanoseconds, self.trace), self.upstream)
        assert isinstance(activity, Activity)
        return activity

    def _drive(self, start: Callable[[], Step], upstream: Upstream) -> Exchange | Activity | Loop | TcpStep:
        """Run the worker until it has a result, and give it the answers that it asks for."""
        step = self._run(start)
        while isinstance(step, Request | CallOut | GrpcNews):
            try:
                if isinstance(step, GrpcNews):
                    parts = step.session.feed(step.messages, step.ended)
                    go_on = partial(self._give_grpc, parts)
                elif isinstance(step, CallOut):
                    cluster = self._asked[step.cluster]
                    answer = cluster_answer(step.cluster, cluster, step.request, step.timeout)
                    go_on = partial(self._give_call, answer)
                else:
                    go_on = partial(self._give, _answer(upstream, step))
            except BaseException:
                self._run(lambda: self._worker().abandon())
                raise
            step = self._run(go_on)
        return step

    def _give(self, response: Response) -> Step:
        return self._worker().answer(response)

    def _give_call(self, answer: Response | Delay | Failure) -> Step:
        return self._worker().answer_call(answer)

    def _give_grpc(self, parts: list[Part]) -> Step:
        return self._worker().answer_grpc(parts)

    def _held(self) -> _Held:
        return _Held(self)

    def _run(self, work: Callable[[], T]) -> T:
        """Do work of the worker on the owner thread; whatever is no error of the filter ends the worker."""

        def guarded() -> T:
            try:
                return work()
            except (HostError, KeyboardInterrupt):
                self._broken = True
                raise

        try:
            return owner.run(guarded)
        except KeyboardInterrupt:
            self._broken = True
            raise

    def _open(self) -> None:
        worker = Worker(self.plugins, self.clusters, **self._options)
        self._workers[:] = [worker]
        self._broken = False
        try:
            worker.start()
        finally:
            self._log += worker.chain.start_log

    def _worker(self) -> Worker:
        if self._broken or not self._workers:
            for worker in self._workers:
                worker.close()
            self._workers.clear()
            self._open()
        return self._workers[0]


class _Held:
    """The right to use a proxy; held by one thread at a time."""

    def __init__(self, proxy: Proxy) -> None:
        self.proxy = proxy

    def __enter__(self) -> None:
        proxy = self.proxy
        if proxy._holder == threading.get_ident():
            raise ProxyError(
                "this proxy waits for its upstream and cannot take another request meanwhile",
                do="let the upstream function send through a proxy of its own",
            )
        proxy._lock.acquire()
        proxy._holder = threading.get_ident()
        if proxy._closed:
            self.__exit__()
            raise ProxyError("this proxy is closed", do="make a new one")

    def __exit__(self, *_: object) -> None:
        self.proxy._holder = None
        self.proxy._lock.release()


def _answer(upstream: Upstream, request: Request) -> Response:
    response = upstream(request) if callable(upstream) else upstream
    if not isinstance(response, Response):
        raise RequestError(
            f"the upstream gave {type(response).__name__}, not a Response",
            do="return wasmhub_magics.Response(200, body=...)",
        )
    return response


def _close(workers: list[Worker]) -> None:
    """Free the workers without waiting, so that a finalizer on any thread may do it."""
    if workers:
        taken = list(workers)
        workers.clear()

        def close() -> None:
            for worker in taken:
                worker.close()

        owner.post(close)


def _nanoseconds(clock: datetime | float) -> int:
    seconds = clock if isinstance(clock, int | float) else clock.timestamp()
    return int(seconds * 1_000_000_000)
