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
from wasmhub_magics.envoy.client import Answer, ask
from wasmhub_magics.envoy.server import EnvoyServer
from wasmhub_magics.http import Request, Response
from wasmhub_magics.proxy.cluster import Answer as ClusterAnswer
from wasmhub_magics.proxy.exchange import Exchange

from .model import Exchanged

__all__ = ["CLUSTERS", "Real"]

CLUSTERS = ("auth", "other")
HELD_SECONDS = 20.0
TICK = re.compile(r"== \S tick ")


@dataclass
class _Turn:
    """One exchange: which calls come, and how far client, upstream and calls have got."""

    each: Exchanged
    paused: bool
    asks: bool
    paths: tuple[str, ...] = ()
    early: frozenset[str] = frozenset()
    late: frozenset[str] = frozenset()
    ticks: int = 0
    sent: bool = False
    sending: bool = False
    answered: bool = False
    done: bool = False
    delivered: set[str] = field(default_factory=set)


class Real(EnvoyProxy):
    """An Envoy whose clusters and upstream answer when nothing else is under way."""

    def __init__(self, timeout: float) -> None:
        self._change = threading.Condition()
        self._turn: _Turn | None = None
        self._paths: dict[int, str] = {}
        self._serving: set[int] = set()
        clusters = dict.fromkeys(CLUSTERS, self._cluster)
        super().__init__((), slots=3, timeout=timeout, log_level="trace", clusters=clusters)
        for server in self._clusters._servers.values():
            self._after(server, self._delivered)
        self._after(self._upstream, self._answered)

    def play(self, each: Exchanged, mine: Exchange, early: int) -> Exchange:
        """Send what the embedded proxy has sent before; ``early`` calls came before it asked the upstream."""
        paths = tuple(call.request.path for call in mine.calls if call.cluster in CLUSTERS)
        self._turn = _Turn(
            each,
            mine.outcome == "paused",
            mine.upstream_request is not None,
            paths,
            frozenset(paths[:early]),
            frozenset(_late(paths, mine)),
            sum(TICK.search(line.message) is not None for line in mine.log),
        )
        return self.send(each.sent(), upstream=self._answer)

    def _ask(self, server: EnvoyServer, request: Request) -> Answer:
        turn = self._turn
        if turn is None:
            return super()._ask(server, request)

        def idle() -> bool:
            self._set(sent=True)
            if self._ticks() < turn.ticks:
                return False
            waits = any(path not in turn.delivered for path in turn.paths if path not in turn.late)
            if not turn.paused or waits or turn.sending or (turn.asks and not turn.answered):
                return False
            return self._settled()

        answer = ask(server.port, request, timeout=self.timeout, pace=self._pace, idle=idle)
        self._set(sent=True, done=True)
        self._wait(lambda: turn.delivered >= set(turn.paths))
        return answer

    def _ticks(self) -> int:
        self._server.process.drain()
        entries = self._server.process.log.since(self._seen)
        return sum(TICK.search(entry.text) is not None for entry in entries)

    def _cluster(self, request: Request) -> ClusterAnswer:
        turn, path = self._turn, request.path
        if turn is None or path not in turn.paths:
            return Response(404)
        self._paths[threading.get_ident()] = path
        before = set(turn.paths[: turn.paths.index(path)])

        def mine() -> bool:
            free = turn.done if path in turn.late else turn.sent and not turn.sending
            return free and turn.delivered >= before

        self._wait(mine)
        self._settled()
        return turn.each.answer(path)

    def _answer(self, _: Request) -> Response:
        turn = self._turn
        assert turn is not None
        self._wait(lambda: turn.delivered >= turn.early)
        self._serving.add(threading.get_ident())
        self._set(sending=True)
        return turn.each.response.response()

    def _delivered(self) -> None:
        path = self._paths.pop(threading.get_ident(), None)
        if path is not None and self._turn is not None:
            self._settled()
            with self._change:
                self._turn.delivered.add(path)
                self._change.notify_all()

    def _answered(self) -> None:
        if threading.get_ident() not in self._serving:
            return  # an old connection has ended
        self._serving.discard(threading.get_ident())
        self._settled()
        self._set(sending=False, answered=True)

    def _settled(self) -> bool:
        """Wait until Envoy has done what it could do so far."""
        return self._server.barrier.wait(self.timeout) and self._server.barrier.wait(self.timeout)

    def _set(self, **values: bool) -> None:
        with self._change:
            for name, value in values.items():
                setattr(self._turn, name, value)
            self._change.notify_all()

    def _wait(self, ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + HELD_SECONDS
        with self._change:
            while not ready() and time.monotonic() < deadline:
                self._change.wait(0.05)

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


def _late(paths: tuple[str, ...], mine: Exchange) -> set[str]:
    """The calls whose answers the filter gets after the end of the stream."""
    prompt = 0
    for line in mine.log:
        words = line.message.split()
        if words[:1] == ["=="] and words[2] == "log":
            break
        prompt += words[:1] == ["=="] and words[2] == "call_response"
    return set(paths[prompt:])
