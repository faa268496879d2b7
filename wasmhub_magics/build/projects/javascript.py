"""A JavaScript filter as a project."""

from __future__ import annotations

from ..build import Build
from . import python
from .layout import Layout

__all__ = ["layout"]


def layout(build: Build) -> Layout:
    """Where things are and how they are built."""
    return python.layout(build, "js")
