"""The Python runtime, and how a filter's source gets into it.

``runtime.wasm`` is made when the package is built (``src/merge.py``). Its last data segment is empty and has
the address of an area that the runtime reads when it starts; a filter is the runtime with the source there.
Nothing else differs, so that a proxy that keeps compiled code apart from data compiles it only once.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from ...binary import parse, uleb
from ...errors import BuildError

__all__ = ["CALLBACKS", "MEMORY_LIMIT", "MODULES", "RUNTIME", "SOURCE_LIMIT", "embed"]

RUNTIME = Path(__file__).parent / "runtime.wasm"

SOURCE_LIMIT = (1 << 20) - 12 - 64
"""Bytes of source that fit, with blank lines for the first line's number; 64 are left for the name."""

CALLBACKS = (
    *("on_vm_start", "on_configure", "on_request_headers", "on_request_body", "on_request_trailers"),
    *("on_response_headers", "on_response_body", "on_response_trailers", "on_log", "on_done", "on_delete"),
    *("on_tick", "on_queue"),
)
"""The functions of a source that the proxy calls."""

MODULES = frozenset(
    (
        *("__future__", "abc", "array", "asyncio", "base64", "binascii", "builtins", "cmath", "collections"),
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


def embed(source: str, name: str = "cell", *, first_line: int = 1, memory_limit: int = MEMORY_LIMIT) -> bytes:
    """A module that runs a Python source as a filter.

    Tracebacks call the source ``name`` and its first line ``first_line``. Raises BuildError where the source
    is too long or has no UTF-8 form, and where the package lacks its runtime.
    """
    before, head, segments = _runtime()
    try:
        text = ("\n" * (first_line - 1) + source).encode()
        title = name.encode()[:64] or b"cell"
    except UnicodeEncodeError as error:
        raise BuildError(
            f"the source holds {error.object[error.start]!r}, which has no UTF-8 form", do="remove it"
        ) from None
    if len(text) > SOURCE_LIMIT:
        raise BuildError(
            f"the source has {len(text):,} bytes; a Python filter may have {SOURCE_LIMIT:,}",
            do="move large tables into the plugin configuration",
        )
    content = (
        b"".join(part.to_bytes(4, "little") for part in (len(text), len(title), memory_limit)) + title + text
    )
    data = segments + head + uleb(len(content)) + content
    return before + b"\x0b" + uleb(len(data)) + data


@cache
def _runtime() -> tuple[bytes, bytes, bytes]:
    """What comes before the data section, the head of the source's segment, and the segments before it."""
    try:
        runtime = RUNTIME.read_bytes()
    except FileNotFoundError:
        raise BuildError(
            "this installation lacks its Python runtime",
            where=str(RUNTIME),
            do="install the package again; from a clone run: python hatch_build.py",
        ) from None
    contents = parse(runtime)
    section, last = contents.sections[-1], contents.segments[-1]
    return (
        runtime[: section.header],
        runtime[last.head : last.length_at],
        runtime[section.offset : last.head],
    )
