"""Uploads that go on where they broke off.

A large blob goes up in pieces; after each, the address that takes the next one is noted in the user's cache.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from .manifest import Blob
from .pieces import Piece, Source
from .place import Moved
from .reference import Reference
from .resume import Note
from .session import PIECE, Lost, Session

if TYPE_CHECKING:
    from .registry import Registry

__all__ = ["upload"]


def upload(
    registry: Registry, reference: Reference, blob: Blob, moved: Moved | None, begun: Session | None = None
) -> None:
    """Send a blob, or what is left of it where it was begun. Raises HubError."""
    note = Note(registry.host, reference.repository, blob.digest)
    session = begun or Session(registry, reference, blob.size)
    resumed = begun is None and session.resume(note.read())
    try:
        if not session.address:
            session.begin()
        _send(session, blob, note, moved)
    except Lost as lost:
        note.remove()
        if not resumed:
            raise lost.error from None
        try:
            session.begin()  # what the registry keeps is not what was noted
            _send(session, blob, note, moved)
        except Lost as again:
            raise again.error from None
    note.remove()


def _send(session: Session, blob: Blob, note: Note, moved: Moved | None) -> None:
    """Send what is left: pieces each of which the registry keeps, the last one with the end."""
    if blob.size > PIECE:
        note.write(session.address)
    told = _teller(blob, moved)
    while blob.size - session.sent > session.piece:
        try:
            session.patch(_cut(blob, session.sent, session.piece), told)
        except Lost:
            if session.sent:
                raise
            session.begin()  # for registries that take no pieces
            break
        note.write(session.address)
    session.put(_cut(blob, session.sent, blob.size - session.sent), blob.digest, told)


def _cut(blob: Blob, start: int, count: int) -> tuple[Piece, ...]:
    source = Source(blob.parts)
    for _ in source.parts(start):
        pass
    return tuple(source.parts(count))


def _teller(blob: Blob, moved: Moved | None) -> Callable[[int], None] | None:
    return (lambda sent: moved(blob.digest[:19], sent, blob.size)) if moved else None
