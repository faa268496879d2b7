"""Uploads that go on, and what is noted of them so that another process takes one up."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from pathlib import Path

from ..paths import cache_root

__all__ = ["Note", "any_noted"]


class Note:
    """The address of an upload that is going on, for the user alone: it may let others write."""

    def __init__(self, host: str, repository: str, digest: str) -> None:
        self.path = _folder() / f"{_place(host, repository)}-{_hashed(digest)}"

    def read(self) -> str:
        """The address; empty where nothing was noted."""
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
            return str(json.loads(self.path.read_text())["session"])
        return ""

    def write(self, session: str) -> None:
        """Keep the address; without a place for it an upload starts anew, and that is all."""
        with contextlib.suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle, part = tempfile.mkstemp(dir=self.path.parent)
            with os.fdopen(handle, "w") as file:
                file.write(json.dumps({"session": session}))
            Path(part).replace(self.path)

    def remove(self) -> None:
        """Forget it."""
        with contextlib.suppress(OSError):
            self.path.unlink()


def any_noted(host: str, repository: str) -> bool:
    """Whether an upload to a repository may be taken up, of whatever digest."""
    return any(_folder().glob(f"{_place(host, repository)}-*"))


def _folder() -> Path:
    return Path(cache_root(), "uploads")


def _place(host: str, repository: str) -> str:
    return _hashed(f"{host}/{repository}")


def _hashed(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
