"""Zig, freestanding, with the module ``proxy_wasm`` of this package."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path

from ..errors import BuildError, Diagnostic, ToolchainMissing
from .cache import cache_root
from .clang import find_ziglang
from .diagnostics import Sources, column_of_byte, failure, source_lines
from .finder import Finder
from .language import BuildOptions, Compiled, Progress, Toolchain
from .process import run
from .sources import write_files

__all__ = ["CALLBACKS", "FLAGS", "MODES", "Zig", "constants", "exported", "find_zig", "is_whole"]

GUEST = Path(__file__).parent.parent / "guest" / "zig"
SOURCE = "cell.zig"
SERIES = "0.17."
"""The Zig that the guest's sources are written for; the language still changes with each."""

CALLBACKS = (
    *("onVmStart", "onConfigure", "onTick", "onRequestHeaders", "onRequestBody", "onRequestTrailers"),
    *("onResponseHeaders", "onResponseBody", "onResponseTrailers", "onLog", "onDone", "onDelete"),
    *("onPluginDone", "onHttpCallResponse", "onGrpcInitialMetadata", "onGrpcMessage"),
    *("onGrpcTrailingMetadata", "onGrpcClose", "onQueueReady", "onForeignFunction"),
)
"""The functions of a source that the proxy calls, besides those it exports itself."""

_OWN = ("memory_allocate", "context_create", "done", "delete")
MODES = {"speed": "ReleaseSafe", "size": "ReleaseSmall", "none": "Debug"}
FLAGS = ["-target", "wasm32-freestanding", "-fno-entry", "-rdynamic", "--stack", "131072", "--color", "off"]


@Finder
def find_zig() -> Toolchain | None:
    """The Zig inside the ``ziglang`` package, else one on the PATH, of the series that the guest needs."""
    packaged = find_ziglang()
    if packaged is not None and packaged.version.startswith(SERIES):
        return Toolchain("zig", packaged.version, packaged.command)
    zig = shutil.which("zig")
    if zig is None:
        return None
    try:
        asked = subprocess.run([zig, "version"], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    number = asked.stdout.strip()
    return Toolchain("zig", number, (zig,)) if number.startswith(SERIES) else None


class Zig:
    """Zig: one source file that imports ``proxy_wasm``. ``finder`` is asked for the compiler."""

    name = "zig"
    title = "Zig"
    aliases = ("ziglang",)
    suffix = ".zig"
    cacheable = True

    def __init__(self, finder: Callable[[], Toolchain | None] = find_zig) -> None:
        self._finder = finder

    def detect(self) -> Toolchain:
        """The compiler. Raises ToolchainMissing where there is none of the right series."""
        found = self._finder()
        if found is None:
            raise ToolchainMissing(
                f"Zig needs its compiler {SERIES}x, and there is none on this machine",
                do='pip install "wasmhub-magics[zig]", or put zig on the PATH',
            )
        return found

    def fingerprint(self) -> str:
        """The digest of the guest's sources and of how the compiler is called."""
        digest = hashlib.sha256("\0".join(FLAGS).encode())
        for source in sorted(GUEST.glob("*.zig")):
            digest.update(source.read_bytes())
        return digest.hexdigest()

    def compile(self, source: str, workdir: Path, options: BuildOptions, progress: Progress) -> Compiled:
        """Compile a source. Raises CompileError with the compiler's messages.

        A source that exports an ABI version is a whole filter and gets nothing besides the module; to any
        other the exports are added that every filter needs.
        """
        zig = self.detect().command[0]
        blank = "\n" * (options.first_line - 1)  # so that the compiler counts lines as the reader does
        (workdir / SOURCE).write_bytes((blank + source).encode())
        write_files(options, workdir, (SOURCE,))
        (workdir / "own.zig").write_text(exported(source))
        (workdir / "options.zig").write_text(constants(options))
        whole = is_whole(source)
        needs = ["--dep", "proxy_wasm", "--dep", "options"]
        cell = ["-Mroot=" + SOURCE] if whole else ["-Mcell=" + SOURCE]
        root = [] if whole else ["--dep", "cell", "--dep", "own", *needs[:2], f"-Mroot={GUEST / 'start.zig'}"]
        strip = "-fno-strip" if options.debug else "-fstrip"
        finished = run(
            [
                *(zig, "build-exe", *FLAGS, "-O", MODES[options.optimize], strip, *options.flags),
                *(*root, *needs, *cell, f"-Mproxy_wasm={GUEST / 'proxy_wasm.zig'}", "-Moptions=options.zig"),
                *(*([] if whole else ["-Mown=own.zig"]), "--cache-dir", ".zig", "-femit-bin=cell.wasm"),
                *("--global-cache-dir", str(_zig_cache(workdir, progress))),
            ],
            cwd=workdir,
            timeout=options.timeout,
        )
        if finished.code:
            said = _diagnostics(finished.stderr, Sources(source, options, SOURCE), workdir)
            found = tuple(sorted(said, key=lambda each: (each.file, each.line or 1 << 30, each.column)))
            raise failure(self.title, found or _unplaced(finished.stderr, workdir), source, options)
        data = (workdir / "cell.wasm").read_bytes()
        return Compiled(data, tuple(_callbacks(source, options)))


def exported(source: str) -> str:
    """Which of the exports that are ours a source makes itself, as a source file."""
    return "".join(
        f"pub const proxy_on_{name} = {str(_exports(source, f'proxy_on_{name}')).lower()};\n" for name in _OWN
    )


def is_whole(source: str) -> bool:
    """Whether a source exports an ABI version: then it is a whole filter by itself."""
    return _exports(source, r"proxy_abi_version_\w+")


def _exports(source: str, name: str) -> bool:
    return re.search(rf'\bexport\s+fn\s+{name}\b|\.name\s*=\s*"{name}"', source) is not None


def constants(options: BuildOptions) -> str:
    """The names that are defined, as a source file: numbers and booleans as such, anything else as text."""
    lines = []
    for name, value in options.defines:
        if not re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII):
            raise BuildError(f"{name!r} cannot be defined in Zig", do="use letters, digits and _")
        plain = re.fullmatch(r"-?\d{1,18}|true|false", value)
        text = "".join(f"\\u{{{ord(each):x}}}" for each in value)
        lines.append(f'pub const @"{name}" = {value if plain else f"{chr(34)}{text}{chr(34)}"};\n')
    return "".join(lines)


def _zig_cache(workdir: Path, progress: Progress) -> Path:
    """Where Zig keeps what all builds share, such as its runtime library."""
    place = cache_root() / "zig"
    try:
        if not place.is_dir():
            progress("Zig compiles its runtime library, once")
            place.mkdir(parents=True)
    except OSError:
        return workdir / ".shared"
    return place


_LINE = re.compile(
    r"^(?P<file>[^\n]*?):(?P<line>\d+):(?P<column>\d+): (?P<severity>error|note): (?P<message>.*)$"
)
_MARK = re.compile(r"^\s*~*\^(~*)\s*$")


def _diagnostics(text: str, sources: Sources, workdir: Path) -> Iterator[Diagnostic]:
    """Read the compiler's messages; its columns count bytes, ours characters.

    A message about the library is told at the first place of the user's that it refers to.
    """
    groups: list[list[Diagnostic]] = []
    read = text.splitlines()
    for index, row in enumerate(read):
        match = _LINE.match(row)
        if match is None:
            continue
        message = match["message"].replace(f"{workdir}/", "").replace("root source file struct", "file")
        number, byte = int(match["line"]), int(match["column"])
        found = sources.line(match["file"], number)
        line = column = end_line = end_column = 0
        if found is not None:
            line, column = number, column_of_byte(found.text, byte)
            mark = _MARK.match(read[index + 2]) if index + 2 < len(read) else None
            if mark and mark[1]:
                end_line, end_column = number, column_of_byte(found.text, byte + 1 + len(mark[1]))
        elif not _of_guest(match["file"]):
            message = f"{Path(match['file']).name}:{number}:{byte}: {message}"
        place = (line, column, end_line, end_column)
        file = found.file if found is not None else ""
        if match["severity"] == "error":
            groups.append([Diagnostic("error", message, *place, file=file)])
        elif groups:
            groups[-1].append(Diagnostic("note", message, *place, file=file))
    for error, *notes in groups:
        placed = [note for note in notes if note.line]
        if error.line:
            yield error
            yield from placed
        elif (declared := _declared(error.message, sources)) is not None:
            yield declared
        elif placed:
            yield replace(placed[0], severity="error", message=error.message)
        else:
            yield error


def _of_guest(file: str) -> bool:
    return Path(file).parent == GUEST


def _declared(message: str, sources: Sources) -> Diagnostic | None:
    """A message of our own about a callback, at its declaration."""
    name = message.partition(" ")[0]
    if name not in CALLBACKS:
        return None
    for line in sources:
        found = re.search(rf"\bfn\s+({name})\b", line.text)
        if found and not line.file:
            place = (line.number, found.start(1) + 1, line.number, found.end(1) + 1)
            return Diagnostic("error", message, *place)
    return None


def _callbacks(source: str, options: BuildOptions) -> Iterator[Diagnostic]:
    """Functions that look like callbacks and are none."""
    for number, line in enumerate(source_lines(source), options.first_line):
        found = re.match(r"(pub\s+)?(?:inline\s+)?fn\s+(on[A-Z]\w*)\s*\(", line)
        if found is None or (found[1] and found[2] in CALLBACKS):
            continue
        if found[2] in CALLBACKS:
            message = f"{found[2]} is not pub, so nobody calls it"
        elif found[1]:
            near = get_close_matches(found[2], CALLBACKS, 1, 0.6)
            message = f"{found[2]} is no callback, so nobody calls it" + (
                f"; did you mean {near[0]}?" if near else ""
            )
        else:
            continue
        yield Diagnostic("warning", message, number, found.start(2) + 1, number, found.end(2) + 1)


def _unplaced(text: str, workdir: Path) -> tuple[Diagnostic, ...]:
    """What the compiler or the linker said without a place."""
    lines = [line.strip().replace(f"{workdir}/", "") for line in text.splitlines() if line.strip()]
    said = [line for line in lines if "error" in line] or lines or ["the compiler failed without a word"]
    return tuple(Diagnostic("error", re.sub(r"^(\S*zig\S*: )?error: ", "", line)) for line in said)
