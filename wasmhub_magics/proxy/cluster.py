"""Clusters: who answers the call-outs of filters."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from ..errors import RequestError
from ..http import Request, Response

__all__ = ["Answer", "CallOut", "Cluster", "Delay", "Failure", "cluster_answer"]


@dataclass(frozen=True, slots=True)
class Delay:
    """An answer that comes after so many seconds; a filter whose call times out before gets 504."""

    seconds: float
    response: Response = field(default_factory=Response)

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


KINDS = ("refused", "closed", "broken", "silent")
"""The numbers of the host's protocol, from 1."""

Answer: TypeAlias = "Response | Delay | Failure"
Cluster: TypeAlias = "Answer | Callable[[Request], Answer]"


@dataclass(frozen=True, slots=True)
class CallOut:
    """One call of a filter to a cluster: what it got and gave; ``timeout`` in seconds, 0 for none."""

    cluster: str
    request: Request
    answer: Answer | None = None
    timeout: float = 0.0


def cluster_answer(name: str, cluster: Cluster, request: Request) -> Answer:
    """What a cluster answers to a request. Raises RequestError where a function gives something else."""
    answer = cluster if isinstance(cluster, Response | Delay | Failure) else cluster(request)
    if not isinstance(answer, Response | Delay | Failure):
        raise RequestError(
            f"the cluster {name} gave {type(answer).__name__}, not a Response",
            do="return wasmhub_magics.Response(200, body=...)",
        )
    return answer
