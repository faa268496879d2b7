"""The embedded proxy, and what it shares with the real one: upstreams, exchanges, traces."""

from __future__ import annotations

from .cluster import Answer, CallOut, Cluster, Delay, Failure
from .exchange import Exchange, LogLine, Outcome, Timing
from .grpc import Grpc, GrpcCall, GrpcReply
from .interface import AnyProxy
from .live import Live
from .loop import Loop
from .proxy import Proxy
from .state import Activity, Histogram, Metrics, Pending, State, Timer
from .tcp import Connection
from .trace import Callback, Change, HostCall, Trace
from .upstream import Upstream, echo

__all__ = [
    "Activity",
    "Answer",
    "AnyProxy",
    "CallOut",
    "Callback",
    "Change",
    "Cluster",
    "Connection",
    "Delay",
    "Exchange",
    "Failure",
    "Grpc",
    "GrpcCall",
    "GrpcReply",
    "Histogram",
    "HostCall",
    "Live",
    "LogLine",
    "Loop",
    "Metrics",
    "Outcome",
    "Pending",
    "Proxy",
    "State",
    "Timer",
    "Timing",
    "Trace",
    "Upstream",
    "echo",
]
