"""The embedded proxy, and what it shares with the real one: upstreams, exchanges, traces."""

from __future__ import annotations

from .exchange import Exchange, LogLine, Outcome, Timing
from .interface import AnyProxy
from .loop import Loop
from .proxy import Proxy
from .trace import Callback, HostCall, Trace
from .upstream import Upstream, echo

__all__ = [
    "AnyProxy",
    "Callback",
    "Exchange",
    "HostCall",
    "LogLine",
    "Loop",
    "Outcome",
    "Proxy",
    "Timing",
    "Trace",
    "Upstream",
    "echo",
]
