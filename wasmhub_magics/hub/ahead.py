"""Uploads that begin before the digest of what goes is known, so that it goes while it is hashed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import HubError
from .arrival import Beside
from .layout import Coming
from .pieces import Source
from .place import Moved
from .reference import Reference
from .resume import Note, any_noted
from .session import PIECE, Lost, Session

if TYPE_CHECKING:
    from .registry import Registry

__all__ = ["send_ahead"]


def send_ahead(
    registry: Registry, reference: Reference, coming: Coming, moved: Moved | None
) -> Session | None:
    """Send a blob up to its end; gives the session that takes the end, None where nothing is worth keeping.

    That is so where the registry turns out to have the blob, and where an upload that broke off can be taken
    up, for which its digest is needed. Raises HubError.
    """
    if coming.size <= PIECE or any_noted(registry.host, reference.repository):
        return None
    return _Ahead(registry, reference, coming, moved).send()


class _Needless(Exception):
    """The registry has the blob."""


class _Ahead:
    def __init__(self, registry: Registry, reference: Reference, coming: Coming, moved: Moved | None) -> None:
        self.registry, self.reference, self.coming, self.moved = registry, reference, coming, moved
        self.session = Session(registry, reference, coming.size)
        self.there = Beside(self._look)

    def send(self) -> Session | None:
        source, left = Source(self.coming.parts), sum(map(len, self.coming.parts))
        try:
            self.session.begin()
            while left:
                count = min(left, self.session.piece)
                self.session.patch(tuple(source.parts(count)), self._tell)
                left -= count
                self._note()
            if self.there.result():
                raise _Needless
        except _Needless:
            self.session.cancel()
            self.note.remove()
            return None
        except Lost:
            return None  # it is sent as any other, and the registry may say why it wants none
        except BaseException:
            self._note()
            raise
        return self.session

    @property
    def note(self) -> Note:
        digest = self.coming.whole.result().digest
        return Note(self.registry.host, self.reference.repository, digest)

    def _note(self) -> None:
        """Note where the upload goes on, which has to be known before more than a piece may be lost."""
        if self.session.address:
            self.note.write(self.session.address)

    def _look(self) -> bool:
        """Whether the registry has the blob, as soon as one can ask."""
        try:
            return self.registry.has_blob(self.reference, self.coming.whole.result().descriptor)
        except HubError:
            return False

    def _tell(self, sent: int) -> None:
        if self.there.done and self.there.result():
            raise _Needless
        if self.moved:
            self.moved("the layer", sent, self.coming.size)
