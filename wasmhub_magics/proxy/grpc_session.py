"""One gRPC call or stream of a filter, as its cluster sees it."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from typing import TypeAlias

from ..errors import RequestError
from ..http import Headers, Request, Response
from .cluster import Answer, CallOut, Cluster, Delay, Failure, cluster_answer
from .grpc import Grpc, GrpcCall, GrpcReply, frame

__all__ = ["GrpcSession", "Part", "whole_answer"]

Part: TypeAlias = "tuple[float, Failure | Response, bool, bool]"
"""Seconds until it comes, what comes, whether headers come first, whether it ends."""


class GrpcSession:
    """Feeds a cluster with messages and turns what it gives into parts of an HTTP answer."""

    def __init__(self, name: str, cluster: Cluster, request: Request, timeout: float = 0.0) -> None:
        self.name, self.cluster = name, cluster
        self.call = replace(GrpcCall.of(name, request), messages=(), ended=False)
        self.request, self.timeout = request, timeout
        self.given: list[Answer] = []
        self.over = False
        self._begun = False
        self._later: float = 0.0

    def feed(self, messages: tuple[bytes, ...], ended: bool) -> list[Part]:
        """What the cluster answers to more messages, or to the end. Raises what its function raises.

        An end that comes together with messages comes with the last one.
        """
        parts: list[Part] = []
        fixed = self.cluster.answer if isinstance(self.cluster, Grpc) else self.cluster
        if isinstance(fixed, Failure) and not self.given and not self.over:
            self._take(fixed, parts)
        steps: Sequence[bytes | None] = messages or ([None] if ended else [])
        for number, message in enumerate(steps):
            last = ended and number == len(steps) - 1
            self.call = self.call.with_message(message, ended=last)
            if not self.over:
                self._take(self._answer(message is not None), parts)
        return parts

    def record(self) -> CallOut:
        """The call so far, with all that was answered in one."""
        body = b"".join(map(frame, self.call.messages))
        return CallOut(self.name, _with_body(self.request, body), _merged(self.given), self.timeout)

    def _answer(self, message: bool) -> Answer | None:
        cluster = self.cluster
        if not isinstance(cluster, Grpc):
            if not self.call.ended:
                return None
            body = b"".join(map(frame, self.call.messages))
            return cluster_answer(self.name, cluster, _with_body(self.request, body))
        answer = cluster.answer
        if callable(answer):
            answer = answer(self.call)
            if answer is not None and not isinstance(answer, GrpcReply | Response | Delay | Failure):
                raise RequestError(
                    f"the gRPC cluster {self.name} gave {type(answer).__name__}, not a GrpcReply",
                    do="return wasmhub_magics.GrpcReply(b'...'), or None to wait for more messages",
                )
            return answer
        assert isinstance(answer, GrpcReply | Response | Delay | Failure)
        inner = answer.response if isinstance(answer, Delay) else answer
        if isinstance(inner, GrpcReply) and inner.status is None:
            if not message:
                return GrpcReply()
            if self.call.ended:
                inner = GrpcReply(*inner.messages, metadata=inner.metadata)
                return replace(answer, response=inner) if isinstance(answer, Delay) else inner
            return answer
        return answer if self.call.ended else None

    def _take(self, answer: Answer | None, parts: list[Part]) -> None:
        if answer is None:
            return
        self.given.append(answer)
        seconds, what = (answer.seconds, answer.response) if isinstance(answer, Delay) else (0.0, answer)
        # What was answered later never overtakes what was answered before.
        self._later = max(self._later, seconds)
        ends = True
        if isinstance(what, GrpcReply):
            ends = what.status is not None
            what = what.response(first=not self._begun)
        first, self._begun = not self._begun, True
        self.over = ends
        parts.append((self._later, what, first, ends))


def whole_answer(name: str, cluster: Cluster, request: Request) -> Response | Delay | Failure:
    """What a gRPC cluster answers to a plain HTTP request, all of it in one."""
    session = GrpcSession(name, cluster, request)
    body, trailers, response = b"", Headers(), Response(200)
    parts = session.feed(GrpcCall.of(name, request).messages, True)
    frames, seconds = 0, parts[-1][0] if parts else 0.0
    for _, what, first, _ in parts:
        if isinstance(what, Failure):
            return what
        response = what if first else response
        body, trailers, frames = body + what.body, what.trailers, frames + 1
    if not session.over:
        return Failure("silent")
    whole = response.replace(body=body, trailers=trailers) if frames > 1 else response
    return Delay(seconds, whole) if seconds else whole


def _merged(answers: list[Answer]) -> Answer | None:
    """Several replies of one stream as one."""
    if len(answers) < 2 or not all(isinstance(answer, GrpcReply) for answer in answers):
        return answers[-1] if answers else None
    replies = [answer for answer in answers if isinstance(answer, GrpcReply)]
    last = replies[-1]
    return GrpcReply(
        *(message for reply in replies for message in reply.messages),
        status=last.status,
        message=last.message,
        metadata=replies[0].metadata,
        trailers=Headers(last.trailers),
    )


def _with_body(request: Request, body: bytes) -> Request:
    """A copy with that body, and all else as the filter made it: nobody need be able to send it."""
    copied = copy(request)
    object.__setattr__(copied, "body", body)
    return copied
