"""Where images are: the local store or a registry, behind one face."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Protocol, TypeAlias, TypeVar

from ..errors import HubError
from .arrival import Work
from .credentials import given_credential
from .layout import Coming, Packed
from .manifest import Blob, Descriptor
from .reference import Reference

__all__ = ["AGAIN", "Moved", "Place", "looked_for", "opened"]

T = TypeVar("T")

Moved: TypeAlias = Callable[[str, int, int], None]
"""Told of what moves: what it is, bytes so far, bytes in all."""
AGAIN = "push again; if it stays so, the registry changes what it is given"


class Place(Protocol):
    """What push, pull and search need of the local store and of a registry."""

    def reach(self) -> None:
        """Find out whether it is there at all, which every other call does too. Raises HubError."""
        ...

    def manifest(self, reference: Reference) -> Blob:
        """The manifest that a digest or else a tag names; its digest was checked where one is known."""
        ...

    def child(self, reference: Reference, descriptor: Descriptor) -> Blob:
        """A manifest that an index names; its digest was checked."""
        ...

    def read(
        self, reference: Reference, descriptor: Descriptor, work: Work[T], moved: Moved | None = None
    ) -> T:
        """What ``work`` makes of a blob while it is read; it counts only if the digest is the right one."""
        ...

    def blob(self, reference: Reference, descriptor: Descriptor) -> bytes:
        """The bytes of a blob; their digest was checked."""
        ...

    def has_blob(self, reference: Reference, descriptor: Descriptor) -> bool:
        """Whether a blob is there, in the size that it should have."""
        ...

    def begin(self, reference: Reference, coming: Coming, moved: Moved | None = None) -> None:
        """Begin to write blobs that are still computed, where that spares time; ``write`` does the rest."""
        ...

    def write(self, reference: Reference, packed: Packed, moved: Moved | None = None) -> None:
        """Put an image or an artifact there; an artifact is listed with what it is about.

        Raises HubError where a blob of it is not there afterwards, and others.
        """
        ...

    def referrers(self, reference: Reference, digest: str, kind: str = "") -> tuple[Descriptor, ...]:
        """The artifacts of that type that are about the manifest of this digest, of every type if none."""
        ...

    def tags(self, repository: str) -> tuple[str, ...]:
        """The tags of a repository, sorted; none where there is no such repository."""
        ...

    def delete(self, reference: Reference) -> None:
        """Remove a tag, or with a digest the image."""
        ...

    def location(self, reference: Reference) -> str:
        """The name that skopeo knows the image by."""
        ...


def looked_for(place: Place, reference: Reference, descriptor: Descriptor) -> None:
    """Raise HubError where a blob that was written is not there."""
    if not place.has_blob(reference, descriptor):
        raise HubError(
            f"what was pushed is not all there: {descriptor.digest[:19]} is missing",
            where=str(reference),
            do=AGAIN,
        )


@contextlib.contextmanager
def opened(
    reference: Reference,
    *,
    username: str | None = None,
    password: str | None = None,
    insecure: bool = False,
    tls_verify: bool | str = True,
    timeout: float = 30.0,
) -> Iterator[Place]:
    """The place that a reference names, closed in the end."""
    credential = given_credential(username, password)
    if reference.local:
        from .store import Store

        yield Store()
        return
    from .registry import Registry

    with Registry(
        reference.registry, credential=credential, insecure=insecure, tls_verify=tls_verify, timeout=timeout
    ) as registry:
        yield registry
