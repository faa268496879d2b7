"""How much the store holds and may hold, and what can go."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import RequestError, StoreFull

if TYPE_CHECKING:
    from .store import Store

__all__ = ["Swept", "check_quota", "gc", "parse_size", "usage"]

STALE_SECONDS = 24 * 3600.0
"""Age at which an upload that never ended is given up."""
_UNITS = {"": 1, "k": 1000, "m": 1000**2, "g": 1000**3, "t": 1000**4}


@dataclass(frozen=True, slots=True)
class Swept:
    """What a collection removed: ``freed`` bytes; and what is left: ``kept`` bytes in ``repositories``."""

    freed: int
    kept: int
    repositories: int


def parse_size(text: str) -> int:
    """Bytes of a text such as ``2GB`` or ``500M``; 0, which is no limit, of an empty one.

    Raises RequestError.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)?\s*([kmgt]?)i?b?\s*", text.lower())
    if not match or not (match[1] or not text.strip()):
        raise RequestError(f"{text!r} is no size", do="write a number of bytes, or such as 500MB or 2GB")
    return int(float(match[1] or 0) * _UNITS[match[2]])


def usage(folder: Path) -> int:
    """The bytes of the files in a directory; those with several names count once."""
    seen: set[int] = set()
    total = 0
    for _, status in _walk(folder):
        if status.st_ino not in seen:
            seen.add(status.st_ino)
            total += status.st_size
    return total


def check_quota(folder: Path, quota: int, coming: int) -> None:
    """Raise StoreFull where a store would hold more than it may."""
    if not quota:
        return
    held = usage(folder)
    if held + coming > quota:
        raise StoreFull(
            f"the local store may hold {quota:,} bytes; it holds {held:,}, and {coming:,} more were to come",
            where=str(folder),
            do="delete images, run wasmhub hub gc, or raise WASMHUB_QUOTA",
        )


def gc(store: Store, *, untagged: bool = True) -> Swept:
    """Remove what no tag needs: images without one, what is about them, and uploads that never ended.

    Without ``untagged`` the images that can only be had by digest stay. Safe beside others who push and
    pull. Raises StoreError.
    """
    from .folder import subject_of, tag_of

    freed = 0
    repositories = store.repositories()
    for repository in repositories:
        with store.writing(repository) as folder:
            entries = folder.entries()
            needed = {d for e in entries if tag_of(e) for d in folder.manifests(str(e.get("digest")))}
            freed += folder.keep(
                [e for e in entries if not untagged or subject_of(e) or str(e.get("digest")) in needed]
            )
    staging = store.path / ".staging"
    for path, status in list(_walk(staging)):
        if time.time() - status.st_mtime > STALE_SECONDS:
            Path(path).unlink(missing_ok=True)
            freed += status.st_size if status.st_nlink == 1 else 0
    return Swept(freed, usage(store.path), len(store.repositories()))


def _walk(folder: Path | str) -> Iterator[tuple[str, os.stat_result]]:
    """The files below a directory; those that others remove meanwhile are left out."""
    try:
        found = list(os.scandir(folder))
    except FileNotFoundError:
        return
    for entry in found:
        with contextlib.suppress(FileNotFoundError):
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(entry.path)
            else:
                yield entry.path, entry.stat(follow_symlinks=False)
