"""A registry over http or https: its manifests, blobs, tags and referrers.

Beside what oras does: the digest of all that is read is checked, uploads resume, and artifacts are listed
with what they are about, on registries without that interface too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, TypeVar
from urllib.parse import urljoin, urlsplit

import oras.container  # type: ignore[import-untyped]

from ..errors import HubError, ImageNotFound, NotAFilter, NotARegistry, RegistryUnreachable, Unauthorized
from .arrival import Beside, Work, checked, together
from .credentials import DOCKER_HUB
from .layout import Coming, Packed
from .manifest import ACCEPTED, LARGEST_BLOB, Blob, Descriptor
from .place import Moved, looked_for
from .reference import Reference
from .referrers import list_referrer, listed_referrers
from .session import PIECE
from .transport import Transport
from .upload import begun_ahead, upload, upload_ahead

__all__ = ["Registry"]

T = TypeVar("T")

PAGE = 1000
THREADS = 3
"""Requests beside the one that moves most."""
PADDING = 1 << 20
"""Bytes that an archive may have beside its module."""


class Registry(Transport):
    """A registry, such as ``localhost:5000``; a ``Place`` that is used in a ``with`` block."""

    def __init__(self, registry: str, **options: Any) -> None:
        super().__init__(registry, **options)
        self._sent: set[tuple[str, str]] = set()

    def location(self, reference: Reference) -> str:
        """The name that skopeo knows an image of this registry by."""
        tag = "" if reference.tag and reference.digest else f"{reference.tag and ':'}{reference.tag}"
        name = f"{reference.registry}/{reference.repository}{tag}"
        return f"docker://{name}" + (f"@{reference.digest}" if reference.digest else "")

    def manifest(self, reference: Reference) -> Blob:
        """The manifest of an image. Raises ImageNotFound, NotAFilter and other HubErrors."""
        container = self._container(reference.repository)
        response = self.do_request(
            self._url(container.manifest_url(reference.version)),
            headers={"Accept": ", ".join(ACCEPTED), "Accept-Encoding": "identity"},
            stream=True,
        )
        if response.status_code == 404:
            response.close()
            raise self._not_found(reference)
        self._expect(response, 200, str(reference))
        data = self._body(response)
        kind = response.headers.get("Content-Type", "").partition(";")[0].strip()
        known = reference.digest or response.headers.get("Docker-Content-Digest", "")
        if known.startswith("sha256:"):
            Descriptor(kind, known, len(data)).check(data, str(reference))
        return Blob(kind, data)

    def child(self, reference: Reference, descriptor: Descriptor) -> Blob:
        """A manifest that an index names."""
        return self.manifest(Reference(reference.repository, "", descriptor.digest, reference.registry))

    def blob(self, reference: Reference, descriptor: Descriptor) -> bytes:
        """The bytes of a blob, whose digest was checked. Raises NotAFilter and other HubErrors."""
        return self.read(reference, descriptor, b"".join)

    def read(
        self, reference: Reference, descriptor: Descriptor, work: Work[T], moved: Moved | None = None
    ) -> T:
        """What ``work`` makes of a blob while it arrives. Raises NotAFilter and other HubErrors."""
        where = str(reference)
        if descriptor.size > LARGEST_BLOB + PADDING:
            raise NotAFilter(
                f"a layer has {descriptor.size:,} bytes, more than a filter may have",
                where=where,
                do=f"keep layers below {LARGEST_BLOB:,} bytes, as Istio demands",
            )
        response = self.do_request(
            self._url(self._container(reference.repository).get_blob_url(descriptor.digest)),
            headers={"Accept-Encoding": "identity"},
            stream=True,
        )
        if response.status_code == 404:
            response.close()
            raise NotAFilter(
                f"the image is damaged: the registry has no {descriptor.digest[:19]}",
                where=where,
                do="push the image again",
            )
        self._expect(response, 200, where)
        pieces = self._pieces(response, descriptor.size, moved, descriptor.title or descriptor.digest[:19])
        return checked(pieces, descriptor, where, work)

    def has_blob(self, reference: Reference, descriptor: Descriptor) -> bool:
        """Whether a blob is there, in the size that it should have."""
        url = self._url(self._container(reference.repository).get_blob_url(descriptor.digest))
        response = self.do_request(url, "HEAD")
        length = response.headers.get("Content-Length", "")
        if response.status_code not in (200, 404, 405):
            raise self._failed(response, str(reference))
        return response.status_code == 200 and length in ("", str(descriptor.size))

    def begin(self, reference: Reference, coming: Coming, moved: Moved | None = None) -> None:
        """Send a large image while its digests are computed, and ask for an upload before that.

        Asked meanwhile, a registry on this machine answers later: it waits for a processor. What turns out to
        be there is given up. Raises HubError as ``write`` does.
        """
        if coming.size <= PIECE:
            return
        session = begun_ahead(self, reference, coming.size)
        first, *others = coming.start()
        there = Beside(lambda: self._is_there(reference, first.result().descriptor))

        def send(blob: Beside[Blob]) -> None:
            if there.result():
                self._send_blob(reference, blob.result())
            else:  # nobody has what tells of a layer that is not there
                with self._unless_there(reference, blob.result):
                    upload(self, reference, blob.result(), None)

        def send_first() -> None:
            with self._unless_there(reference, first.result):
                if session is not None:
                    upload_ahead(session, coming.known, first, there, moved)
                elif not there.result():
                    upload(self, reference, first.result(), moved)

        together([send_first, *(partial(send, other) for other in others)], THREADS)
        self._sent |= {(reference.repository, blob.result().digest) for blob in coming.start()}

    def write(self, reference: Reference, packed: Packed, moved: Moved | None = None) -> None:
        """Put an image into the registry; blobs that are there already are not sent again."""
        self.reach()  # what is wrong with the registry as a whole is told at once
        blobs = {
            blob.digest: blob
            for blob in packed.blobs
            if (reference.repository, blob.digest) not in self._sent
        }.values()
        first, *others = sorted(blobs, key=lambda blob: -blob.size) or (None,)
        if first:  # a caller is told of the largest one, in his own thread
            tasks = [partial(self._send_blob, reference, blob) for blob in others]
            together([partial(self._send_blob, reference, first, moved), *tasks], THREADS)
        answers: list[Any] = []
        looks = [partial(looked_for, self, reference, blob.descriptor) for blob in packed.blobs]
        together([lambda: answers.append(self._put_manifest(reference, packed.manifest)), *looks], THREADS)
        if packed.subject and "OCI-Subject" not in answers[0].headers:
            list_referrer(self, reference, packed)

    def _send_blob(self, reference: Reference, blob: Blob, moved: Moved | None = None) -> None:
        if not self._is_there(reference, blob.descriptor):
            with self._unless_there(reference, lambda: blob):
                upload(self, reference, blob, moved)

    @contextmanager
    def _unless_there(self, reference: Reference, blob: Callable[[], Blob]) -> Iterator[None]:
        """Let an upload fail where another one has sent the blob meanwhile."""
        try:
            yield
        except (Unauthorized, RegistryUnreachable, NotARegistry):
            raise
        except HubError:
            if not self._is_there(reference, blob().descriptor):
                raise

    def _is_there(self, reference: Reference, descriptor: Descriptor) -> bool:
        """Whether a blob need not be sent; where that cannot be told it is sent, which does no harm.

        Debian's registry answers 500 while another one is just sending the same blob.
        """
        try:
            return self.has_blob(reference, descriptor)
        except (Unauthorized, RegistryUnreachable, NotARegistry):
            raise
        except HubError:
            return False

    def referrers(self, reference: Reference, digest: str, kind: str = "") -> tuple[Descriptor, ...]:
        """The artifacts about a manifest, by the registry's list or by the tag that stands for it."""
        return listed_referrers(self, reference, digest, kind)

    def tags(self, repository: str) -> tuple[str, ...]:
        """The tags of a repository, sorted; none where there is no such repository."""
        container = self._container(repository)
        start = self._url(container.manifest_url("x")).removesuffix("/manifests/x") + f"/tags/list?n={PAGE}"
        return tuple(sorted(set(self._paged(start, "tags") or ())))

    def repositories(self, first: int = 0) -> tuple[str, ...] | None:
        """The names of all repositories or of the first few, sorted; None where the registry tells none."""
        self.reach()
        start = f"{self.prefix}://{self.host}/v2/_catalog?n={first or PAGE}"
        found = self._paged(start, "repositories", pages=1 if first else 0)
        return None if found is None else tuple(sorted(set(found)))

    def delete(self, reference: Reference) -> None:
        """Remove a tag, or with a digest the image and all its tags.

        Raises HubError where the registry cannot remove the tag alone, or nothing at all.
        """
        container = self._container(reference.repository)
        response = self.do_request(self._url(container.manifest_url(reference.version)), "DELETE")
        if response.status_code in (200, 202, 204):
            return
        if response.status_code == 404:
            raise self._not_found(reference)
        if reference.digest or response.status_code not in (400, 405):
            raise self._undeletable(response, reference)
        digest = self.manifest(reference).digest
        shared = [
            tag
            for tag in self.tags(reference.repository)
            if tag != reference.tag and self._digest(reference, tag) == digest
        ]
        if shared:
            raise HubError(
                f"{self.host} removes images only, and {', '.join(shared[:5])} are the same image",
                where=str(reference),
                do="remove all of them by its digest, or keep the tag",
            )
        response = self.do_request(self._url(container.manifest_url(digest)), "DELETE")
        if response.status_code not in (200, 202, 204):
            raise self._undeletable(response, reference)

    def _undeletable(self, response: Any, reference: Reference) -> HubError:
        error = self._failed(response, str(reference))
        if response.status_code == 405:
            return HubError(error.what, where=error.where, do="ask its owner to allow deletion")
        return error

    def _digest(self, reference: Reference, tag: str) -> str:
        with suppress(HubError):
            return self.manifest(Reference(reference.repository, tag, "", reference.registry)).digest
        return ""

    def _put_manifest(self, reference: Reference, manifest: Blob, tag: str = "") -> Any:
        response = self.do_request(
            self._url(
                self._container(reference.repository).manifest_url(tag or reference.tag or manifest.digest)
            ),
            "PUT",
            data=manifest.parts,
            headers={"Content-Type": manifest.media_type},
        )
        self._expect(response, 201, str(reference))
        return response

    def _paged(self, page: str, name: str, pages: int = 0) -> list[str] | None:
        found: list[str] = []
        start, turn = page, 0
        while page and (not pages or turn < pages):
            turn += 1
            response = self.do_request(page)
            if response.status_code == 404:
                return found if name == "tags" else None
            if response.status_code in (400, 405, 501) and name == "repositories":
                return None
            self._expect(response, 200, page)
            try:
                said = json.loads(self._body(response))[name] or []
                if not all(isinstance(each, str) for each in said):
                    raise ValueError(name)
            except (ValueError, LookupError, TypeError, RecursionError):
                raise NotARegistry(
                    f"{self.host} answers what is no list of {name}",
                    where=start,
                    do="check the host and the port",
                ) from None
            found += said
            page = self._next(response, page) if said else ""
        return found

    def _next(self, response: Any, page: str) -> str:
        """The address of the next page of a list, on the same host; empty where this was the last."""
        match = re.search(r"<([^>]*)>\s*;\s*rel=\"?next", response.headers.get("Link", ""))
        following = urljoin(page, match[1]) if match else ""
        return following if urlsplit(following).netloc == self.host and following != page else ""

    def _not_found(self, reference: Reference) -> ImageNotFound:
        tags: tuple[str, ...] = ()
        with suppress(HubError):
            tags = self.tags(reference.repository)
        shown = [tag for tag in tags if not tag.startswith("sha256-")][-10:]
        do = f"take one of its tags: {', '.join(shown)}" if shown else "check the name, or push it first"
        return ImageNotFound(f"{self.host} has no image {reference}", where=self.host, do=do)

    def _container(self, repository: str) -> Any:
        """The name in the form of oras, which gives the addresses; their scheme is known from then on."""
        self.reach()
        namespace, _, name = repository.rpartition("/")
        if self.host == DOCKER_HUB and not namespace:
            namespace = "library"
        container = oras.container.Container(name, registry=self.host)
        container.registry, container.namespace, container.repository = self.host, namespace, name
        return container
