"""C by clang, freestanding, with the header of this package."""

from __future__ import annotations

import hashlib
import importlib.util
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from ..abi import CALLBACKS, HOST_FUNCTIONS
from ..errors import Diagnostic, ToolchainMissing
from .diagnostics import column_of_byte, failure, source_lines
from .language import BuildOptions, Compiled, Progress, Toolchain
from .process import run
from .sources import write_files

__all__ = ["COMPILE_FLAGS", "LEVELS", "LINK_FLAGS", "C", "find_clang", "find_ziglang"]

GUEST = Path(__file__).parent.parent / "guest" / "c"
HEADER = "proxy_wasm.h"
SOURCE = "cell.c"

LEVELS = {"speed": "-O2", "size": "-Oz", "none": "-O0"}
COMPILE_FLAGS = (
    *("--target=wasm32", "-ffreestanding", "-nostdlibinc", "-mbulk-memory", "-msign-ext"),
    *("-mnontrapping-fptoint", "-Wall", "-Wno-unused-command-line-argument"),
)
_COMPILE = [
    *COMPILE_FLAGS,
    "-Wmissing-prototypes",
    *("-fno-caret-diagnostics", "-fdiagnostics-print-source-range-info", "-fno-color-diagnostics"),
    *("-fdebug-compilation-dir=.", f"-ffile-prefix-map={GUEST}=."),
]
# The stack comes first, so that an overflow traps and does not run into the data.
LINK_FLAGS = ("--no-entry", "--stack-first", "-z", "stack-size=65536")


@dataclass(frozen=True, slots=True)
class _Clang:
    """How to call a clang and a linker that belong together."""

    clang: tuple[str, ...]
    linker: tuple[str, ...]
    flags: tuple[str, ...] = ()


@cache
def find_ziglang() -> Toolchain | None:
    """The clang inside the ``ziglang`` package; its command is ``zig``."""
    spec = importlib.util.find_spec("ziglang")
    if spec is None or not spec.submodule_search_locations:
        return None
    home = Path(spec.submodule_search_locations[0])
    zig = next((path for path in (home / "zig", home / "zig.exe") if path.is_file()), None)
    try:
        return None if zig is None else Toolchain("zig clang", version("ziglang"), (str(zig),))
    except PackageNotFoundError:
        return None


@cache
def find_clang() -> Toolchain | None:
    """A clang of this machine that knows WebAssembly and has its linker beside it."""
    for suffix in ("", *(f"-{number}" for number in range(25, 13, -1))):
        clang, linker = shutil.which(f"clang{suffix}"), shutil.which(f"wasm-ld{suffix}")
        if clang is None or linker is None:
            continue
        targets, about = _ask(clang, "--print-targets"), _ask(clang, "--version")
        number = re.search(r"clang version (\S+)", about)
        if re.search(r"^\s*wasm32\b", targets, re.M) and number:
            return Toolchain("clang", number[1], (clang, linker))
    return None


def _ask(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=20, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""


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
        digest = hashlib.sha256("\0".join([*_COMPILE[:-1], *LINK_FLAGS]).encode())
        for header in sorted(GUEST.glob("*.h")):
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
                *(*tools.clang, *_COMPILE, LEVELS[options.optimize], *(["-g"] if options.debug else [])),
                *("-I.", "-isystem", str(GUEST), *tools.flags),
                *(f"-D{name}={value}" for name, value in options.defines),
                *(*extra, "-c", "-o", "cell.o", SOURCE),
            ],
            cwd=workdir,
            timeout=options.timeout,
        )
        found = tuple(_diagnostics(compiled.stderr, source, options, workdir))
        if compiled.code:
            raise failure(self.title, found or _unplaced(compiled.stderr, workdir), source, options)
        linked = run(
            [*tools.linker, *LINK_FLAGS, *link, "-o", "cell.wasm", "cell.o"],
            cwd=workdir,
            timeout=options.timeout,
        )
        if linked.code:
            missing = tuple(_undefined(linked.stderr, source, options))
            raise failure(self.title, (missing or _unplaced(linked.stderr, workdir)) + found, source, options)
        return Compiled((workdir / "cell.wasm").read_bytes(), found)


def _tools(toolchain: Toolchain) -> _Clang:
    if len(toolchain.command) == 2:
        clang, linker = toolchain.command
        return _Clang((clang,), (linker,))
    zig = toolchain.command[0]
    headers = Path(zig).parent / "lib" / "include"
    return _Clang((zig, "clang"), (zig, "wasm-ld"), ("-isystem", str(headers)))


_LINE = re.compile(
    r"^(?P<file>[^:\n]+):(?P<line>\d+):(?P<column>\d+):(?P<ranges>(?:\{[\d:-]+\})*:?) "
    r"(?P<severity>fatal error|error|warning|note): (?P<message>.*?)(?: \[(?P<code>-W[^\]]*)\])?$",
    re.M,
)
_RANGE = re.compile(r"\{(\d+):(\d+)-(\d+):(\d+)\}")
_SEVERITIES: dict[str, Literal["error", "warning", "note"]] = {"warning": "warning", "note": "note"}


def _diagnostics(text: str, source: str, options: BuildOptions, workdir: Path) -> Iterator[Diagnostic]:
    """Read clang's messages; its columns count bytes, ours characters."""
    lines = source_lines(source)
    skipping = False
    for match in _LINE.finditer(text):
        severity = _SEVERITIES.get(match["severity"], "error")
        message = match["message"].replace(f"{workdir}/", "")
        if severity == "note" and (skipping or "expanded from macro" in message):
            continue
        skipping = match["code"] == "-Wmissing-prototypes"
        if skipping:  # asked for only to find callbacks that are misspelt
            name = re.search(r"'(\w+)'", message)
            if name is None or not name[1].startswith("proxy_"):
                continue
            near = get_close_matches(name[1], [callback.name for callback in CALLBACKS], 1, 0.6)
            message = f"{name[1]} is no callback, so no proxy calls it" + (
                f"; did you mean {near[0]}?" if near else ""
            )
        code = "" if skipping else (match["code"] or "").partition(",")[0]
        number, column = int(match["line"]), int(match["column"])
        at = number - options.first_line
        if match["file"] != SOURCE or not 0 <= at < len(lines):
            yield Diagnostic(severity, _elsewhere(match["file"], number, column, message), code=code)
            continue
        end_line = end_column = 0
        for start_line, start, last_line, end in _RANGE.findall(match["ranges"]):
            inside = int(start_line) == number and int(start) <= column
            if inside and int(last_line) == number and int(end) > column:
                end_line, end_column = number, column_of_byte(lines[at], int(end))
                break
        yield Diagnostic(
            severity, message, number, column_of_byte(lines[at], column), end_line, end_column, code
        )


def _elsewhere(file: str, line: int, column: int, message: str) -> str:
    """A message about another file; for a callback of our header the prototype itself says most."""
    name = file.rpartition("/")[2]
    if name == HEADER and "declar" in message:
        text = " ".join((GUEST / HEADER).read_text().split("\n")[line - 1 : line + 3])
        found = re.match(r"PW_CALLBACK\((\w+), (\w+), (.*?)\);", text)
        if found:
            return f"{name} declares {found[1]} {found[2]}({' '.join(found[3].split())})"
    return f"{name}:{line}:{column}: {message}"


def _undefined(text: str, source: str, options: BuildOptions) -> Iterator[Diagnostic]:
    """The functions that the linker misses, at the first line of the source that names them."""
    lines = source_lines(source)
    offered = [name for module, name in HOST_FUNCTIONS if module == "env"]
    for name in dict.fromkeys(re.findall(r"undefined symbol: (\S+)", text)):
        near = get_close_matches(name, offered, 1, 0.75)
        message = f"{name} is declared but not defined" + (f"; did you mean {near[0]}?" if near else "")
        if name.startswith("__"):
            message = f"the code needs {name}, but no runtime library of a compiler is linked"
        for number, line in enumerate(lines, options.first_line):
            found = re.search(rf"\b{re.escape(name)}\b", line)
            if found:
                yield Diagnostic(
                    "error", message, number, found.start() + 1, number, found.end() + 1, "undefined symbol"
                )
                break
        else:
            yield Diagnostic("error", message, code="undefined symbol")


def _unplaced(text: str, workdir: Path) -> tuple[Diagnostic, ...]:
    """What a compiler or linker said without a place, such as about an unknown flag."""
    lines = [line.strip().replace(f"{workdir}/", "") for line in text.splitlines() if line.strip()]
    said = [line for line in lines if "error" in line] or lines or ["the compiler failed without a word"]
    return tuple(
        Diagnostic("error", re.sub(r"^\S*?(zig|clang|wasm-ld)\S*: (error: )?", "", line)) for line in said
    )
