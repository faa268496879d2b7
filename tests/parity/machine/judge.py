"""Runs cases through the embedded proxy and the real Envoy and compares all that shows."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self
from unittest.mock import patch

from wasmhub_magics.envoy.report import Difference
from wasmhub_magics.envoy.verify import _compare, _logs
from wasmhub_magics.errors import EnvoyRejected, ModuleError, ProxyError
from wasmhub_magics.http import Request, Response
from wasmhub_magics.proxy import Proxy
from wasmhub_magics.proxy.cluster import Answer
from wasmhub_magics.proxy.exchange import Exchange
from wasmhub_magics.proxy.grpc import Grpc, GrpcCall

from .model import Case, Exchanged
from .real import CLUSTERS, RPC, Ask, Real

__all__ = ["Judge", "Verdict"]

PATIENCE, HASTE = 30.0, 4.0
"""Seconds for an answer of Envoy, where the embedded proxy says that there is one: a busy machine is slow."""
UUID = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


@dataclass(frozen=True)
class Verdict:
    """How one exchange went; ``number`` None is the start of the filters."""

    number: int | None
    differences: tuple[Difference, ...]
    embedded: Exchange | None = None
    real: Exchange | None = None

    @property
    def lost(self) -> bool:
        """Whether Envoy itself ended, or did not answer any more."""
        return self.real is not None and any("starts a new" in warning for warning in self.real.warnings)


class Judge:
    """Envoys, one for each version of HTTP to the upstream, that take one case after another."""

    def __init__(self) -> None:
        self._reals: dict[str, Real] = {}
        self._numbers = itertools.count()
        self._asked: list[Ask] = []
        self.hasty = False

    def run(self, case: Case) -> Iterator[Verdict]:
        """Start the filters on both sides and send the exchanges; it ends early where they do not start."""
        plugins = case.plugins(f"vm{next(self._numbers)}")
        version = "2" if case.upstream2 else "1.1"
        self.real = self._reals.get(version) or Real(PATIENCE, version)
        self._reals[version] = self.real
        _ = self.real.log
        self.real._lines.clear()
        refusals = ["", ""]
        embedded = untraced = None
        try:
            try:
                self.real.swap(plugins)
            except EnvoyRejected as error:
                refusals[1] = _refusal(str(error))
            try:
                clusters = {**dict.fromkeys(CLUSTERS, self._cluster), RPC: Grpc(self._rpc)}
                embedded = Proxy(plugins, clusters=clusters, upstream_version=version)
                untraced = Proxy(plugins, clusters=clusters, upstream_version=version, trace=False)
            except (ModuleError, ProxyError) as error:
                refusals[0] = _refusal(str(error))
            if embedded is None or untraced is None or any(refusals):
                same = bool(refusals[0]) == bool(refusals[1])
                different = () if same else (Difference(None, "start", *refusals),)
                yield Verdict(None, different)
                return
            log = self.real.log
            found = list(_logs(None, embedded.log, log)) or _unseen(list(_logs(None, untraced.log, log)))
            yield Verdict(None, tuple(found))
            for number, each in enumerate(case.exchanges):
                verdict = self._exchange(number, each, embedded, untraced)
                if verdict.lost:
                    self._reals.pop(version).close()
                yield verdict
                if verdict.lost:
                    return
        finally:
            for proxy in (embedded, untraced):
                if proxy is not None:
                    proxy.close()

    def _exchange(self, number: int, each: Exchanged, embedded: Proxy, untraced: Proxy) -> Verdict:
        request, response = each.sent(), each.response.response()
        self._each, self._asked = each, []
        early = -1

        def upstream(_: Request) -> Response:
            nonlocal early
            early = len(self._asked)
            return response

        to = upstream if each.asks or each.answers else response
        unseen = untraced.send(request, upstream=to)
        self._asked, early = [], -1
        mine = embedded.send(request, upstream=to)
        # An upstream that was not asked waits for all calls.
        self.real.timeout = HASTE if self.hasty else PATIENCE
        other = self.real.play(each, mine, tuple(self._asked), len(self._asked) if early < 0 else early)
        mine, unseen, other = _in_order(mine), _in_order(unseen), _in_order(other)
        # A filter may change the request id, so the one that Envoy made is known by its form alone.
        with patch.dict(_compare.__globals__, {"_hider": lambda _: lambda data: data}):
            pairs = list(_compare(number, mine, other)) or _unseen(list(_compare(number, unseen, other)))
        found = [d for d in pairs if UUID.sub("", d.embedded) != UUID.sub("", d.envoy)]
        return Verdict(number, tuple(found), mine, other)

    def _cluster(self, request: Request) -> Answer:
        self._asked.append(Ask(request.path))
        return self._each.answer(request.path)

    def _rpc(self, call: GrpcCall) -> Answer | None:
        path = f"/{call.service}/{call.method}"
        ask = Ask(path, 1 + sum(known.path == path for known in self._asked))
        self._asked.append(ask)
        return self._each.spoken(path, ask.number)

    def close(self) -> None:
        for real in self._reals.values():
            real.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _unseen(differences: list[Difference]) -> list[Difference]:
    """Differences that show where nobody keeps a trace: host functions have shorter ways then."""
    return [replace(each, field=f"{each.field} without a trace") for each in differences]


def _in_order(exchange: Exchange) -> Exchange:
    """With the calls in one order: they go over connections of their own."""
    return replace(exchange, calls=tuple(sorted(exchange.calls, key=lambda call: call.request.path)))


def _refusal(text: str) -> str:
    return text.splitlines()[0] or "refused"
