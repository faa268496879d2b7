"""Filters that people really deploy, each written in several languages: to copy, and to start from."""

from __future__ import annotations

from .example import Example, example, examples
from .expectation import Expectation, Wanted

__all__ = ["Example", "Expectation", "Wanted", "example", "examples"]
