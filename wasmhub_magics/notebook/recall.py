"""The last results of cases, also those of an earlier kernel of the same notebook."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from pathlib import Path

from ..errors import RequestError
from ..paths import cache_root
from ..testing import Memory

__all__ = ["Recall"]


class Recall:
    """Memories by the names of chains, kept beside the caches where the notebook of this kernel is known.

    A kernel that was restarted goes on with what its notebook's last one knew; what cannot be read or
    written there is as if it had never been.
    """

    def __init__(self) -> None:
        self._known: dict[str, Memory] = {}

    def __getitem__(self, name: str) -> Memory:
        if name not in self._known:
            self._known[name] = _read(name)
        return self._known[name]

    def __setitem__(self, name: str, memory: Memory) -> None:
        self._known[name] = memory
        path = _place(name)
        if path is None:
            return
        fresh = path.with_name(f"{path.name}.{os.getpid()}")
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            fresh.write_text(json.dumps(memory.to_data()), encoding="utf-8", errors="replace")
            fresh.replace(path)

    def clear(self) -> None:
        """Forget what this kernel knows; what is kept stays."""
        self._known.clear()


def _read(name: str) -> Memory:
    path = _place(name)
    with contextlib.suppress(OSError, ValueError, RequestError):
        if path is not None:
            return Memory.from_data(json.loads(path.read_text(encoding="utf-8")))
    return Memory()


def _place(name: str) -> Path | None:
    """Where the memory of a chain in this notebook is; None where nobody says which notebook this is."""
    notebook = _notebook()
    if not notebook:
        return None
    key = hashlib.sha256(json.dumps([notebook, name]).encode()).hexdigest()[:32]
    return cache_root() / "results" / f"{key}.json"


def _notebook() -> str:
    """The path of the notebook, as Jupyter's server or VS Code tells its kernels."""
    told = os.environ.get("JPY_SESSION_NAME", "")
    if told:
        return told
    from IPython.core.getipython import get_ipython

    shell = get_ipython()
    return "" if shell is None else str(shell.user_ns.get("__vsc_ipynb_file__", ""))
