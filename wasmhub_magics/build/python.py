"""Python by MicroPython, which the package carries as a module: building puts the source into it."""

from __future__ import annotations

import ast
import hashlib
import warnings
from collections.abc import Collection, Iterator
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path, PurePosixPath
from typing import Literal, TypeAlias

from ..errors import Diagnostic, ToolchainMissing
from ..guest.embedding import Extras
from ..guest.python import CALLBACKS, MODULES, RUNTIME, embed
from .diagnostics import column_of_byte, failure, source_lines
from .language import BuildOptions, Compiled, Progress, Toolchain

__all__ = ["Python"]

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef
Finding: TypeAlias = tuple[ast.stmt | ast.expr, Literal["error", "warning"], str]


WAITING = tuple(name for name in CALLBACKS if name.endswith(("headers", "body", "trailers", "tick", "queue")))
"""The callbacks that can be async."""


class Python:
    """Python: MicroPython 1.27 with the ``ctx`` of this package. Needs no compiler and takes milliseconds."""

    name = "python"
    title = "Python"
    aliases = ("py", "micropython")
    suffix = ".py"
    cacheable = False

    def detect(self) -> Toolchain:
        """MicroPython, which comes with the package. Raises ToolchainMissing where it was not made."""
        if not RUNTIME.is_file():
            raise ToolchainMissing(
                "this installation lacks its Python runtime",
                where=str(RUNTIME),
                do="install the package again; from a clone run: python hatch_build.py",
            )
        return Toolchain("MicroPython", "1.27.0")

    def fingerprint(self) -> str:
        """The digest of the runtime."""
        return hashlib.sha256(RUNTIME.read_bytes()).hexdigest()

    def compile(self, source: str, workdir: Path, options: BuildOptions, progress: Progress) -> Compiled:
        """Check a source and put it into the runtime.

        The syntax is checked by this Python. What it takes and MicroPython does not is found here where it is
        a known difference, else when the filter starts. Raises CompileError, and BuildError where the source
        is too long.
        """
        del workdir, progress
        source = source.removeprefix("\ufeff")
        own = {PurePosixPath(name).parts[0].removesuffix(".py") for name, _ in options.files if name}
        found = sorted(_check(source, options.first_line, own), key=lambda each: (each.line, each.column))
        for name, text in options.files:
            if name.endswith(".py"):
                found += (replace(each, file=name) for each in _check(text, 1, own, main=False))
        if any(each.severity == "error" for each in found):
            raise failure(self.title, found, source, options)
        extras = Extras(options.defines, options.files)
        data = embed(source, options.origin, first_line=options.first_line, extras=extras)
        return Compiled(data, tuple(found))


def _check(
    source: str, first_line: int, own: Collection[str] = (), *, main: bool = True
) -> Iterator[Diagnostic]:
    """What is wrong with a source; ``own`` are modules that are built in beside it."""
    lines = source_lines(source)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            tree = ast.parse(source, "cell")
            compile(tree, "cell", "exec", dont_inherit=True)
    except SyntaxError as error:
        yield _syntax(error, lines, first_line)
        return
    except (ValueError, RecursionError, MemoryError) as error:  # NUL bytes; far too deeply nested
        yield Diagnostic("error", str(error) or "the source is nested too deeply")
        return
    for warning in caught:
        yield Diagnostic("warning", str(warning.message), (warning.lineno or 1) + first_line - 1)
    for node, severity, message in (*(_callbacks(tree) if main else ()), *_differences(tree, own)):
        line = lines[node.lineno - 1] if node.lineno <= len(lines) else ""  # Python counts lone CRs, too
        column = column_of_byte(line, node.col_offset + 1)
        yield Diagnostic(severity, message, node.lineno + first_line - 1, column)


def _syntax(error: SyntaxError, lines: list[str], first_line: int) -> Diagnostic:
    line = min(max(error.lineno or 1, 1), max(len(lines), 1))
    column = max(error.offset or 1, 1)
    end_line, end_column = error.end_lineno or 0, error.end_offset or 0
    if not (line <= end_line <= len(lines) and end_column > 0 and (end_line, end_column) > (line, column)):
        end_line = end_column = 0
    return Diagnostic(
        "error",
        error.msg,
        line + first_line - 1,
        column,
        end_line + first_line - 1 if end_line else 0,
        end_column,
        type(error).__name__,
    )


def _callbacks(tree: ast.Module) -> Iterator[Finding]:
    """Callbacks that the proxy would not find, or could not call."""
    functions = [node for node in tree.body if isinstance(node, Function) and node.name.startswith("on_")]
    for node in functions:
        if node.name not in CALLBACKS:
            near = get_close_matches(node.name, CALLBACKS, 1, 0.6)
            hint = f"; did you mean {near[0]}?" if near else ""
            yield node, "warning", f"{node.name} is no callback, so nobody calls it{hint}"
            continue
        if isinstance(node, ast.AsyncFunctionDef) and node.name not in WAITING:
            yield node, "error", f"{node.name} cannot wait, so it cannot be async"
        wanted = node.args
        needed = len(wanted.args) - len(wanted.defaults)
        keywords = sum(default is None for default in wanted.kw_defaults)
        if not node.decorator_list and (needed > 1 or keywords or not (wanted.args or wanted.vararg)):
            yield node, "error", f"{node.name} is called with one argument: write def {node.name}(ctx)"


def _differences(tree: ast.Module, own: Collection[str]) -> Iterator[Finding]:
    """What MicroPython does not have."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (_module(node, alias.name) for alias in node.names if _absent(alias.name, own))
        elif isinstance(node, ast.ImportFrom) and not node.level and _absent(node.module or "", own):
            yield _module(node, node.module or "")
        elif isinstance(node, ast.Match):
            yield node, "error", "MicroPython has no match statement: use if and elif"
        elif isinstance(node, ast.TryStar):
            yield node, "error", "MicroPython has no except*"
        elif type(node).__name__ == "TypeAlias" and isinstance(node, ast.stmt):
            yield node, "error", "MicroPython has no type statement"
        elif isinstance(node, Function | ast.ClassDef) and getattr(node, "type_params", None):
            yield node, "error", "MicroPython has no type parameters"
        elif isinstance(node, Function) and node.args.posonlyargs:
            yield node, "error", "MicroPython has no positional-only parameters: leave out the /"
        elif isinstance(node, ast.Dict) and None in node.keys:
            yield node, "error", "MicroPython cannot unpack into a dict display: use dict(...) and update()"
        elif isinstance(node, ast.List) and _unpacks(node):
            yield node, "error", "MicroPython cannot unpack into a list display: add lists with +"


def _unpacks(node: ast.List) -> bool:
    return isinstance(node.ctx, ast.Load) and any(isinstance(each, ast.Starred) for each in node.elts)


def _absent(module: str, own: Collection[str]) -> bool:
    name = module.partition(".")[0]
    return name not in MODULES and name not in own


def _module(node: ast.stmt, name: str) -> Finding:
    return node, "warning", f"MicroPython has no module {name}: this import fails when the filter runs"
