"""Where a language's people keep things, and how they build."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

__all__ = ["Layout", "identifier"]


@dataclass(frozen=True)
class Layout:
    """The files of a project that only its language has, and how it is built and set up."""

    source: str
    """Where the source lies, as seen from the project's directory."""
    beside: str
    """The directory of further source files, with a slash at its end, or empty."""
    files: Mapping[str, str]
    """Path to text, the Makefile among them."""
    needs: str
    """A sentence on what has to be installed."""
    setup: Sequence[str]
    """The steps that install it in the workflow, as YAML."""
    exact: str
    """A sentence on whether the build gives the same bytes."""
    ignored: Sequence[str] = field(default=())

    def place(self, name: str) -> str:
        """Where a further source file lies."""
        return self.beside + name


def identifier(name: str) -> str:
    """A filter's name as a package may be called: letters, digits and dashes, a letter first."""
    plain = re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-_").lower() or "filter"
    return plain if plain[0].isalpha() else f"filter-{plain}"
