"""From source to module."""

from __future__ import annotations

import shutil
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

from .. import __version__
from ..errors import BuildError, Diagnostic
from ..module import Module
from . import cache
from .docker import builder
from .language import BuildOptions, Compiled, Language, Progress, Toolchain
from .languages import find_language
from .packages import Packages

__all__ = ["Build", "build_module"]

TARGET = "wasm32"


@dataclass(frozen=True)
class Build:
    """A module and how it came about; ``seconds`` is the wall time it took, also when it was ``cached``."""

    module: Module
    language: str
    source: str
    name: str
    seconds: float
    cached: bool
    toolchain: str
    diagnostics: tuple[Diagnostic, ...]
    """Warnings and notes."""
    options: BuildOptions
    packages: Packages = ()
    """What is in the module besides the source, where the compiler tells."""

    @property
    def how(self) -> str:
        """Whether it was built or was there, in words."""
        quick = self.seconds < 0.1
        took = f"{self.seconds * 1000:.0f} ms" if quick else f"{self.seconds:.2f} s"
        return "cached" if self.cached else f"built in {took}"

    def __repr__(self) -> str:
        count = sum(each.severity == "warning" for each in self.diagnostics)
        warned = f", {count} warning{'s' * (count > 1)}" if count else ""
        return f"<Build {self.name}: {self.language}, {self.module.size} bytes, {self.how}{warned}>"


def build_module(
    source: str,
    language: str | Language = "python",
    name: str = "filter",
    *,
    options: BuildOptions | None = None,
    force: bool = False,
    progress: Progress | None = None,
) -> Build:
    """Build a module from source text; for the language ``wasm`` the source is the path of a file.

    The same source with the same options and compiler comes from the cache, unless ``force`` builds it anew.
    Raises CompileError where the source has errors, ToolchainMissing where the compiler is not here,
    MalformedModule or LinkError where the result is nothing that a proxy loads, BuildError where the compiler
    cannot be run.
    """
    start = time.perf_counter()
    options = options or BuildOptions()
    _encodable(source, options)
    tongue = find_language(language) if isinstance(language, str) else language
    if options.builder:
        tongue = builder(tongue, options.builder)
        options = replace(options, builder="")
    toolchain = tongue.detect()
    key = _key(source, tongue, toolchain, options) if tongue.cacheable else ""
    compiled = cache.load(key) if key and not force else None
    cached = compiled is not None
    if compiled is None:
        if progress is not None:
            progress(f"compiling {tongue.title} with {toolchain}".rstrip())
        compiled = _compile(source, tongue, options, progress or _silent)
    module = Module(compiled.data)
    module.check()
    if key and not cached:
        cache.store(key, compiled)
    return Build(
        module=module,
        language=tongue.name,
        source=source,
        name=name,
        seconds=time.perf_counter() - start,
        cached=cached,
        toolchain=str(toolchain).strip(),
        diagnostics=_with_notes(compiled.diagnostics, module),
        options=options,
        packages=compiled.packages,
    )


def _encodable(source: str, options: BuildOptions) -> None:
    try:
        source.encode()
    except UnicodeEncodeError as error:
        line = source.count("\n", 0, error.start) + options.first_line
        raise BuildError(
            "the source holds half of a character", where=f"{options.origin}:{line}", do="type it again"
        ) from None


def _compile(source: str, tongue: Language, options: BuildOptions, progress: Progress) -> Compiled:
    try:
        workdir = Path(tempfile.mkdtemp(prefix="wasmhub-"))
    except OSError as error:
        raise BuildError(
            f"there is no place to build in: {error.strerror}", do="make room, or point TMPDIR elsewhere"
        ) from None
    try:
        return tongue.compile(source, workdir, options, progress)
    except OSError as error:
        raise BuildError(
            f"the build cannot write its files: {error.strerror}", do="make room, or point TMPDIR elsewhere"
        ) from None
    finally:
        shutil.rmtree(workdir, ignore_errors=True)


def _key(source: str, tongue: Language, toolchain: Toolchain, options: BuildOptions) -> str:
    counted = replace(options, timeout=1.0, origin="")  # neither changes the result
    return cache.key_of(
        {
            "source": source,
            "language": tongue.name,
            "fingerprint": tongue.fingerprint(),
            "toolchain": str(toolchain),
            "options": repr(counted),
            "target": TARGET,
            "package": __version__,
        }
    )


def _with_notes(diagnostics: tuple[Diagnostic, ...], module: Module) -> tuple[Diagnostic, ...]:
    """What a proxy would ignore without a word, besides what the compiler has said of it already."""
    said = " ".join(each.message for each in diagnostics)
    extra = (Diagnostic("warning", note) for note in module.notes if note.split(" ")[0] not in said)
    return (*diagnostics, *extra)


def _silent(_step: str) -> None:
    pass
