"""Uploads that go on where they broke off.

A large blob goes up in pieces; after each, the address that takes the next one is noted in the user's cache.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urljoin, urlsplit

from ..errors import HubError
from ..paths import cache_root
from .manifest import Blob
from .place import Moved
from .reference import Reference

if TYPE_CHECKING:
    from .registry import Registry

__all__ = ["upload"]

PIECE = 8 << 20
"""Bytes of a request, of which a broken upload loses at most one."""

TAKEN = (202, 201, 204)
"""What registries answer to a piece; the specification says the first."""
_BYTES = {"Content-Type": "application/octet-stream"}


def upload(registry: Registry, reference: Reference, blob: Blob, moved: Moved | None) -> None:
    """Send a blob, or the rest of it. Raises HubError."""
    if len(blob.data) <= PIECE:
        session = _start(registry, reference)
        _finish(registry, reference, blob, session, blob.data, moved)
        return None
    note = _Note(registry.host, reference.repository, blob.digest)
    session, start = _resumed(registry, note)
    if not session:
        session, start = _start(registry, reference), 0
    resumed = start > 0
    view = memoryview(blob.data)
    while start < len(view):
        end = min(start + PIECE, len(view))
        note.write(session)
        response = registry.do_request(
            session,
            "PATCH",
            data=view[start:end],
            headers={**_BYTES, "Content-Range": f"{start}-{end - 1}"},
            moved=moved and partial(_tell, moved, blob, start),
        )
        if response.status_code not in TAKEN:
            if resumed:
                note.remove()  # what it keeps is not what was noted: from the start then
                return upload(registry, reference, blob, moved)
            registry._expect(response, 202, str(reference))
        session, start = urljoin(session, response.headers.get("Location", "")), end
    note.write(session)
    try:
        _finish(registry, reference, blob, session, b"", None)
    except HubError:
        if not resumed:
            raise
        note.remove()
        return upload(registry, reference, blob, moved)
    note.remove()
    return None


def _start(registry: Registry, reference: Reference) -> str:
    base = registry._url(registry._container(reference.repository).upload_blob_url())
    response = registry.do_request(base, "POST")
    registry._expect(response, 202, str(reference))
    return urljoin(base, response.headers.get("Location", ""))


def _finish(  # noqa: PLR0917
    registry: Registry, reference: Reference, blob: Blob, session: str, rest: bytes, moved: Moved | None
) -> None:
    joined = "&" if urlsplit(session).query else "?"
    response = registry.do_request(
        f"{session}{joined}digest={quote(blob.digest, safe='')}",
        "PUT",
        data=rest,
        headers=_BYTES,
        moved=moved and partial(_tell, moved, blob, 0),
    )
    registry._expect(response, 201, str(reference))


def _resumed(registry: Registry, note: _Note) -> tuple[str, int]:
    """The address that takes the next byte of an upload that was begun, and its position."""
    session = note.read()
    if not session or urlsplit(session).netloc != registry.host:
        return "", 0
    with contextlib.suppress(HubError):
        response: Any = registry.do_request(session)
        first, _, last = response.headers.get("Range", "").removeprefix("bytes=").partition("-")
        if response.status_code in (200, 202, 204) and first == "0" and last.isdecimal():
            following = urljoin(session, response.headers.get("Location", session))
            return following, int(last) + 1 if int(last) else 0
    note.remove()
    return "", 0


def _tell(moved: Moved, blob: Blob, start: int, sent: int) -> None:
    moved(blob.digest[:19], start + sent, len(blob.data))


class _Note:
    """The address of an upload that is going on, for the user alone: it may let others write."""

    def __init__(self, host: str, repository: str, digest: str) -> None:
        name = hashlib.sha256(f"{host}/{repository}@{digest}".encode()).hexdigest()
        self.path = Path(cache_root(), "uploads", name)

    def read(self) -> str:
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
        with contextlib.suppress(OSError):
            self.path.unlink()
