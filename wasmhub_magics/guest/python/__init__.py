"""The Python runtime, and how a filter's source gets into it.

``runtime.wasm`` is made when the package is built (``src/merge.py``). Its last data segment is empty and has
the address of an area that the runtime reads when it starts; a filter is the runtime with the source there.
Nothing else differs, so that a proxy that keeps compiled code apart from data compiles it only once.
"""

from __future__ import annotations

import keyword
from functools import cache
from pathlib import Path

from ..embedding import SOURCE_LIMIT, Extras, Runtime

__all__ = ["CALLBACKS", "MEMORY_LIMIT", "MODULES", "RUNTIME", "SOURCE_LIMIT", "embed"]

RUNTIME = Path(__file__).parent / "runtime.wasm"

CALLBACKS = (
    *("on_vm_start", "on_configure", "on_request_headers", "on_request_body", "on_request_trailers"),
    *("on_response_headers", "on_response_body", "on_response_trailers", "on_log", "on_done", "on_delete"),
    *("on_tick", "on_queue"),
)
"""The functions of a source that the proxy calls."""

MODULES = frozenset(
    (
        *("__future__", "abc", "array", "base64", "binascii", "builtins", "cmath", "collections"),
        *("copy", "datetime", "deflate", "errno", "fnmatch", "functools", "gc", "gzip", "hashlib", "heapq"),
        *("hmac", "html", "inspect", "io", "itertools", "js", "json", "locale", "logging", "math"),
        *("micropython", "operator", "os", "pathlib", "platform", "random", "re", "select", "stat"),
        *("string", "struct", "sys", "tarfile", "time", "types", "typing", "uctypes", "unittest", "uu"),
        *("vfs", "zlib"),
    )
)
"""The modules that a source can import."""

MEMORY_LIMIT = 128 << 20
"""Bytes of memory that a filter may use, unless it is built with another limit."""


def embed(
    source: str,
    name: str = "cell",
    *,
    first_line: int = 1,
    memory_limit: int = MEMORY_LIMIT,
    extras: Extras | None = None,
) -> bytes:
    """A module that runs a Python source as a filter.

    Tracebacks call the source ``name`` and its first line ``first_line``; ``extras`` are the constants and
    modules it finds. Raises BuildError where the source is too long or has no UTF-8 form, where a name cannot
    be used, and where the package lacks its runtime.
    """
    more = extras.encode("Python", keyword.kwlist) if extras is not None else ""
    return _runtime().embed(source, name, first_line, memory_limit, more)


@cache
def _runtime() -> Runtime:
    return Runtime.read(RUNTIME, "Python")
