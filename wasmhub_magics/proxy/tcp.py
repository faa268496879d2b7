"""TCP connections through filters: what one did, and what the worker says of each step of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

from .cluster import CallOut
from .exchange import LogLine
from .trace import Trace

__all__ = ["Connection", "TcpStep", "TcpUpstream", "cut"]

TcpUpstream: TypeAlias = "Callable[[bytes], bytes | None]"
"""Gets what arrives and gives what to send back."""


@dataclass(frozen=True, slots=True)
class TcpStep:
    """What came out of the filters since the step before."""

    to_upstream: bytes
    to_client: bytes
    closed: bool
    log: tuple[LogLine, ...]
    warnings: tuple[str, ...]
    events: bytes
    dropped: int
    calls: tuple[CallOut, ...]


@dataclass(frozen=True, slots=True)
class Connection:
    """What one TCP connection did: what upstream and client got, log, trace and calls of the filters.

    ``closed`` tells that a filter closed it, or failed, before client and upstream had ended.
    """

    upstream_received: bytes
    client_received: bytes
    closed: bool
    log: tuple[LogLine, ...] = ()
    warnings: tuple[str, ...] = ()
    calls: tuple[CallOut, ...] = ()
    trace: Trace = field(default_factory=Trace, repr=False)

    def __repr__(self) -> str:
        end = ", closed by a filter" if self.closed else ""
        there, back = len(self.upstream_received), len(self.client_received)
        lines = [f"connection: {there:,} bytes to the upstream, {back:,} bytes to the client{end}"]
        lines += [f"warning: {warning}" for warning in self.warnings]
        if self.log:
            lines.append("log:")
            lines += [f"    {line}" for line in self.log]
        return "\n".join(lines)


def cut(data: bytes | str | Iterable[bytes | str]) -> list[bytes]:
    """The pieces in which a client sends."""
    pieces = [data] if isinstance(data, bytes | str) else list(data)
    return [piece.encode() if isinstance(piece, str) else bytes(piece) for piece in pieces]
