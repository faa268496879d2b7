"""Uploads that go on where they broke off.

A large blob goes up in pieces; after each, the address that takes the next one is noted in the user's cache.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .arrival import Beside
from .manifest import Blob
from .pieces import Piece, Source
from .place import Moved
from .reference import Reference
from .resume import Note, any_noted
from .session import PIECE, Lost, Session

if TYPE_CHECKING:
    from .registry import Registry

__all__ = ["begun_ahead", "upload"]


def begun_ahead(registry: Registry, reference: Reference, size: int) -> Session | None:
    """An upload for a blob of which just the size is known; None where one that broke off may be taken up."""
    if any_noted(registry.host, reference.repository):
        return None
    session = Session(registry, reference, size)
    session.begin()
    return session


def upload(
    registry: Registry,
    reference: Reference,
    blob: Blob,
    moved: Moved | None,
    *,
    begun: Session | None = None,
    there: Beside[bool] | None = None,
) -> None:
    """Send a blob, or what is left of it where that broke off.

    ``begun`` is an upload to use; it is given up as soon as the blob turns out to be ``there``. Raises
    HubError.
    """
    note = Note(registry.host, reference.repository, blob.digest)
    session = begun or Session(registry, reference, blob.size)
    resumed = begun is None and session.resume(note.read())
    sending = _Sending(session, blob, note, moved, there)
    try:
        if not session.address:
            session.begin()
        sending.run()
    except _Needless:
        session.cancel()
    except Lost as lost:
        note.remove()
        if not resumed:
            raise lost.error from None
        try:
            session.begin()  # what the registry keeps is not what was noted
            sending.run()
        except Lost as again:
            raise again.error from None
    note.remove()


class _Needless(Exception):
    """The registry has the blob."""


class _Sending:
    def __init__(
        self, session: Session, blob: Blob, note: Note, moved: Moved | None, there: Beside[bool] | None
    ) -> None:
        self.session, self.blob, self.note, self.moved, self.there = session, blob, note, moved, there

    def run(self) -> None:
        """Send what is left: pieces each of which the registry keeps, the last one with the end."""
        session, blob = self.session, self.blob
        if blob.size > PIECE:
            self.note.write(session.address)
        while blob.size - session.sent > session.piece:
            try:
                session.patch(self._cut(session.piece), self._tell)
            except Lost:
                if session.sent:
                    raise
                session.begin()  # for registries that take no pieces
                break
            self.note.write(session.address)
        session.put(self._cut(blob.size - session.sent), blob.digest, self._tell)

    def _cut(self, count: int) -> tuple[Piece, ...]:
        source = Source(self.blob.parts)
        for _ in source.parts(self.session.sent):
            pass
        return tuple(source.parts(count))

    def _tell(self, sent: int) -> None:
        """Tell what goes; the end of a blob goes only where it is needed."""
        if self.there and (self.there.done or sent == self.blob.size) and self.there.result():
            raise _Needless
        if self.moved:
            self.moved(self.blob.digest[:19], sent, self.blob.size)
