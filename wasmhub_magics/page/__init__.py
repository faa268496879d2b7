"""The request tester's front end: a script that runs in a notebook and in a page of its own."""

from __future__ import annotations

from .bundle import script, style
from .cases import cases_data, cases_from_data
from .data import exchange_data, exchange_from_data, request_data, request_from_data
from .document import Share, write_document
from .parts import Parts, parts_of
from .schema import schema_of, with_schema
from .world import World, world_from_data

__all__ = [
    "Parts",
    "Share",
    "World",
    "cases_data",
    "cases_from_data",
    "exchange_data",
    "exchange_from_data",
    "parts_of",
    "request_data",
    "request_from_data",
    "schema_of",
    "script",
    "style",
    "with_schema",
    "world_from_data",
    "write_document",
]
