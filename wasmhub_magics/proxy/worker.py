"""A worker: one host instance with the VMs and plugins of a chain. All of it runs on the owner thread."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

from ..http import Headers, Request, Response
from ..plugin import Plugin
from .chain import Chain
from .cluster import CallOut, Cluster, Delay, Failure
from .exchange import Exchange, Timing
from .grpc_session import GrpcSession, Part
from .host import Host
from .loop import Loop
from .protocol import (
    OUTCOMES,
    Reader,
    Record,
    encode_answer,
    encode_call_answer,
    encode_clusters,
    encode_grpc_answer,
    encode_request,
    read_record,
    read_request,
    read_response,
)
from .state import Activity, State, read_state
from .tcp import TcpStep
from .trace import Trace

__all__ = ["GrpcNews", "Step", "Worker"]

DONE, UPSTREAM, CALL = 0, 1, 2
OPENS, ENDED, CANCELLED = 1, 2, 4


def _passed(message: Request | Response, count: int) -> tuple[Headers, ...]:
    """The first METADATA frames as they leave a proxy: of several values of one name the first is kept."""
    return tuple(Headers(dict(reversed(each.pairs))) for each in message.metadata[:count])


@dataclass(frozen=True, slots=True)
class GrpcNews:
    """More messages of a gRPC call, or its end, for its cluster."""

    session: GrpcSession
    messages: tuple[bytes, ...]
    ended: bool


Step: TypeAlias = "Request | CallOut | GrpcNews | Exchange | Activity | Loop | TcpStep"
"""What came of running the host: a request for the upstream, one for a cluster, or a result."""


class Worker:
    """One host with everything a chain needs."""

    def __init__(
        self,
        plugins: tuple[Plugin, ...],
        clusters: Mapping[str, Cluster],
        *,
        fuel: bool,
        clock: int | None,
        seed: int | None,
        properties: bytes = b"",
        upstream_version: str = "1.1",
    ) -> None:
        self._properties, self._upstream_version = properties, upstream_version
        self._clusters = clusters
        self._calls: list[CallOut | GrpcSession] = []
        self._grpc: dict[int, GrpcSession] = {}
        self._looping = False
        self._result: Callable[[Reader], Step] = self._exchange
        self.host = Host(fuel=fuel, clock=clock, seed=seed)
        self.chain = Chain(plugins, self.host, fixed=clock is not None)
        if self.chain.fuel_limit is not None:
            self.host.limit_fuel()
        self._request: Request | None = None
        self._answered: Response | None = None

    def start(self) -> None:
        """Tell the host its surroundings and start the chain. Raises StartError."""
        self._tell_clusters()
        if self._properties:
            self.host.call("properties", self.host.say(self._properties))
        self.chain.start()

    def _tell_clusters(self) -> None:
        self.host.call("clusters", self.host.say(encode_clusters(self._clusters)))

    def begin(
        self, request: Request, fixed: Response | None, clusters: Mapping[str, Cluster], trace: bool
    ) -> Step:
        """Start an exchange: either it needs an answer of the upstream or of a cluster, or it is over."""
        if clusters is not self._clusters:
            self._clusters = clusters
            self._tell_clusters()
        self.chain.reload()
        self._request = request
        self._anew(self._exchange)
        version = self._upstream_version
        encoded = encode_request(request, trace=trace, answer=fixed, upstream_version=version)
        self._answered = fixed
        return self._step("send", encoded)

    def answer(self, response: Response) -> Step:
        """Go on with what the upstream answers."""
        self._answered = response
        return self._step("answer", encode_answer(response, self._upstream_version))

    def answer_call(self, answer: Response | Delay | Failure) -> Step:
        """Go on with what a cluster answers to the last call."""
        if self._calls and isinstance(self._calls[-1], CallOut):
            self._calls[-1] = replace(self._calls[-1], answer=answer)
        return self._step("answer_call", encode_call_answer(answer))

    def answer_grpc(self, parts: list[Part]) -> Step:
        """Go on with what a cluster answers to the news of a gRPC call."""
        return self._step("answer_grpc", encode_grpc_answer(parts))

    def beside(self, nanoseconds: int, trace: bool) -> Step:
        """Let happen what waits beside streams, and what happens in the next nanoseconds."""
        self._anew(self._activity)
        return self._finish(self.chain.guarded(lambda: self.host.call("beside", nanoseconds, trace)))

    def tcp(self, function: str, *arguments: int, data: bytes | None = None, new: bool = False) -> Step:
        """Let a TCP connection open, go on or end; ``data`` is what comes in, ``new`` resets what it has."""
        if new:
            self.chain.reload()
        self._anew(self._tcp_step)
        if data is not None:
            arguments = (arguments[0], self.host.say(data), *arguments[1:])
        return self._finish(self.chain.guarded(lambda: self.host.call(function, *arguments)))

    def _anew(self, result: Callable[[Reader], Step]) -> None:
        """Give what starts now, and ends in such a result, its instructions and its time."""
        self._calls, self._result, self._looping = [], result, False
        self.host.allow(self.chain.seconds)
        if self.host.tank is not None:
            self.host.tank.fill(self.chain.fuel_limit)

    def _tcp_step(self, reader: Reader) -> TcpStep:
        flags, to_upstream, to_client = reader.u8(), reader.text(), reader.text()
        record = read_record(reader)
        return TcpStep(
            to_upstream=to_upstream,
            to_client=to_client,
            closed=bool(flags & 1),
            log=(*self.chain.take_restarted(), *self.chain.lines(record)),
            warnings=(*record.warnings, *self._dropped(record)),
            events=record.events,
            dropped=record.dropped_events,
            calls=self._called(),
        )

    def state(self) -> State:
        """Metrics, shared data and queues."""
        self.host.call("state")
        return read_state(Reader(self.host.output()), self.chain.names)

    def abandon(self) -> None:
        """End an exchange whose upstream gave no answer."""
        self.host.call("abort")
        self._proceed()

    def loop(self, request: Request, answer: Response, n: int, *, timed: bool) -> Step:
        """Run one exchange again and again."""
        self.chain.reload()
        host = self.host
        version = self._upstream_version
        encoded = encode_request(request, trace=False, answer=answer, upstream_version=version)
        host.call("prepare", host.say(encoded))
        if host.tank is not None:
            host.tank.fill(None)
        before, host_before = self.memory(), host.memory_bytes()
        start = time.perf_counter()

        def result(_: Reader) -> Loop:
            seconds = time.perf_counter() - start
            counts: tuple[int, ...] = ()
            if timed:
                size = host.call("histogram_size")
                raw = memoryview(host.read(host.call("histogram"), 8 * size))
                counts = tuple(raw.cast("Q"))
            used = None if host.tank is None else host.tank.used
            return Loop(n, seconds, counts, used, before, self.memory(), host_before, host.memory_bytes())

        self._calls, self._result, self._looping = [], result, True
        host.allow(math.inf)
        return self._finish(self.chain.guarded(lambda: host.call("loop", n, timed)))

    def memory(self) -> tuple[int, ...]:
        """Bytes of each plugin's VM."""
        return self.chain.memory()

    def close(self) -> None:
        """Free the host and all VMs."""
        self.host.close()

    def _step(self, function: str, data: bytes) -> Step:
        length = self.host.say(data)
        return self._finish(self.chain.guarded(lambda: self.host.call(function, length)))

    def _proceed(self) -> Step:
        return self._finish(self.chain.guarded(lambda: self.host.call("proceed")))

    def _finish(self, status: int) -> Step:
        if status == DONE:
            return self._result(Reader(self.host.output()))
        reader = Reader(self.host.output())
        if status == UPSTREAM:
            return read_request(reader)
        if status != CALL:
            return self._news(reader)
        cluster, timeout = reader.text().decode("utf-8", "surrogateescape"), reader.u64() / 1e9
        call = CallOut(cluster, read_request(reader), timeout=timeout)
        if not self._looping:
            self._calls.append(call)
        return call

    def _news(self, reader: Reader) -> GrpcNews:
        number, flags = reader.u32(), reader.u8()
        if flags & OPENS:
            cluster, timeout = reader.text().decode("utf-8", "surrogateescape"), reader.u64() / 1e9
            reader.u8()
            request = read_request(reader, body=False)
            self._grpc[number] = GrpcSession(cluster, self._clusters[cluster], request, timeout)
        session = self._grpc[number]
        if not self._looping and session not in self._calls:
            self._calls.append(session)
        if flags & CANCELLED:
            session.over = True
        if flags & (ENDED | CANCELLED):
            del self._grpc[number]
        return GrpcNews(session, tuple(reader.texts()), bool(flags & ENDED))

    def trace_of(self, events: bytes, dropped: int) -> Trace:
        """The trace that raw events are."""
        return Trace(events, self.chain.names, Host.names, dropped)

    def _called(self) -> tuple[CallOut, ...]:
        return tuple(call.record() if isinstance(call, GrpcSession) else call for call in self._calls)

    def _activity(self, reader: Reader) -> Activity:
        record = read_record(reader)
        trace = Trace(record.events, self.chain.names, Host.names, record.dropped_events)
        warnings = (*record.warnings, *self._dropped(record))
        return Activity(
            (*self.chain.take_restarted(), *self.chain.lines(record)), warnings, self._called(), trace
        )

    def _exchange(self, reader: Reader) -> Exchange:
        assert self._request is not None
        outcome = OUTCOMES[reader.u8()]
        details = reader.text().decode("utf-8", "replace")
        total = reader.u64()
        received = read_request(reader, body=False)
        object.__setattr__(received, "body", self._request.body)
        object.__setattr__(received, "trailers", self._request.trailers)
        object.__setattr__(received, "version", self._request.version)
        object.__setattr__(received, "metadata", self._request.metadata)
        upstream_request = read_request(reader) if reader.u8() else None
        upstream_response = read_response(reader) if reader.u8() else None
        response = read_response(reader) if reader.u8() else None
        record = read_record(reader)
        to_upstream, to_client = reader.u32(), reader.u32()
        if upstream_request is not None and self._upstream_version == "2":
            object.__setattr__(upstream_request, "metadata", _passed(self._request, to_upstream))
        if self._answered is not None:
            if upstream_response is not None:
                object.__setattr__(upstream_response, "metadata", self._answered.metadata)
            if response is not None and self._request.version == "2":
                object.__setattr__(response, "metadata", _passed(self._answered, to_client))
        fuel = None if self.host.tank is None else self.host.tank.used
        return Exchange(
            request=self._request,
            response=response,
            received=received,
            upstream_request=upstream_request,
            upstream_response=upstream_response,
            log=(*self.chain.take_restarted(), *self.chain.lines(record)),
            details=details,
            outcome=outcome,
            trace=Trace(record.events, self.chain.names, Host.names, record.dropped_events),
            timing=Timing(total, fuel),
            warnings=(*record.warnings, *self._dropped(record)),
            calls=self._called(),
        )

    def _dropped(self, record: Record) -> tuple[str, ...]:
        if not record.dropped_lines:
            return ()
        dropped = f"{record.dropped_lines} more log lines ({record.dropped_bytes:,} bytes) were dropped"
        return (f"{dropped} (limit log_bytes)",)
