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

__all__ = ["begun_ahead", "upload", "upload_ahead"]


def begun_ahead(registry: Registry, reference: Reference, size: int) -> Session | None:
    """An upload for a blob of which just the size is known; None where one that broke off may be taken up."""
    if any_noted(registry.host, reference.repository):
        return None
    session = Session(registry, reference, size)
    session.begin()
    return session


def upload_ahead(
    session: Session,
    known: tuple[Piece, ...],
    coming: Beside[Blob],
    there: Beside[bool],
    moved: Moved | None,
) -> None:
    """Send a blob whose digest and end are still computed; it is given up once it turns out to be ``there``.

    Its first piece, of what is ``known``, needs no digest. Raises HubError.
    """
    sending = _Sending(session, known, moved, coming, there)
    try:
        sending.ahead()
        sending.parts = coming.result().parts
        sending.run(coming.result().digest)
    except _Needless:
        session.cancel()
    except Lost as lost:
        sending.forget()
        raise lost.error from None
    sending.forget()


def upload(registry: Registry, reference: Reference, blob: Blob, moved: Moved | None) -> None:
    """Send a blob, or what is left of it where that broke off. Raises HubError."""
    session = Session(registry, reference, blob.size)
    resumed = session.resume(Note(registry.host, reference.repository, blob.digest).read())
    sending = _Sending(session, blob.parts, moved)
    try:
        if not resumed:
            session.begin()
        sending.run(blob.digest)
    except Lost as lost:
        sending.forget()
        if not resumed:
            raise lost.error from None
        try:
            session.begin()  # what the registry keeps is not what was noted
            sending.run(blob.digest)
        except Lost as again:
            raise again.error from None
    sending.forget()


class _Needless(Exception):
    """The registry has the blob."""


class _Sending:
    def __init__(
        self,
        session: Session,
        parts: tuple[Piece, ...],
        moved: Moved | None,
        coming: Beside[Blob] | None = None,
        there: Beside[bool] | None = None,
    ) -> None:
        self.session, self.parts, self.moved, self.coming, self.there = session, parts, moved, coming, there
        self._in_pieces = True
        self._note: Note | None = None
        self._title = "the layer"

    def ahead(self) -> None:
        """Send the first piece, for which nobody asks for the digest of the whole."""
        session = self.session
        try:
            session.patch(self._cut(min(session.piece, sum(map(len, self.parts)))), self._tell)
        except Lost:
            self._whole()

    def run(self, digest: str) -> None:
        """Send what is left: pieces each of which the registry keeps, the last one with the end."""
        session = self.session
        self._know(digest)
        while self._in_pieces and session.size - session.sent > session.piece:
            try:
                session.patch(self._cut(session.piece), self._tell)
            except Lost:
                if session.sent:
                    raise
                self._whole()
            self._keep()
        session.put(self._cut(session.size - session.sent), digest, self._tell)

    def forget(self) -> None:
        """Remove what was noted."""
        if self._note:
            self._note.remove()

    def _whole(self) -> None:
        """Begin again, for registries that take no pieces."""
        self.session.begin()
        self._in_pieces = False

    def _know(self, digest: str) -> None:
        if not self._note:
            self._note = Note(self.session.registry.host, self.session.reference.repository, digest)
            self._title = digest[:19]
        self._keep()

    def _keep(self) -> None:
        if self._note and self.session.size > PIECE:
            self._note.write(self.session.address)

    def _cut(self, count: int) -> tuple[Piece, ...]:
        source = Source(self.parts)
        for _ in source.parts(self.session.sent):
            pass
        return tuple(source.parts(count))

    def _tell(self, sent: int) -> None:
        """Tell what goes; the end of a blob goes only where it is needed."""
        if self.coming and self.coming.done and not self._note:
            self._know(self.coming.result().digest)
        if self.there and (self.there.done or sent == self.session.size) and self.there.result():
            raise _Needless
        if self.moved:
            self.moved(self._title, sent, self.session.size)
