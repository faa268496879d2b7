"""How errors look in a notebook: what happened and what to do, without frames of ours."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import Any, ParamSpec, TypeVar

from IPython.display import display

from ..errors import Diagnostic, WasmhubError

__all__ = ["DIAGNOSTICS", "clean_errors", "error_lines", "show_diagnostics", "source_digest"]

DIAGNOSTICS = "application/vnd.wasmhub.diagnostics.v1+json"

RED, CYAN, BOLD, OFF = "\x1b[31m", "\x1b[36m", "\x1b[1m", "\x1b[0m"

P = ParamSpec("P")
R = TypeVar("R")


def clean_errors(magic: Callable[P, R]) -> Callable[P, R]:
    """Let errors of this package, and interrupts, leave a magic without a traceback through its inside.

    IPython asks an exception for ``_render_traceback_`` before it renders frames. It is set on the one that
    leaves, so that the same error raised by the user's own Python code still shows where.
    """

    @functools.wraps(magic)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return magic(*args, **kwargs)
        except WasmhubError as error:
            lines = error_lines(error)
            error._render_traceback_ = lambda: lines  # type: ignore[attr-defined]
            raise
        except KeyboardInterrupt as interrupt:
            interrupt._render_traceback_ = lambda: [  # type: ignore[attr-defined]
                f"{RED}KeyboardInterrupt{OFF}: %{magic.__name__} was interrupted"
            ]
            raise

    return guarded


def error_lines(error: WasmhubError) -> list[str]:
    """The error as ANSI lines."""
    first, *rest = str(error).splitlines() or [""]
    return [f"{RED}{BOLD}{type(error).__name__}{OFF}: {first}", *map(_coloured, rest)]


def _coloured(line: str) -> str:
    for label in ("  where: ", "  do: "):
        if line.startswith(label):
            return f"{CYAN}{label}{OFF}{line.removeprefix(label)}"
    return line


def source_digest(source: str) -> str:
    """``sha256:`` and the hex digest of a cell's body, that is what follows its first line."""
    return "sha256:" + hashlib.sha256(source.rstrip("\n").encode("utf-8", "surrogatepass")).hexdigest()


def show_diagnostics(diagnostics: Iterable[Diagnostic], source: str) -> None:
    """Display diagnostics for the editor, which may mark the places as long as the source has this digest."""
    found = [asdict(each.for_source()) for each in diagnostics]
    for each in found:
        del each["file"]  # the cell's alone: the message tells of another
    if found:
        bundle = {
            DIAGNOSTICS: {"diagnostics": found, "source": source_digest(source)},
            "text/plain": _counted(found),
        }
        display(bundle, raw=True)  # type: ignore[no-untyped-call]


def _counted(found: list[dict[str, Any]]) -> str:
    counts = []
    for severity in ("error", "warning", "note"):
        each_line = [each["line"] for each in found if each["severity"] == severity]
        if each_line:
            plural = "s" if len(each_line) > 1 else ""
            lines = ", ".join(str(line) for line in each_line if line)
            counts.append(f"{len(each_line)} {severity}{plural}" + (f" (line {lines})" if lines else ""))
    return "; ".join(counts)
