"""AssemblyScript's compiler: where npm installs it, and which it is."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from ..errors import BuildError, ToolchainMissing
from .cache import cache_root
from .language import Progress
from .process import run

__all__ = ["GUEST", "compiler_home", "install_compiler", "locked_version", "version_of"]

GUEST = Path(__file__).parent.parent / "guest" / "assemblyscript"


@cache
def locked_version() -> str:
    """The version of the compiler that npm installs."""
    packages = json.loads((GUEST / "package-lock.json").read_text())["packages"]
    return str(packages["node_modules/assemblyscript"]["version"])


@cache
def version_of(asc: str) -> str:
    """The version of a compiler on the PATH."""
    try:
        asked = subprocess.run([asc, "--version"], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return asked.stdout.strip().removeprefix("Version ") or "unknown"


def compiler_home() -> Path:
    """Where npm installs the compiler of the locked version."""
    lock = hashlib.sha256((GUEST / "package-lock.json").read_bytes()).hexdigest()
    return cache_root() / f"assemblyscript-{locked_version()}-{lock[:8]}"


def install_compiler(progress: Progress, timeout: float) -> None:
    """Have npm install the locked compiler into the cache, where it is not there. Raises BuildError."""
    home = compiler_home()
    modules = home / "node_modules"
    if (modules / "assemblyscript" / "bin" / "asc.js").is_file() and (modules / "@solo-io").is_dir():
        return
    progress(f"npm installs the AssemblyScript compiler {locked_version()}, once")
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
