"""Differences between the embedded proxy and Envoy that are known and accepted, each with its reason.

``LEFT_OUT`` is what random exchanges do not do, because there Envoy breaks or does not do the same twice;
``ACCEPTED`` recognises differences that may come up; ``ELSEWHERE`` names host functions and callbacks that
random exchanges do not reach, and ``NEVER`` those that Envoy itself never calls in a filter.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from machine.judge import Verdict

__all__ = ["ACCEPTED", "ELSEWHERE", "LEFT_OUT", "NEVER", "Accepted"]

LEFT_OUT = (
    "continue of a stream that is not paused: Envoy 1.40 sends headers or trailers twice and faults",
    "continue of the response while the request is on its way: Envoy 1.40 ends with a segmentation fault",
    "continue beside trailers that a body callback makes, or beside an answer in one: the same fault",
    "send_local_response, continue and close in on_log, on_done and on_delete: Envoy 1.40 ends with a fault",
    "close_stream in on_context_create, in trailers of a chain, beside an answer: Envoy 1.40 calls the dead",
    "two local replies of one filter on the response path, or one beside close_stream: Envoy 1.40 faults",
    "answers of two filters: Envoy 1.40 gives the first one's body away after the second, or faults",
    "what ends a stream beside the tick that it waits for: Envoy's clock is real",
    "messages of others in the queue that a stream waits for: they continue what is not paused any more",
    "a trap in a callback that has asked for an answer, a continue or a close: Envoy 1.40 answers twice",
    "a trap after an answer that a filter asks for in its creation: the same",
    "bodies in on_log, on_done and on_delete: Envoy 1.40 reads memory that it has freed",
    "a body after an answer in one of its callbacks: the same",
    "a body that a filter has dropped, after its callbacks: it is the codec's own memory",
    "request headers and trailers that change after they have gone on: the router has sent them, or not yet",
    "request trailers after the request: Envoy 1.40 makes them there once the body was paused, unseen",
    "the buffer of call data (8): Envoy 1.40 gives whatever buffer was looked at last, freed or not",
    "changes to a body, its end or its stream where content-length stands: HTTP/1 framing breaks outside",
    "another method for a client's HEAD: the client goes before the body comes",
    "headers that HTTP cannot carry (control characters, no authority, a method or status that is none)",
    "the end of a body dropped by one filter while another holds its headers: Envoy 1.40 never comes back",
    "a request without :method that has a body: whether the answer comes before the body is left to chance",
    "xds.node: Envoy's own build and extensions as a protobuf message",
    "properties of the upstream where a connection may be open or not: in bodies, after early ends",
    "a response without :status beside an answer: Envoy 1.40 answers its own answer again",
    "values that are times or addresses of this machine: their size is compared",
    "upgrades, and CONNECT beyond its refusal",
    "a name that is resolved inside of a callback which has asked for an answer, a continue or a close",
    "calls, queues and shared data at the start: Envoy starts each filter twice, first as a canary",
    "a gRPC service without a name: Envoy 1.40 ends, since no bytes are a message without a target",
    "gRPC messages after a cluster has ended or before a cancel: whether they leave is left to chance",
    "a gRPC stream that an answer, a close or a dead filter cuts off: its cluster may not know of it yet",
    "two gRPC streams at once, or one beside calls: what two clusters say comes in any order",
    "the size of a request that the router refuses: how much has come in is left to chance",
    "a TCP filter that empties what it got: Envoy then reads the next piece together with what follows",
    "a TCP connection whose two ends are held back: Envoy keeps it, here the client goes",
    "a trap in on_log or on_done of a TCP connection: Envoy 1.40 closes what is being destroyed",
    "the end of a response over HTTP/2 before METADATA of its upstream: Envoy 1.40 never comes back",
    "a trap in on_log, on_done or on_delete beside METADATA of a response: the same",
    "bodies above 24,000 bytes from the upstream: how the network cuts them differs from run to run",
)

ELSEWHERE: dict[str, str] = {}
NEVER = {
    "envoy_on_stats_update": "WasmStatSink::flush alone calls it: a sink of statistics is no filter",
    "proxy_validate_configuration": "the host looks the function up (wasm.h) and has no place that calls it",
    "proxy_on_foreign_function": "ContextBase::onForeignFunction has callers in Envoy's tests alone",
}


@dataclass(frozen=True)
class Accepted:
    """A difference that may be there."""

    reason: str
    covers: Callable[[Verdict], bool]


def _overtaken(verdict: Verdict) -> bool:
    mine = verdict.embedded
    return (
        mine is not None
        and mine.response is not None
        and mine.upstream_response is None
        and all(difference.field.startswith("upstream") for difference in verdict.differences)
    )


def _slower(verdict: Verdict) -> bool:
    for difference in verdict.differences:
        ours, theirs = (SIZE.search(line) for line in (difference.embedded, difference.envoy))
        if ours is None or theirs is None or not 0 < int(theirs[1]) - int(ours[1]) <= 3:
            return False
    return True


SIZE = re.compile(r"\bsize 2 -> 0 (\d+)$")
ACCEPTED: tuple[Accepted, ...] = (
    Accepted("an answer that overtakes a request: its upstream has seen all of it, or not yet", _overtaken),
    Accepted("an upstream that took ten milliseconds or more: its time has a digit more", _slower),
)
