"""Clusters: who answers the call-outs of filters."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from ..errors import RequestError
from ..http import Request, Response
from .grpc import Grpc, GrpcReply, messages_in
from .live import Live

__all__ = ["Answer", "CallOut", "Cluster", "Delay", "Failure", "as_clusters", "cluster_answer"]


@dataclass(frozen=True, slots=True)
class Delay:
    """An answer that comes after so many seconds; a filter whose call times out before gets 504."""

    seconds: float
    response: Response | GrpcReply = field(default_factory=Response)

    def __post_init__(self) -> None:
        if not 0 <= self.seconds < math.inf:
            raise RequestError(
                f"an answer cannot come after {self.seconds} seconds",
                do='pass a finite number, or Failure("silent") for a cluster that never answers',
            )


@dataclass(frozen=True, slots=True)
class Failure:
    """A cluster that fails.

    ``refused``: nobody listens there, ``closed``: the connection ends before an answer; a filter gets 503 for
    both. ``broken``: it ends in the middle of the answer; a filter gets no answer at all, and the status of
    the call is 11. ``silent``: it never answers; a filter gets 504 where its call has a timeout.
    """

    kind: Literal["refused", "closed", "broken", "silent"] = "refused"

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise RequestError(f"a cluster cannot fail by {self.kind!r}", do=f"pass one of {KINDS}")


KINDS: tuple[Literal["refused", "closed", "broken", "silent"], ...] = (
    "refused",
    "closed",
    "broken",
    "silent",
)
"""The numbers of the host's protocol, from 1."""

Answer: TypeAlias = "Response | Delay | Failure | GrpcReply"
Cluster: TypeAlias = "Answer | Callable[[Request], Answer] | Grpc | Live | str"


@dataclass(frozen=True, slots=True)
class CallOut:
    """One call of a filter to a cluster: what it got and gave; ``timeout`` in seconds, 0 for none.

    A gRPC call or stream shows as one request, with all messages in its body, and one answer.
    """

    cluster: str
    request: Request
    answer: Answer | None = None
    timeout: float = 0.0

    @property
    def messages(self) -> tuple[bytes, ...]:
        """The messages that a gRPC call sent; empty for other calls."""
        kind = self.request.headers.get("content-type", "")
        return messages_in(self.request.body) if kind.startswith("application/grpc") else ()


def as_clusters(clusters: Mapping[str, Cluster] | None) -> dict[str, Cluster]:
    """The clusters; one whose answer is a GrpcReply speaks gRPC, and one that is text is read (``Live``)."""
    found = dict(clusters or {})
    for name, cluster in found.items():
        if isinstance(cluster, str):
            found[name] = cluster_from(name, cluster)
            continue
        answer = cluster.response if isinstance(cluster, Delay) else cluster
        if isinstance(answer, GrpcReply):
            found[name] = Grpc(cluster)
    return found


def cluster_from(name: str, text: str) -> Response | Failure | Live:
    """A cluster from text: an address to really call, a status, or a way to fail. Raises RequestError."""
    if "://" in text:
        return Live(text)
    if text.isdecimal():
        return Response(int(text))
    for kind in KINDS:
        if text == kind:
            return Failure(kind)
    raise RequestError(
        f"{text!r} cannot answer for the cluster {name}",
        do=f"write http://HOST:PORT to call a real server, a status such as 200, or {', '.join(KINDS)}",
    )


def cluster_answer(
    name: str, cluster: Cluster, request: Request, timeout: float | None = None
) -> Response | Delay | Failure:
    """What a cluster answers to a request. Raises RequestError where a function gives something else.

    ``timeout`` is that of the call; with it, the time that a real server takes counts.
    """
    if isinstance(cluster, Live):
        started = time.monotonic()
        told = cluster.ask(request, timeout or Live.PATIENCE)
        if isinstance(told, str):
            return Failure("silent" if told == "silent" else "refused" if told == "refused" else "closed")
        return told if timeout is None else Delay(time.monotonic() - started, told)
    if isinstance(cluster, Grpc):
        from .grpc_session import whole_answer

        return whole_answer(name, cluster, request)
    answer = cluster if isinstance(cluster, Response | Delay | Failure) else None
    if answer is None and callable(cluster):
        given = cluster(request)
        if isinstance(given, Response | Delay | Failure):
            return given
        raise RequestError(
            f"the cluster {name} gave {type(given).__name__}, not a Response",
            do="return wasmhub_magics.Response(200, body=...); one that speaks gRPC is Grpc(function)",
        )
    if answer is None:
        raise RequestError(
            f"the cluster {name} is {type(cluster).__name__}, which cannot answer",
            do="pass a Response, a Delay, a Failure, a GrpcReply, Grpc(...), or a function of the Request",
        )
    return answer
