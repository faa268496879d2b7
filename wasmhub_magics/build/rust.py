"""Rust by cargo: a crate is kept for every set of dependencies, and all of them share what they compile."""

from __future__ import annotations

import hashlib
import os
import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path

from ..errors import BuildError, ToolchainMissing
from .diagnostics import Sources, failure
from .language import BuildOptions, Compiled, Progress
from .packages import in_cargo_lock
from .process import Finished, run
from .rust_messages import messages
from .rust_toolchain import RustToolchain, find_rust, rust_hint, rustcs
from .sources import locked, shared_folder, write_sources

__all__ = ["LEVELS", "LINK", "Rust", "dependencies", "edition_of"]

SOURCE = "cell.rs"
KEPT = ("Cargo.toml", "Cargo.lock")
EDITION = "2021"
"""The newest whose source may export and import functions as the one before did, and as the newest does."""

SDK = {"proxy-wasm": '"0.2"', "log": '"0.4"'}
OLD_SDK = {
    "proxy-wasm": '"=0.2.2"',
    "log": '"=0.4.20"',
    "hashbrown": '"=0.13.2"',
    "ahash": '{ version = "=0.8.6", default-features = false }',
    "once_cell": '"=1.18.0"',
}
"""The last that Rust 1.63 takes."""

LEVELS = {
    "speed": 'inherits = "release"\nopt-level = 3\nlto = true\ncodegen-units = 1',
    "size": 'inherits = "release"\nopt-level = "z"\nlto = true\ncodegen-units = 1',
    "none": 'inherits = "dev"\nopt-level = 0',
}
_MANIFEST = """[package]
name = "cell"
version = "0.0.0"
edition = "{edition}"
build = false
autobins = false
autoexamples = false
autotests = false
autobenches = false

[lib]
crate-type = ["cdylib"]
path = "cell.rs"

[workspace]

[dependencies]
{dependencies}
"""
LINK = ("-Clink-arg=--allow-undefined",)
"""What the source declares and nobody defines is the proxy's."""
_NAMES = ("-Csymbol-mangling-version=v0", "-Clink-arg=--demangle")
"""Functions keep the names that people read, for the backtraces of traps."""

_RESERVED = re.compile(r"(?i)(CARGO|RUST|LD_|DYLD_|SSL_|.*_PROXY$|PATH$|HOME$|TMP|OUT_DIR$|LC_ALL$).*")


class Rust:
    """Rust: one source file, with the ``proxy-wasm`` crate where it uses it, and whatever crates it is given.

    ``finder`` looks for a compiler.
    """

    name = "rust"
    title = "Rust"
    aliases = ("rs",)
    suffix = ".rs"
    cacheable = True

    def __init__(self, finder: Callable[[], RustToolchain | None] = find_rust) -> None:
        self._finder = finder

    def detect(self) -> RustToolchain:
        """The first compiler that makes WebAssembly. Raises ToolchainMissing where there is none."""
        found = self._finder()
        if found is not None:
            return found
        here = ", ".join(".".join(map(str, each.version)) for each in rustcs())
        what = (
            f"Rust {here} is here, but makes no WebAssembly" if here else "there is no Rust on this machine"
        )
        raise ToolchainMissing(what, do=rust_hint())

    def fingerprint(self) -> str:
        """The digest of the crate that a source is put into."""
        parts = [_MANIFEST, EDITION, str(SDK), str(OLD_SDK), str(LEVELS), str(LINK), str(_NAMES)]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()

    def compile(self, source: str, workdir: Path, options: BuildOptions, progress: Progress) -> Compiled:
        """Compile a source, with its crates where they have not been yet.

        Raises CompileError with the compiler's diagnostics, and BuildError where a crate cannot be had.
        """
        del workdir
        tools = self.detect()
        edition, flags = edition_of(options.flags)
        manifest = _manifest(source, options, tools, edition)
        home = shared_folder("rust", re.sub(r"[^\w.]+", "-", tools.version))
        crate = shared_folder("rust", home.name, "crates", hashlib.sha256(manifest.encode()).hexdigest()[:16])
        profile = options.optimize + ("-debug" if options.debug else "")
        command = [
            *(*tools.command, "rustc", "--lib", "--message-format=json", *tools.flags),
            *("--target", tools.target, "--target-dir", str(home / "target"), "--profile", profile),
        ]
        with locked(home, options.timeout, lambda: progress("waiting for another build")):
            environment = _environment(tools, options, home)
            write_sources(source, SOURCE, options, crate, KEPT)
            path = crate / "Cargo.toml"
            if not path.is_file() or path.read_text() != manifest:
                path.write_text(manifest)

            def cargo(*more: str) -> Finished:
                return run(
                    [*command, *more, "--", f"--remap-path-prefix={crate}=.", *LINK, *_NAMES, *flags],
                    cwd=crate,
                    timeout=options.timeout,
                    environment=environment,
                    watch=lambda line: _tell(line, progress),
                )

            done = cargo()
            if done.code and _is_network(done.stderr):
                again = cargo("--offline")
                if not again.code or again.stdout:
                    done = again
            found = tuple(messages(done.stdout, Sources(source, options, SOURCE), crate))
            errors = any(each.severity == "error" for each in found)
            if done.code and not errors and (missing := _manifest_error(done.stderr, crate)):
                raise missing
            if done.code:
                raise failure(self.title, found, source, options)
            data = (home / "target" / tools.target / profile / "cell.wasm").read_bytes()
            packages = in_cargo_lock((crate / "Cargo.lock").read_text())
        return Compiled(data, tuple(each for each in found if each.severity == "warning"), packages)


def edition_of(flags: tuple[str, ...]) -> tuple[str, list[str]]:
    """The edition that the flags ask for, and the other flags."""
    asked = [flag.partition("=")[2] for flag in flags if flag.startswith("--edition=")]
    return (asked or [EDITION])[-1], [flag for flag in flags if not flag.startswith("--edition=")]


def _manifest(source: str, options: BuildOptions, tools: RustToolchain, edition: str) -> str:
    if not re.fullmatch(r"\d{4}", edition):
        raise BuildError(f"{edition!r} is no edition of Rust", do="use one such as --edition=2024")
    wanted = dependencies(source, options, old=tools.number < (1, 70, 0))
    lines = "\n".join(f"{name} = {value}" for name, value in sorted(wanted.items()))
    text = _MANIFEST.format(edition=edition, dependencies=lines)
    for level, settings in LEVELS.items():
        text += f'\n[profile.{level}]\n{settings}\npanic = "abort"\ndebug = false\nstrip = "debuginfo"\n'
        text += f'\n[profile.{level}-debug]\ninherits = "{level}"\ndebug = true\nstrip = "none"\n'
    return text


def dependencies(source: str, options: BuildOptions, *, old: bool = False) -> dict[str, str]:
    """The crates of a source, as lines of Cargo.toml by name; ``old`` for Rust 1.63. Raises BuildError."""
    wanted = dict(_crate(each) for each in options.packages)
    if _uses_sdk([source, *(text for name, text in options.files if name.endswith(".rs"))]):
        wanted = (OLD_SDK if old else SDK) | wanted
    return wanted


def _uses_sdk(sources: list[str]) -> bool:
    """Whether sources name the crate, outside of comments: one on the bare ABI needs none."""
    code = (re.sub(r"//[^\n]*|/\*.*?\*/", "", source, flags=re.S) for source in sources)
    return any(re.search(r"\bproxy_wasm\s*(::|;|as\b)", text) for text in code)


def _crate(asked: str) -> tuple[str, str]:
    """``serde_json=1``, ``serde[derive]=1`` or ``name={git = "..."}`` as a line of Cargo.toml."""
    parts = re.fullmatch(r"([A-Za-z][\w-]*)(?:\[([\w\-/, ]*)\])?(?:[=@](.+))?", asked.strip())
    value = "*"
    if parts is not None:
        value = (parts[3] or "*").strip()
        given = value if value.startswith("{") else f'"{value}"'
        if parts[2] is not None and not value.startswith("{"):
            features = ", ".join(f'"{each.strip()}"' for each in parts[2].split(",") if each.strip())
            given = f'{{ version = "{value}", features = [{features}] }}'
        try:
            if "\n" not in given and list(tomllib.loads(f"x = {given}")) == ["x"]:
                return parts[1], given
        except tomllib.TOMLDecodeError:
            pass
    raise BuildError(
        f"{asked!r} names no crate", do='write it as serde_json=1, serde[derive]=1 or name={path = "..."}'
    )


def _environment(tools: RustToolchain, options: BuildOptions, folder: Path) -> Mapping[str, str]:
    for name, value in options.defines:
        if _RESERVED.match(name) or not name.isidentifier() or "\0" in value:
            raise BuildError(f"{name!r} cannot be defined for Rust", do="use another name")
    home = Path(os.environ.get("CARGO_HOME") or Path("~/.cargo").expanduser())
    given = {
        "CARGO_ENCODED_RUSTFLAGS": f"--remap-path-prefix={home / 'registry' / 'src'}=crates",
        "CARGO_TERM_COLOR": "never",
        "CARGO_TERM_PROGRESS_WHEN": "never",
        "CARGO_NET_RETRY": "1",
        "CARGO_INCREMENTAL": "0",
        **dict(options.defines),
        **dict(tools.environment),
    }
    if tools.linker:
        # Rust names the kind of linker first, which a linker that is of one kind only does not take.
        script = folder / "wasm-ld"
        quoted = " ".join("'" + part.replace("'", "'\\''") + "'" for part in tools.linker)
        script.write_text(f'#!/bin/sh\n[ "$1" = -flavor ] && shift 2\nexec {quoted} "$@"\n')
        script.chmod(0o755)
        given[f"CARGO_TARGET_{tools.target.upper().replace('-', '_')}_LINKER"] = str(script)
    return given


def _tell(line: str, progress: Progress) -> None:
    step = re.match(r"\s*(Updating|Locking|Downloading|Downloaded|Compiling|Building) (.*)", line)
    if step:
        what = re.sub(r" \(.*\)$", "", step[2])
        progress("Compiling the source" if what.startswith("cell v0.0.0") else f"{step[1]} {what}")


def _is_network(text: str) -> bool:
    signs = "download|resolve host|connect|network|timed out|time-?out|registry|SSL|certificate|http"
    return bool(re.search(rf"(?i){signs}", "\n".join(_complaint(text))))


def _complaint(text: str) -> list[str]:
    """From cargo's first error on, without what it did before."""
    lines = [line.rstrip() for line in text.splitlines()]
    first = next((at for at, line in enumerate(lines) if line.startswith("error")), len(lines))
    return lines[first:]


def _manifest_error(text: str, crate: Path) -> BuildError | None:
    """What cargo says where it never came to compile."""
    said = [line.strip() for line in _complaint(text) if line.strip() and line.strip() != "Caused by:"]
    said = [line for line in said if not re.match(r"(location searched|required by package `cell|-->)", line)]
    if not said:
        return None
    what = "; ".join(line.removeprefix("error: ") for line in said[:4]).replace(f"{crate}/", "")
    do = "check the names and versions of the crates"
    young = re.search(r"(\w[\w-]*)(?: v|@)\d[^\n]* requires rustc ([\d.]*\d)", text)
    if young:
        do = f"name an older release, --crate {young[1]}==VERSION, or get Rust {young[2]} or newer"
    if _is_network(text) and "no matching package" not in text:
        do = "connect to the registry of crates once: what it gave is kept, and needs no network afterwards"
    return BuildError(f"cargo cannot build: {what}", do=do)
