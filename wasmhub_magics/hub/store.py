"""The local store: images on this machine, with nothing to install.

Each repository is an OCI image layout (``oci-layout``, ``index.json``, ``blobs/sha256``), so that other tools
read it: ``skopeo inspect oci:STORE/team/greeter:v1``.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

from ..errors import HubError, ImageNotFound, NotAFilter, RequestError, StoreError
from ..paths import data_root
from .arrival import Work, checked
from .folder import Folder, cannot, subject_of, tag_of
from .image import Image, describe
from .layout import Coming, Packed
from .lock import locked
from .manifest import Blob, Descriptor
from .place import Moved, looked_for
from .quota import check_quota, parse_size
from .reference import Reference, parse_reference

__all__ = ["Store"]

T = TypeVar("T")

RESERVED = {"blobs", "index.json", "oci-layout"}
"""Names inside a layout, which no repository can have."""
CHANGES = ".changes"
"""The names of repositories that were written to, in order, so that an index knows what to read again."""


class Store:
    """The images on this machine, by default in ``$WASMHUB_STORE`` or the user's data directory (XDG).

    Any number of processes may use it at once: what is read is always whole, a writer that is killed leaves
    nothing behind that can be seen. Nothing is made before the first push. ``quota`` is the number of bytes
    that it may hold, by default that of ``$WASMHUB_QUOTA`` (such as ``2GB``), else any.
    """

    def __init__(self, path: str | Path | None = None, *, quota: int | None = None) -> None:
        self.path = Path(path).expanduser().absolute() if path is not None else _default_path()
        self.quota = parse_size(os.environ.get("WASMHUB_QUOTA", "")) if quota is None else quota

    def reach(self) -> None:
        """Nothing: it is made by the first push."""

    def repositories(self) -> tuple[str, ...]:
        """The names of all repositories, sorted. Raises StoreError where the store cannot be read."""
        found = []

        def failed(error: OSError) -> None:
            if not isinstance(error, FileNotFoundError):
                cannot(error, "read", self.path)

        for folder, folders, files in os.walk(self.path, onerror=failed):
            folders[:] = [name for name in folders if name not in RESERVED and not name.startswith(".")]
            if "index.json" in files and Path(folder) != self.path:
                found.append(Path(folder).relative_to(self.path).as_posix())
        return tuple(sorted(found))

    def tags(self, repository: str) -> tuple[str, ...]:
        """The tags of a repository, sorted; none where there is no such repository."""
        return tuple(sorted({tag for tag in map(tag_of, self.folder(repository).entries()) if tag}))

    def list(self) -> tuple[Image, ...]:
        """Every tagged image; what is damaged or no filter is left out. Raises StoreError as ``images``."""
        return tuple(image for image in self.images() if isinstance(image, Image))

    def images(self) -> Iterator[Image | HubError]:
        """Every tagged image, or in its place the error that says why it cannot be read."""
        for repository in self.repositories():
            yield from self.images_of(repository)

    def images_of(self, repository: str) -> Iterator[Image | HubError]:
        """Every tagged image of one repository, as ``images``."""
        try:
            tags = self.tags(repository)
        except StoreError as error:
            yield error
            return
        for tag in tags:
            if is_companion(tag):
                continue
            try:
                yield self.image(Reference(repository, tag))
            except HubError as error:
                yield error

    def image(self, reference: str | Reference) -> Image:
        """What an image is. Raises ImageNotFound, NotAFilter or StoreError."""
        return describe(self, parse_reference(reference))

    def delete(self, reference: str | Reference) -> None:
        """Remove a tag, or with a digest every tag of that image, and the blobs that nothing else needs.

        Raises ImageNotFound or StoreError.
        """
        name = parse_reference(reference)
        self.manifest(name)
        with self.writing(name.repository) as folder:
            kept = [entry for entry in folder.entries() if not _is(entry, name)]
            tagged = any(tag_of(entry) and not is_companion(tag_of(entry)) for entry in kept)
            folder.keep(kept if tagged else [])

    def location(self, reference: Reference) -> str:
        """The name that skopeo knows an image of this store by."""
        tag = f":{reference.tag}" if reference.tag else ""
        return f"oci:{self.path / reference.repository}{tag}"

    def manifest(self, reference: Reference) -> Blob:
        """The manifest of an image, its digest checked. Raises ImageNotFound, NotAFilter, StoreError."""
        folder = self.folder(reference.repository)
        for entry in folder.entries():
            if _is(entry, reference):
                descriptor = Descriptor.parse(entry, str(reference))
                return Blob(descriptor.media_type, self.blob(reference, descriptor))
        tags = [tag for tag in self.tags(reference.repository) if not is_companion(tag)]
        if tags:
            do = f"take one of its tags: {', '.join(tags[-10:])}"
        else:
            do = "push it first, or put the registry before the name if it is in one"
        raise ImageNotFound(f"the local store has no image {reference}", where=str(folder.path), do=do)

    def child(self, reference: Reference, descriptor: Descriptor) -> Blob:
        """A manifest that an index names."""
        return Blob(descriptor.media_type, self.blob(reference, descriptor))

    def blob(self, reference: Reference, descriptor: Descriptor) -> bytes:
        """The bytes of a blob, whose digest was checked. Raises NotAFilter where they are damaged."""
        return self.read(reference, descriptor, b"".join)

    def read(
        self, reference: Reference, descriptor: Descriptor, work: Work[T], moved: Moved | None = None
    ) -> T:
        """What ``work`` makes of a blob, whose digest is checked. Raises NotAFilter where it is damaged."""
        path = self.folder(reference.repository).blob_path(descriptor.digest)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            raise NotAFilter(
                f"the image is damaged: {descriptor.digest[:19]} is missing",
                where=str(path),
                do="push the image again",
            ) from None
        except OSError as error:
            cannot(error, "read", path)
        if moved:
            moved(descriptor.title or descriptor.digest[:19], len(data), len(data))
        return checked([data], descriptor, str(path), work)

    def has_blob(self, reference: Reference, descriptor: Descriptor) -> bool:
        """Whether a blob is there, in the size that it should have."""
        path = self.folder(reference.repository).blob_path(descriptor.digest)
        with contextlib.suppress(FileNotFoundError):
            return path.stat().st_size == descriptor.size
        return False

    def begin(self, reference: Reference, coming: Coming, moved: Moved | None = None) -> None:
        """Nothing: a file is written in no time."""

    def write(self, reference: Reference, packed: Packed, moved: Moved | None = None) -> None:
        """Put an image into the store under a tag, which moves there if another image had it.

        Raises StoreError where the store cannot be written; then it is as it was.
        """
        with self.writing(reference.repository) as folder:
            blobs = (*packed.blobs, packed.manifest)
            check_quota(self.path, self.quota, sum(blob.size for blob in blobs))
            for blob in blobs:
                folder.put_blob(blob.digest, blob.data)
                if moved:
                    moved(blob.digest[:19], blob.size, blob.size)
            folder.add(packed.descriptor, reference.tag, packed.subject.digest if packed.subject else "")
            for blob in packed.blobs:
                looked_for(self, reference, blob.descriptor)

    def referrers(self, reference: Reference, digest: str, kind: str = "") -> tuple[Descriptor, ...]:
        """The artifacts about the manifest of a digest, of one type or of every type."""
        entries = self.folder(reference.repository).entries()
        about = (Descriptor.parse(e, str(reference)) for e in entries if subject_of(e) == digest)
        return tuple(each for each in about if not kind or each.artifact_type == kind)

    def folder(self, repository: str) -> Folder:
        """The layout of a repository. Raises RequestError for a name that no repository here can have."""
        parts = repository.split("/")
        taken = RESERVED.intersection(parts)
        if taken:
            raise RequestError(
                f"the local store cannot have a repository {repository!r}",
                do=f"choose another name than {sorted(taken)[0]}: layouts use it for themselves",
            )
        return Folder(self.path.joinpath(*parts), self.path / ".partial")

    @contextlib.contextmanager
    def writing(self, repository: str) -> Iterator[Folder]:
        """Hold the store's lock over one repository; an OSError inside becomes a StoreError."""
        folder = self.folder(repository)
        try:
            (self.path / ".partial").mkdir(parents=True, exist_ok=True)
            with locked(self.path):
                for leftover in (self.path / ".partial").iterdir():  # of writers that were killed
                    leftover.unlink()
                with (self.path / CHANGES).open("a") as changes:
                    changes.write(f"{repository}\n")
                yield folder
        except OSError as error:
            cannot(error, "written", folder.path)

    def __repr__(self) -> str:
        return f"<Store {self.path}>"


def is_companion(tag: str) -> bool:
    """Whether a tag stands for something about an image: a signature of cosign, or a list of referrers."""
    return bool(re.fullmatch(r"sha256-[0-9a-f]{64}(\.[a-z]+)?", tag))


def _default_path() -> Path:
    own = os.environ.get("WASMHUB_STORE")
    return Path(own).expanduser().absolute() if own else data_root() / "store"


def _is(entry: dict[str, Any], reference: Reference) -> bool:
    if reference.digest:
        return entry.get("digest") == reference.digest
    return tag_of(entry) == reference.tag
