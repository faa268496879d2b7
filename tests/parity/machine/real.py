"""The real Envoy, held so that what happens beside a stream comes in the order of the embedded proxy."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from wasmhub_magics.envoy import EnvoyProxy
from wasmhub_magics.envoy import grpc as grpc_server
from wasmhub_magics.envoy.client import Answer, ask
from wasmhub_magics.envoy.server import EnvoyServer
from wasmhub_magics.http import Request, Response
from wasmhub_magics.proxy.cluster import Answer as ClusterAnswer
from wasmhub_magics.proxy.exchange import Exchange
from wasmhub_magics.proxy.grpc import Grpc, GrpcCall
from wasmhub_magics.proxy.grpc_session import GrpcSession

from .model import Exchanged

__all__ = ["CLUSTERS", "RPC", "Ask", "Real"]

CLUSTERS = ("auth", "other")
RPC = "rpc"
HELD_SECONDS = 20.0
TICK = re.compile(r"== \S tick ")
TOLD = ("call_response", "grpc_message", "grpc_close")


@dataclass(frozen=True)
class Ask:
    """A cluster is asked: a call once, a gRPC stream with each message and at its end."""

    path: str
    number: int = 1


@dataclass
class _Turn:
    """One exchange: which calls come, and how far client, upstream and calls have got."""

    each: Exchanged
    paused: bool
    asks: bool
    order: tuple[Ask, ...] = ()
    early: frozenset[Ask] = frozenset()
    late: frozenset[Ask] = frozenset()
    streams: frozenset[str] = frozenset()
    ticks: int = 0
    sent: bool = False
    sending: bool = False
    answered: bool = False
    done: bool = False
    delivered: set[Ask] = field(default_factory=set)
    opened: set[str] = field(default_factory=set)


class Real(EnvoyProxy):
    """An Envoy whose clusters and upstream answer when nothing else is under way."""

    def __init__(self, timeout: float, upstream_version: str) -> None:
        self._change = threading.Condition()
        self._turn: _Turn | None = None
        self._asks: dict[int, tuple[_Turn, list[Ask]]] = {}
        self._serving: dict[int, _Turn] = {}
        # What a thread serves may end when the next exchange has begun: it belongs to the turn it began in.
        clusters = {**dict.fromkeys(CLUSTERS, self._cluster), RPC: Grpc(self._rpc)}
        super().__init__(
            (),
            slots=3,
            timeout=timeout,
            log_level="trace",
            clusters=clusters,
            upstream_version=upstream_version,
        )
        for name, server in self._clusters._servers.items():
            if name == RPC:
                self._after_grpc(server)
            else:
                self._after(server, self._delivered)
        self._after(self._upstream, self._answered)

    def play(self, each: Exchanged, mine: Exchange, order: tuple[Ask, ...], early: int) -> Exchange:
        """Send what the embedded proxy has sent before.

        It asked clusters in that ``order``, the first ``early`` of them before the upstream.
        """
        self._turn = _Turn(
            each,
            mine.outcome == "paused",
            mine.upstream_request is not None,
            order,
            frozenset(order[:early]),
            frozenset(_late(order, mine)) if not _streams(each) else frozenset(),
            frozenset(call.request.path for call in mine.calls if call.cluster == RPC),
            sum(TICK.search(line.message) is not None for line in mine.log),
        )
        return self.send(each.sent(), upstream=self._answer)

    def _ask(self, server: EnvoyServer, request: Request) -> Answer:
        turn = self._turn
        if turn is None:
            return super()._ask(server, request)

        def idle() -> bool:
            self._set(turn, sent=True)
            if self._ticks() < turn.ticks:
                return False
            waits = any(ask not in turn.delivered for ask in turn.order if ask not in turn.late)
            if not turn.paused or waits or turn.sending or (turn.asks and not turn.answered):
                return False
            return self._settled()

        answer = ask(server.port, request, timeout=self.timeout, pace=self._pace, idle=idle)
        self._set(turn, sent=True, done=True)
        self._wait(lambda: turn.delivered >= set(turn.order) and turn.opened >= turn.streams)
        return answer

    def _ticks(self) -> int:
        self._server.process.drain()
        entries = self._server.process.log.since(self._seen)
        return sum(TICK.search(entry.text) is not None for entry in entries)

    def _cluster(self, request: Request) -> ClusterAnswer:
        turn, ask = self._turn, Ask(request.path)
        if turn is None or ask not in turn.order:
            return Response(404)
        self._await_turn(turn, ask)
        return turn.each.answer(ask.path)

    def _rpc(self, call: GrpcCall) -> ClusterAnswer | None:
        turn, path = self._turn, f"/{call.service}/{call.method}"
        if turn is None:
            return None
        _, under_way = self._asks.get(threading.get_ident(), (turn, []))
        ask = Ask(path, 1 + sum(known.path == path for known in (*turn.delivered, *under_way)))
        if ask in turn.order:
            self._await_turn(turn, ask)
        return turn.each.spoken(path, ask.number)

    def _await_turn(self, turn: _Turn, ask: Ask) -> None:
        self._asks.setdefault(threading.get_ident(), (turn, []))[1].append(ask)
        before = {known for known in turn.order[: turn.order.index(ask)] if known.path != ask.path}

        def mine() -> bool:
            free = turn.done if ask in turn.late else turn.sent and not turn.sending
            return free and turn.delivered >= before

        self._wait(mine)
        self._settled()

    def _answer(self, _: Request) -> Response:
        turn = self._turn
        assert turn is not None
        self._wait(lambda: turn.delivered >= turn.early)
        self._serving[threading.get_ident()] = turn
        self._set(turn, sending=True)
        return turn.each.response.response()

    def _delivered(self) -> None:
        served = self._asks.pop(threading.get_ident(), None)
        if served is not None:
            self._settled()
            with self._change:
                served[0].delivered.update(served[1])
                self._change.notify_all()

    def _opened(self, session: GrpcSession) -> None:
        if self._turn is not None:
            with self._change:
                self._turn.opened.add(session.request.path)
                self._change.notify_all()

    def _answered(self) -> None:
        turn = self._serving.pop(threading.get_ident(), None)
        if turn is None:
            return  # an old connection has ended
        self._settled()
        self._set(turn, sending=False, answered=True)

    def _settled(self) -> bool:
        """Wait until Envoy has done what it could do so far."""
        return self._server.barrier.wait(self.timeout) and self._server.barrier.wait(self.timeout)

    def _set(self, turn: _Turn, **values: bool) -> None:
        with self._change:
            for name, value in values.items():
                setattr(turn, name, value)
            self._change.notify_all()

    def _wait(self, ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + HELD_SECONDS
        with self._change:
            while not ready() and time.monotonic() < deadline:
                self._change.wait(0.05)

    def _after_grpc(self, server: Any) -> None:
        """Notice when a stream of a gRPC cluster begins, and when what was answered is written."""
        keep, then, opened = server.keep, self._delivered, self._opened

        def keep_and_notice(session: Any) -> None:
            keep(session)
            opened(session)

        server.keep = keep_and_notice
        if grpc_server._Connection is not _Noticed:
            grpc_server._Connection = _Noticed  # type: ignore[misc, assignment]
        server.then = then

    @staticmethod
    def _after(server: Any, then: Callable[[], None]) -> None:
        """Let something happen after each answer of a server."""
        exchange = server._exchange

        def exchange_then(*arguments: Any) -> bool:
            more = False
            try:
                more = exchange(*arguments)
                return more
            finally:
                if not more:
                    with contextlib.suppress(OSError):
                        arguments[0].shutdown(socket.SHUT_RDWR)
                then()

        server._exchange = exchange_then


class _Noticed(grpc_server._Connection):
    def _settle(self) -> None:
        super()._settle()
        if (then := getattr(self.server, "then", None)) is not None:  # a server of ours, not of another test
            then()


def _late(order: tuple[Ask, ...], mine: Exchange) -> set[Ask]:
    """The calls whose answers the filter gets after the end of the stream."""
    prompt = 0
    for line in mine.log:
        words = line.message.split()
        if words[:1] == ["=="] and words[2] == "log":
            break
        prompt += words[:1] == ["=="] and words[2] in TOLD
    return set(order[prompt:])


def _streams(each: Exchanged) -> bool:
    """Whether there is a gRPC stream: they are made where their answers come in time."""
    return any(step[1] == "gstream" for steps in each.scripts for step in steps)
