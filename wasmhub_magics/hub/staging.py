"""What was sent to a served store and belongs to no image yet: uploads, and blobs that are complete.

It lies in ``.staging`` of the store: ``up-ID`` grows while it is sent, and becomes a file named by its sha256
when it is whole. A manifest that names it takes it by a link. What nobody takes goes with ``gc`` after a day.
"""

from __future__ import annotations

import hashlib
import os
import re
import uuid
from collections.abc import Iterable
from pathlib import Path

__all__ = ["Staging"]

PIECE = 1 << 20


class Staging:
    """The staging area of a store."""

    def __init__(self, store: Path) -> None:
        self.path = store / ".staging"

    def start(self) -> str:
        """Begin an upload; gives its id."""
        self.path.mkdir(parents=True, exist_ok=True)
        name = uuid.uuid4().hex
        self._upload(name).touch()
        return name

    def size(self, name: str) -> int | None:
        """The bytes that an upload has; None where there is none of that id."""
        try:
            return self._upload(name).stat().st_size
        except (FileNotFoundError, ValueError):
            return None

    def append(self, name: str, pieces: Iterable[bytes]) -> int:
        """Add bytes to an upload; gives its size. What arrived before an error is kept."""
        with self._upload(name).open("ab") as file:
            for piece in pieces:
                file.write(piece)
            return file.tell()

    def finish(self, name: str, digest: str) -> bool:
        """Make an upload a blob; false, and the upload is gone, where its digest is another."""
        path = self._upload(name)
        actual = hashlib.sha256()
        with path.open("rb") as file:
            while piece := file.read(PIECE):
                actual.update(piece)
            if f"sha256:{actual.hexdigest()}" != digest:
                path.unlink()
                return False
            os.fsync(file.fileno())
        path.chmod(0o644)
        path.replace(self.blob(digest))
        return True

    def cancel(self, name: str) -> None:
        """Forget an upload."""
        self._upload(name).unlink(missing_ok=True)

    def blob(self, digest: str) -> Path:
        """Where a complete blob is, if it is there."""
        return self.path / digest.removeprefix("sha256:")

    def link(self, source: Path, digest: str) -> bool:
        """Take a blob of another repository; false where it is not there."""
        self.path.mkdir(parents=True, exist_ok=True)
        try:
            os.link(source, self.blob(digest))
        except FileExistsError:
            pass
        except OSError:
            return False
        return True

    def _upload(self, name: str) -> Path:
        if not re.fullmatch(r"[0-9a-f]{32}", name):
            raise ValueError(name)
        return self.path / f"up-{name}"
