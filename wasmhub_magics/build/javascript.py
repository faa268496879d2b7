"""JavaScript by QuickJS, which the package carries as a module: building puts the source into it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path

from ..errors import Diagnostic, ToolchainMissing
from ..guest.embedding import Extras
from ..guest.javascript import CALLBACKS, RUNTIME, embed
from .diagnostics import Sources, failure, source_lines
from .javascript_syntax import prepare, syntax_error
from .language import BuildOptions, Compiled, Progress, Toolchain

__all__ = ["JavaScript"]


class JavaScript:
    """JavaScript: QuickJS-ng with the ``ctx`` of this package. Needs no compiler and takes milliseconds."""

    name = "javascript"
    title = "JavaScript"
    aliases = ("js", "quickjs", "ecmascript")
    suffix = ".js"
    cacheable = False

    def detect(self) -> Toolchain:
        """QuickJS, which comes with the package. Raises ToolchainMissing where it was not made."""
        if not RUNTIME.is_file():
            raise ToolchainMissing(
                "this installation lacks its JavaScript runtime",
                where=str(RUNTIME),
                do="install the package again; from a clone run: python hatch_build.py",
            )
        return Toolchain("QuickJS (quickjs-wasi)", "3.6.2")

    def fingerprint(self) -> str:
        """The digest of the runtime."""
        return hashlib.sha256(RUNTIME.read_bytes()).hexdigest()

    def compile(self, source: str, workdir: Path, options: BuildOptions, progress: Progress) -> Compiled:
        """Check a source's syntax and put it into the runtime.

        Raises CompileError, and BuildError where the source is too long.
        """
        del workdir
        source = source.removeprefix("\ufeff")
        found = tuple(_callbacks(source, options.first_line))
        module = _MODULE.search(source) is not None
        extras = Extras(options.defines, options.files, module)
        data = embed(source, options.origin, first_line=options.first_line, extras=extras)
        prepare(progress)
        sources = Sources(source, options)
        texts = [(name, text, True) for name, text in options.files if name.endswith((".js", ".mjs"))]
        wrong = (syntax_error(sources, *each) for each in (("", source, module), *texts))
        errors = tuple(each for each in wrong if each is not None)
        if errors:
            raise failure(self.title, errors + found, source, options)
        return Compiled(data, found)


_MODULE = re.compile(r"^(import\b(?!\s*\()|export\b)", re.M)
"""What makes a source a module, in which names are its own: one that imports or exports."""

_WAITING = tuple(name for name in CALLBACKS if re.search(r"Headers|Body|Trailers|Tick|Queue", name))
"""The callbacks that can be async."""


def _callbacks(source: str, first_line: int) -> Iterator[Diagnostic]:
    """Functions that look like callbacks and are none."""
    for number, line in enumerate(source_lines(source), first_line):
        found = re.match(
            r"(?:export\s+)?(?:(async\s+)?function\s*(\*?)\s*(on[A-Z]\w*)|(?:const|let|var)\s+(on[A-Z]\w*)\s*=)",
            line,
        )
        if found is None:
            continue
        name = found[3] or found[4]
        at = line.index(name)
        if name not in CALLBACKS:
            near = get_close_matches(name, CALLBACKS, 1, 0.6)
            message = f"{name} is no callback, so nobody calls it" + (
                f"; did you mean {near[0]}?" if near else ""
            )
        elif found[2]:
            message = f"{name} is called by the proxy, so it cannot be a generator"
        elif found[1] and name not in _WAITING:
            message = f"{name} cannot wait, so it cannot be async"
        else:
            continue
        yield Diagnostic("warning", message, number, at + 1, number, at + 1 + len(name))
