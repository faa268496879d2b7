"""Finished builds on disk, found by the digest of everything that made them.

A cache that cannot be read or written, or holds damaged entries, costs time and nothing else.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from dataclasses import asdict
from pathlib import Path

from ..errors import Diagnostic
from ..paths import cache_root
from .language import Compiled

__all__ = ["cache_root", "key_of", "load", "store"]

KEPT = 300
"""Builds that are kept; those not used for longest go first."""


def key_of(parts: dict[str, object]) -> str:
    """The key of a build: the digest of all that its result depends on."""
    text = json.dumps(parts, sort_keys=True)  # ASCII: also for text that is no Unicode
    return hashlib.sha256(text.encode()).hexdigest()


def load(key: str) -> Compiled | None:
    """The build of that key; None where there is none or it is damaged."""
    try:
        path = _place(key)
        entry = path.read_bytes()
        digest, _, rest = entry.partition(b"\n")
        if hashlib.sha256(rest).hexdigest().encode() != digest:
            return None
        head, _, data = rest.partition(b"\n")
        told = json.loads(head)
        diagnostics = tuple(Diagnostic(**each) for each in told["diagnostics"])
        packages = tuple((str(name), str(version)) for name, version in told["packages"])
    except (OSError, ValueError, TypeError, KeyError, RuntimeError):  # the last: there is no home directory
        return None
    with contextlib.suppress(OSError):
        os.utime(path)
    return Compiled(data, diagnostics, packages)


def store(key: str, build: Compiled) -> None:
    """Keep a build; does nothing where that cannot be done."""
    told = {"diagnostics": [asdict(each) for each in build.diagnostics], "packages": build.packages}
    head = json.dumps(told).encode()
    rest = head + b"\n" + build.data
    entry = hashlib.sha256(rest).hexdigest().encode() + b"\n" + rest
    partial = ""
    try:
        path = _place(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, partial = tempfile.mkstemp(dir=path.parent, prefix=".partial-")
        with os.fdopen(handle, "wb") as file:
            file.write(entry)
        Path(partial).replace(path)
    except (OSError, RuntimeError):
        if partial:
            with contextlib.suppress(OSError):
                Path(partial).unlink()
        return
    _prune(path.parent)


def _place(key: str) -> Path:
    return cache_root() / "builds" / key


def _prune(folder: Path) -> None:
    with contextlib.suppress(OSError):
        entries = list(os.scandir(folder))
        if len(entries) > KEPT:
            for entry in sorted(entries, key=lambda entry: entry.stat().st_mtime)[: len(entries) - KEPT]:
                with contextlib.suppress(OSError):
                    Path(entry.path).unlink()
