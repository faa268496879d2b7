"""C by clang, freestanding, with the header of this package."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import ToolchainMissing
from .clang import SHARED, find_clang, find_ziglang, levels
from .clang_messages import ASKED, Reader, undefined, unplaced
from .diagnostics import Sources, failure
from .language import BuildOptions, Compiled, Progress, Toolchain
from .process import run
from .sources import write_files

__all__ = ["COMPILE_FLAGS", "LINK_FLAGS", "C", "headers"]

GUEST = Path(__file__).parent.parent / "guest" / "c"
HEADER = "proxy_wasm.h"
SOURCE = "cell.c"

COMPILE_FLAGS = (
    *("--target=wasm32", "-ffreestanding", "-nostdlibinc", "-mbulk-memory", "-msign-ext"),
    *("-mnontrapping-fptoint", "-Wall", "-Wno-unused-command-line-argument"),
)
_COMPILE = [
    *COMPILE_FLAGS,
    "-Wmissing-prototypes",
    *ASKED,
    *("-fdebug-compilation-dir=.", *(f"-ffile-prefix-map={place}=." for place in (GUEST, SHARED))),
]
# The stack comes first, so that an overflow traps and does not run into the data.
LINK_FLAGS = ("--no-entry", "--stack-first", "-z", "stack-size=65536")


@dataclass(frozen=True, slots=True)
class _Clang:
    """How to call a clang and a linker that belong together."""

    clang: tuple[str, ...]
    linker: tuple[str, ...]
    flags: tuple[str, ...] = ()


class C:
    """C: one source file that includes ``proxy_wasm.h``. ``finders`` are asked for a compiler in turn."""

    name = "c"
    title = "C"
    aliases = ("clang",)
    suffix = ".c"
    cacheable = True

    def __init__(
        self, finders: Sequence[Callable[[], Toolchain | None]] = (find_ziglang, find_clang)
    ) -> None:
        self._finders = finders

    def detect(self) -> Toolchain:
        """The first compiler there is. Raises ToolchainMissing where there is none."""
        for finder in self._finders:
            found = finder()
            if found is not None:
                return found
        raise ToolchainMissing(
            "C needs a compiler for WebAssembly, and there is none on this machine",
            do='pip install "wasmhub-magics[c]", or put clang and wasm-ld on the PATH',
        )

    def fingerprint(self) -> str:
        """The digest of the headers and of how the compiler is called."""
        digest = hashlib.sha256("\0".join([*_COMPILE[:-2], *LINK_FLAGS]).encode())
        for header in headers():
            digest.update(header.read_bytes())
        return digest.hexdigest()

    def compile(self, source: str, workdir: Path, options: BuildOptions, progress: Progress) -> Compiled:
        """Compile and link a source. Raises CompileError with the compiler's or linker's diagnostics."""
        tools = _tools(self.detect())
        del progress
        blank = "\n" * (options.first_line - 1)  # so that the compiler counts lines as the reader does
        (workdir / SOURCE).write_bytes((blank + source).encode())
        write_files(options, workdir, (SOURCE,))
        extra = [flag for flag in options.flags if not flag.startswith("-Wl,")]
        link = [part for flag in options.flags if flag.startswith("-Wl,") for part in flag[4:].split(",")]
        compiled = run(
            [
                *(*tools.clang, *_COMPILE, levels[options.optimize], *(["-g"] if options.debug else [])),
                *("-I.", "-isystem", str(GUEST), "-isystem", str(SHARED), *tools.flags),
                *(f"-D{name}={value}" for name, value in options.defines),
                *(*extra, "-c", "-o", "cell.o", SOURCE),
            ],
            cwd=workdir,
            timeout=options.timeout,
        )
        sources = Sources(source, options, SOURCE)
        found = tuple(Reader(sources, workdir, _elsewhere).messages(compiled.stderr))
        if compiled.code:
            raise failure(self.title, found or unplaced(compiled.stderr, workdir), source, options)
        linked = run(
            [*tools.linker, *LINK_FLAGS, *link, "-o", "cell.wasm", "cell.o"],
            cwd=workdir,
            timeout=options.timeout,
        )
        if linked.code:
            missing = tuple(undefined(linked.stderr, sources))
            raise failure(self.title, (missing or unplaced(linked.stderr, workdir)) + found, source, options)
        return Compiled((workdir / "cell.wasm").read_bytes(), found)


def headers() -> list[Path]:
    """What a source can include."""
    return sorted([*GUEST.glob("*.h"), *SHARED.glob("*.h")])


def _tools(toolchain: Toolchain) -> _Clang:
    if len(toolchain.command) == 2:
        clang, linker = toolchain.command
        return _Clang((clang,), (linker,))
    zig = toolchain.command[0]
    headers = Path(zig).parent / "lib" / "include"
    return _Clang((zig, "clang"), (zig, "wasm-ld"), ("-isystem", str(headers)))


def _elsewhere(file: str, line: int, column: int, message: str, is_note: bool) -> str:
    """A message about another file; for a callback of our header the prototype itself says most."""
    del is_note
    name = file.rpartition("/")[2]
    if name == HEADER and "declar" in message:
        text = " ".join((GUEST / HEADER).read_text().split("\n")[line - 1 : line + 3])
        found = re.match(r"PW_CALLBACK\((\w+), (\w+), (.*?)\);", text)
        if found:
            return f"{name} declares {found[1]} {found[2]}({' '.join(found[3].split())})"
    return f"{name}:{line}:{column}: {message}"
