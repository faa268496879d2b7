"""The request tester's front end: a script that runs in a notebook and in a page of its own."""

from __future__ import annotations

from .bundle import script, style
from .data import exchange_data, request_data, request_from_data
from .parts import Parts, parts_of

__all__ = [
    "Parts",
    "exchange_data",
    "parts_of",
    "request_data",
    "request_from_data",
    "script",
    "style",
]
