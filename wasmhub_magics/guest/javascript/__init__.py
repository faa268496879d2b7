"""The JavaScript runtime, and how a filter's source gets into it: as with the Python runtime.

``runtime.wasm`` is made when the package is built (``src/merge_quickjs.py``).
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from ..embedding import SOURCE_LIMIT, Runtime

__all__ = ["CALLBACKS", "MEMORY_LIMIT", "RUNTIME", "SOURCE_LIMIT", "embed"]

RUNTIME = Path(__file__).parent / "runtime.wasm"

CALLBACKS = (
    *("onVmStart", "onConfigure", "onRequestHeaders", "onRequestBody", "onRequestTrailers"),
    *("onResponseHeaders", "onResponseBody", "onResponseTrailers", "onLog", "onDone", "onDelete"),
)
"""The functions of a source that the proxy calls."""

MEMORY_LIMIT = 128 << 20
"""Bytes that a filter's values may use, unless it is built with another limit."""


def embed(source: str, name: str = "cell", *, first_line: int = 1, memory_limit: int = MEMORY_LIMIT) -> bytes:
    """A module that runs a JavaScript source as a filter.

    Stack traces call the source ``name`` and its first line ``first_line``. Raises BuildError where the
    source is too long or has no UTF-8 form, and where the package lacks its runtime.
    """
    return _runtime().embed(source, name, first_line, memory_limit)


@cache
def _runtime() -> Runtime:
    return Runtime.read(RUNTIME, "JavaScript")
