"""Do beforehand what compilers do once, so that no cell waits for it."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import BuildError, ToolchainMissing
from .language import BuildOptions, Progress
from .languages import find_language, languages

__all__ = ["Warmed", "warm"]

_SOURCES = {
    "cpp": '#include "proxy_wasm_intrinsics.h"\n',
    "zig": 'const pw = @import("proxy_wasm");\npub fn onLog(_: pw.Stream) !void {}\n',
    "javascript": "",
    "assemblyscript": "",
    "rust": "use proxy_wasm as _;\n",
    "go": 'package main\n\nimport _ "github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm"\n\nfunc main() {}\n',
}
"""For each language that keeps something between builds, a source that needs all of it."""


@dataclass(frozen=True, slots=True)
class Warmed:
    """A language that is warm now, how long that took in seconds; or ``why`` it is not."""

    language: str
    seconds: float
    why: str = ""


def warm(
    names: Sequence[str] = (), progress: Progress | None = None, timeout: float = 1800
) -> Iterator[Warmed]:
    """Warm the languages of these names, or all whose compilers are here, one after the other.

    Raises BuildError for a name of no language, and ToolchainMissing for one whose compiler is not here.
    """
    wanted = [find_language(name) for name in names] or list(languages().values())
    for each in wanted:
        if each.name not in _SOURCES:
            continue
        try:
            each.detect()
        except ToolchainMissing:
            if names:
                raise
            continue
        start = time.perf_counter()
        why = ""
        workdir = Path(tempfile.mkdtemp(prefix="wasmhub-"))
        try:
            each.compile(_SOURCES[each.name], workdir, BuildOptions(timeout=timeout), progress or _silent)
        except BuildError as error:  # such as a registry that cannot be reached: the others go on
            why = error.what
        finally:
            shutil.rmtree(workdir, ignore_errors=True)
        yield Warmed(each.title, time.perf_counter() - start, why)


def _silent(_step: str) -> None:
    pass
