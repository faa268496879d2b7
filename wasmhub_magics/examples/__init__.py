"""Filters that people really deploy, each written in several languages: to copy, and to start from."""

from __future__ import annotations

from .example import Example, example, examples, starter
from .expectation import Expectation, Wanted
from .gallery import Gallery
from .record import record
from .table import Table

__all__ = ["Example", "Expectation", "Gallery", "Table", "Wanted", "example", "examples", "record", "starter"]
