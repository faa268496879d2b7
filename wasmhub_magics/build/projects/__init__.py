"""A filter as a project of its own: what its language's people expect, built by the plain toolchain."""

from __future__ import annotations

from .project import Project, read_project, write_project

__all__ = ["Project", "read_project", "write_project"]
