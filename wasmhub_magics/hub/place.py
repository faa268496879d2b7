"""Where images are: the local store or a registry, behind one face."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Protocol

from .credentials import given_credential
from .layout import Packed
from .manifest import Blob, Descriptor
from .reference import Reference

__all__ = ["Place", "opened"]


class Place(Protocol):
    """What push, pull and search need of the local store and of a registry."""

    def manifest(self, reference: Reference) -> Blob:
        """The manifest that a digest or else a tag names; its digest was checked where one is known."""
        ...

    def child(self, reference: Reference, descriptor: Descriptor) -> Blob:
        """A manifest that an index names; its digest was checked."""
        ...

    def blob(self, reference: Reference, descriptor: Descriptor) -> bytes:
        """The bytes of a blob; their digest was checked."""
        ...

    def write(self, reference: Reference, packed: Packed) -> None:
        """Put an image there."""
        ...

    def location(self, reference: Reference) -> str:
        """The name that skopeo knows the image by."""
        ...


@contextlib.contextmanager
def opened(
    reference: Reference,
    *,
    username: str | None,
    password: str | None,
    insecure: bool,
    tls_verify: bool | str,
    timeout: float,
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
