"""What every group of magics has: the shell, the settings and the session."""

from __future__ import annotations

import builtins
import keyword
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import Magics

from .session import SESSION

if TYPE_CHECKING:
    from ..filter import Filter
    from .settings import WasmMagics

__all__ = ["Group"]


class Group(Magics):
    """A group of magics over one shell."""

    def __init__(self, shell: InteractiveShell, settings: WasmMagics, **options: Any) -> None:
        super().__init__(shell, **options)
        self.settings = settings

    @property
    def variables(self) -> Mapping[str, object]:
        """The user's variables."""
        return self.shell.user_ns  # type: ignore[no-any-return, union-attr]

    def filter(self, name: str) -> Filter:
        """The filter of this name. Raises RequestError, which lists the names there are."""
        return SESSION.find(name, self.variables)

    def keep(self, made: Filter) -> None:
        """Keep a filter in the session and, where its name can be one, in a variable of that name.

        A name of Python's own, such as ``filter``, is left alone.
        """
        SESSION.add(made)
        name = made.name
        if name.isidentifier() and not keyword.iskeyword(name) and not hasattr(builtins, name):
            self.shell.push({name: made})  # type: ignore[union-attr]
