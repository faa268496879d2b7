"""The real Envoy: find it, start it, swap filters in it, read it, and compare it with the embedded proxy."""

from __future__ import annotations

from .binary import Binary, find_envoy
from .proxy import EnvoyProxy
from .report import Difference, ParityReport
from .server import EnvoyServer, Swap
from .validate import validate
from .verify import verify

__all__ = [
    "Binary",
    "Difference",
    "EnvoyProxy",
    "EnvoyServer",
    "ParityReport",
    "Swap",
    "find_envoy",
    "validate",
    "verify",
]
