"""Uploads that go on where they broke off.

A large blob goes up in pieces; after each, the address that takes the next one is noted in the user's cache.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urljoin, urlsplit

from ..errors import HubError
from ..paths import cache_root
from .manifest import Blob
from .pieces import Source
from .place import Moved
from .reference import Reference

if TYPE_CHECKING:
    from .registry import Registry

__all__ = ["upload"]

PIECE = 8 << 20
"""Bytes of a request, of which a broken upload loses at most one; more where they go in a moment."""
LARGEST_PIECE = 8 * PIECE
MOMENT = 1.0
"""Seconds that may be lost."""
_pieces: dict[str, int] = {}
"""The bytes that went to a registry in that time when it was last pushed to."""

TAKEN = (202, 201, 204)
"""What registries answer to a piece; the specification says the first."""


def upload(registry: Registry, reference: Reference, blob: Blob, moved: Moved | None) -> None:
    """Send a blob, or the rest of it. Raises HubError."""
    made = _Upload(registry, reference, blob, moved)
    session, start = made.resumed()
    try:
        made.send(session or made.begin(), start)
    except _Lost as lost:
        made.note.remove()
        if not session:
            raise lost.error from None
        try:
            made.send(made.begin(), 0)  # what the registry keeps is not what was noted
        except _Lost as again:
            raise again.error from None
    made.note.remove()


class _Lost(Exception):
    """A registry does not know an upload, or not so far."""

    def __init__(self, error: HubError) -> None:
        super().__init__(str(error))
        self.error = error


@dataclass(frozen=True)
class _Upload:
    """One blob on its way; a session is the address that takes its next bytes."""

    registry: Registry
    reference: Reference
    blob: Blob
    moved: Moved | None

    @property
    def note(self) -> _Note:
        """Where the session is kept."""
        return _Note(self.registry.host, self.reference.repository, self.blob.digest)

    def begin(self) -> str:
        """A new session."""
        container = self.registry._container(self.reference.repository)
        base = self.registry._url(container.upload_blob_url())
        response = self.registry.do_request(base, "POST")
        self.registry._expect(response, 202, str(self.reference))
        return urljoin(base, response.headers.get("Location", ""))

    def resumed(self) -> tuple[str, int]:
        """The session of an upload that was begun, and how many bytes the registry keeps."""
        session = self.note.read()
        if not session or urlsplit(session).netloc != self.registry.host:
            return "", 0
        with contextlib.suppress(HubError):
            response: Any = self.registry.do_request(session)
            first, _, last = response.headers.get("Range", "").removeprefix("bytes=").partition("-")
            if response.status_code in (200, 202, 204) and first == "0" and last.isdecimal():
                following = urljoin(session, response.headers.get("Location", session))
                return following, int(last) + 1 if int(last) else 0
        self.note.remove()
        return "", 0

    def send(self, session: str, start: int) -> None:
        """Send what follows ``start``: pieces each of which the registry keeps, the last one with the end."""
        count = _pieces.get(self.registry.host, PIECE)
        if self.blob.size > PIECE:
            self.note.write(session)
        while self.blob.size - start > count:
            response = self._request("PATCH", session, start, count)
            self._expect(response, TAKEN)
            session = urljoin(session, response.headers.get("Location", ""))
            self.note.write(session)
            start += count
            count = _pieces[self.registry.host]
        joined = "&" if urlsplit(session).query else "?"
        address = f"{session}{joined}digest={quote(self.blob.digest, safe='')}"
        response = self._request("PUT", address, start, self.blob.size - start)
        self._expect(response, (201,))

    def _expect(self, response: Any, good: tuple[int, ...]) -> None:
        if response.status_code not in good:
            error = self.registry._failed(response, str(self.reference))
            raise _Lost(error) if response.status_code in (400, 404, 416) else error

    def _request(self, method: str, address: str, start: int, count: int) -> Any:
        source = Source(self.blob.parts)
        for _ in source.parts(start):
            pass
        place = {"Content-Range": f"{start}-{start + count - 1}"} if 0 < count < self.blob.size else {}
        began = time.monotonic()
        response = self.registry.do_request(
            address,
            method,
            data=tuple(source.parts(count)),
            headers={"Content-Type": "application/octet-stream", **place},
            moved=partial(self._tell, start) if self.moved else None,
        )
        if count >= PIECE:
            fast = int(count / max(time.monotonic() - began, 0.001) * MOMENT) // PIECE * PIECE
            _pieces[self.registry.host] = min(max(PIECE, fast), LARGEST_PIECE)
        return response

    def _tell(self, start: int, sent: int) -> None:
        assert self.moved is not None
        self.moved(self.blob.digest[:19], start + sent, self.blob.size)


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
