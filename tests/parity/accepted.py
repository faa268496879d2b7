"""Differences between the embedded proxy and Envoy that are known and accepted, each with its reason.

``LEFT_OUT`` is what random exchanges do not do, because there is nothing to compare; ``ACCEPTED`` recognises
differences that may come up.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from machine.judge import Verdict

__all__ = ["ACCEPTED", "LEFT_OUT", "Accepted"]

LEFT_OUT = (
    "continue of a stream that is not paused: Envoy 1.40 sends headers or trailers twice and faults",
    "continue of the response while the request is on its way: Envoy 1.40 ends with a segmentation fault",
    "send_local_response, continue and close in on_log, on_done and on_delete: Envoy 1.40 ends with a fault",
    "close_stream in on_context_create: Envoy 1.40 calls the context after it has deleted it",
    "two local replies of one filter on the response path, or one beside close_stream: Envoy 1.40 faults",
    "bodies in on_log, on_done and on_delete: Envoy 1.40 reads memory that it has freed",
    "request trailers in response callbacks: Envoy 1.40 makes them there once the body was paused, unseen",
    "the buffer of call data (8): Envoy 1.40 gives whatever buffer was looked at last, freed or not",
    "changes to a body, its end or its stream where content-length stands: HTTP/1 framing breaks outside",
    "headers that HTTP/1 cannot carry (control characters, no authority, a method or status that is none)",
    "xds.node: Envoy's own build and extensions as a protobuf message",
    "properties of the upstream while the request body arrives: a connection may be open or not",
    "values that are times or addresses of this machine: their size is compared",
    "upgrades, and CONNECT beyond its refusal",
    "call-outs, gRPC, shared data, queues, metrics and ticks",
)


@dataclass(frozen=True)
class Accepted:
    """A difference that may be there."""

    reason: str
    covers: Callable[[Verdict], bool]


ACCEPTED: tuple[Accepted, ...] = ()
