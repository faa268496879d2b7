"""The JavaScript runtime, and how a filter's source gets into it: as with the Python runtime.

``runtime.wasm`` is made when the package is built (``src/merge_quickjs.py``).
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from ..embedding import SOURCE_LIMIT, Extras, Runtime

__all__ = ["CALLBACKS", "MEMORY_LIMIT", "RUNTIME", "SOURCE_LIMIT", "embed"]

RUNTIME = Path(__file__).parent / "runtime.wasm"

CALLBACKS = (
    *("onVmStart", "onConfigure", "onRequestHeaders", "onRequestBody", "onRequestTrailers"),
    *("onResponseHeaders", "onResponseBody", "onResponseTrailers", "onLog", "onDone", "onDelete"),
    *("onTick", "onQueue"),
)
"""The functions of a source that the proxy calls."""

MEMORY_LIMIT = 128 << 20
"""Bytes that a filter's values may use, unless it is built with another limit."""


_RESERVED = frozenset(
    (
        *("await", "break", "case", "catch", "class", "const", "continue", "debugger", "default", "delete"),
        *("do", "else", "enum", "export", "extends", "false", "finally", "for", "function", "if"),
        *("implements", "import", "in", "instanceof", "interface", "let", "new", "null", "package"),
        *("private", "protected", "public", "return", "static", "super", "switch", "this", "throw", "true"),
        *("try", "typeof", "undefined", "var", "void", "while", "with", "yield"),
    )
)


def embed(
    source: str,
    name: str = "cell",
    *,
    first_line: int = 1,
    memory_limit: int = MEMORY_LIMIT,
    extras: Extras | None = None,
) -> bytes:
    """A module that runs a JavaScript source as a filter.

    Stack traces call the source ``name`` and its first line ``first_line``; ``extras`` are the constants and
    modules it finds. Raises BuildError where the source is too long or has no UTF-8 form, where a name cannot
    be used, and where the package lacks its runtime.
    """
    given = extras or Extras()
    if given.defines or given.files or given.module:
        more = ("m" if given.module else "s") + given.encode("JavaScript", _RESERVED)
    else:
        more = ""
    return _runtime().embed(source, name, first_line, memory_limit, more)


@cache
def _runtime() -> Runtime:
    return Runtime.read(RUNTIME, "JavaScript")
