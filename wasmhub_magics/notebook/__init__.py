"""Everything IPython: magics, completion, settings, error display, the request tester."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["load", "unload"]


def load(shell: InteractiveShell) -> None:
    """Register magics, settings and completer with a shell; a second call changes nothing."""
    from .extension import load

    load(shell)


def unload(shell: InteractiveShell) -> None:
    """Take away what ``load`` registered; the filters that were built stay."""
    from .extension import unload

    unload(shell)
