"""The local store: images on this machine, with nothing to install.

Each repository is an OCI image layout (``oci-layout``, ``index.json``, ``blobs/sha256``), so that other tools
read it: ``skopeo inspect oci:STORE/team/greeter:v1``.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from ..errors import HubError, ImageNotFound, NotAFilter, RequestError, StoreError
from .image import Image, describe
from .layout import Packed
from .manifest import INDEX, Blob, Descriptor
from .reference import Reference, parse_reference

__all__ = ["Store"]

REF_NAME = "org.opencontainers.image.ref.name"
RESERVED = {"blobs", "index.json", "oci-layout"}
"""Names inside a layout, which no repository can have."""

LOCK_SECONDS = 60.0
"""How long a writer waits for another one; writing takes far less than a second."""


class Store:
    """The images on this machine, by default in ``$WASMHUB_STORE`` or the user's data directory (XDG).

    Any number of processes may use it at once: what is read is always whole, a writer that is killed leaves
    nothing behind that can be seen. Nothing is made before the first push.
    """

    def __init__(self, path: str | Path | None = None) -> None:
        self.path = Path(path).expanduser().absolute() if path is not None else _default_path()

    def repositories(self) -> tuple[str, ...]:
        """The names of all repositories, sorted. Raises StoreError where the store cannot be read."""
        found = []

        def failed(error: OSError) -> None:
            if not isinstance(error, FileNotFoundError):
                self._fail(error, "read")

        for folder, folders, files in os.walk(self.path, onerror=failed):
            folders[:] = [name for name in folders if name not in RESERVED and not name.startswith(".")]
            if "index.json" in files and Path(folder) != self.path:
                found.append(Path(folder).relative_to(self.path).as_posix())
        return tuple(sorted(found))

    def tags(self, repository: str) -> tuple[str, ...]:
        """The tags of a repository, sorted; none where there is no such repository."""
        found = (_tag(entry) for entry in self._index(repository)["manifests"])
        return tuple(sorted({tag for tag in found if tag}))

    def list(self) -> tuple[Image, ...]:
        """Every tagged image; what is damaged or no filter is left out. Raises StoreError as ``images``."""
        return tuple(image for image in self.images() if isinstance(image, Image))

    def images(self) -> Iterator[Image | HubError]:
        """Every tagged image, or in its place the error that says why it cannot be read."""
        for repository in self.repositories():
            try:
                tags = self.tags(repository)
            except StoreError as error:
                yield error
                continue
            for tag in tags:
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
        folder = self._folder(name.repository)
        self.manifest(name)
        with self._writing(folder):
            index = self._index(name.repository)
            kept = [entry for entry in index["manifests"] if not _is(entry, name)]
            if not any(_tag(entry) for entry in kept):
                self._remove(folder)
                return
            self._replace(folder / "index.json", _json({**index, "manifests": kept}))
            needed = {digest for entry in kept for digest in self._reachable(folder, entry["digest"])}
            for path in (folder / "blobs" / "sha256").iterdir():
                if f"sha256:{path.name}" not in needed:
                    path.unlink()

    def location(self, reference: Reference) -> str:
        """The name that skopeo knows an image of this store by."""
        tag = f":{reference.tag}" if reference.tag else ""
        return f"oci:{self.path / reference.repository}{tag}"

    def manifest(self, reference: Reference) -> Blob:
        """The manifest of an image, its digest checked. Raises ImageNotFound, NotAFilter, StoreError."""
        for entry in self._index(reference.repository)["manifests"]:
            if _is(entry, reference):
                descriptor = Descriptor.parse(entry, str(reference))
                return Blob(descriptor.media_type, self.blob(reference, descriptor))
        tags = self.tags(reference.repository)
        if tags:
            do = f"take one of its tags: {', '.join(tags[-10:])}"
        else:
            do = "push it first, or put the registry before the name if it is in one"
        raise ImageNotFound(
            f"the local store has no image {reference}", where=str(self.path / reference.repository), do=do
        )

    def child(self, reference: Reference, descriptor: Descriptor) -> Blob:
        """A manifest that an index names."""
        return Blob(descriptor.media_type, self.blob(reference, descriptor))

    def blob(self, reference: Reference, descriptor: Descriptor) -> bytes:
        """The bytes of a blob, whose digest was checked. Raises NotAFilter where they are damaged."""
        path = self._blob_path(self._folder(reference.repository), descriptor.digest)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            raise NotAFilter(
                f"the image is damaged: {descriptor.digest[:19]} is missing",
                where=str(path),
                do="push the image again",
            ) from None
        except OSError as error:
            self._fail(error, "read", path)
        return descriptor.check(data, str(path))

    def write(self, reference: Reference, packed: Packed) -> None:
        """Put an image into the store under a tag, which moves there if another image had it.

        Raises StoreError where the store cannot be written; then it is as it was.
        """
        folder = self._folder(reference.repository)
        manifest = packed.manifest
        with self._writing(folder):
            blobs = folder / "blobs" / "sha256"
            blobs.mkdir(parents=True, exist_ok=True)
            for blob in (*packed.blobs, manifest):
                path = self._blob_path(folder, blob.digest)
                if not _holds(path, blob.data):
                    self._replace(path, blob.data)
            _sync(blobs)
            if not (folder / "oci-layout").exists():
                self._replace(folder / "oci-layout", _json({"imageLayoutVersion": "1.0.0"}))
            index = self._index(reference.repository)
            entries = [_untagged(e, reference.tag) for e in index["manifests"]]
            entries = [e for e in entries if _tag(e) or e.get("digest") != manifest.digest]
            entry: dict[str, Any] = manifest.descriptor.to_dict()
            if reference.tag:
                entry["annotations"] = {REF_NAME: reference.tag}
            self._replace(folder / "index.json", _json({**index, "manifests": [*entries, entry]}))
            for each in (folder, *folder.parents):
                _sync(each)
                if each == self.path:
                    break

    @contextlib.contextmanager
    def _writing(self, folder: Path) -> Iterator[None]:
        """Hold the store's lock; an OSError inside becomes a StoreError, and leftovers of the dead go."""
        import fcntl

        try:
            (self.path / ".partial").mkdir(parents=True, exist_ok=True)
            with (self.path / ".lock").open("ab") as lock:
                deadline = time.monotonic() + LOCK_SECONDS
                while True:
                    try:
                        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                        break
                    except BlockingIOError:
                        if time.monotonic() > deadline:
                            raise StoreError(
                                f"another process has been writing for {LOCK_SECONDS:.0f} seconds",
                                where=str(self.path),
                                do="end it if it hangs (see fuser), then push again",
                            ) from None
                        time.sleep(0.005)
                for leftover in (self.path / ".partial").iterdir():
                    leftover.unlink()
                yield
        except OSError as error:
            self._fail(error, "written", folder)

    def _remove(self, folder: Path) -> None:
        """Take a whole repository away, but not those whose names start with its own."""
        (folder / "index.json").unlink()
        (folder / "oci-layout").unlink(missing_ok=True)
        shutil.rmtree(folder / "blobs")
        for each in (folder, *folder.parents):
            if each == self.path or any(each.iterdir()):
                break
            each.rmdir()

    def _replace(self, path: Path, data: bytes) -> None:
        """Put a file in its place whole; until then nobody sees it."""
        handle, partial = tempfile.mkstemp(dir=self.path / ".partial")
        try:
            with os.fdopen(handle, "wb") as file:
                os.fchmod(file.fileno(), 0o644)
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            Path(partial).replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(partial).unlink()
            raise

    def _index(self, repository: str) -> dict[str, Any]:
        path = self._folder(repository) / "index.json"
        try:
            index = json.loads(path.read_bytes())
        except FileNotFoundError:
            index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": []}
        except OSError as error:
            self._fail(error, "read", path)
        except (ValueError, RecursionError):
            index = None
        entries = index.get("manifests") if isinstance(index, dict) else None
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise StoreError(
                "the list of images of a repository is damaged",
                where=str(path),
                do=f"move {path.parent} away and push its images again",
            )
        result: dict[str, Any] = index
        return result

    def _reachable(self, folder: Path, digest: str) -> Iterator[str]:
        """A manifest, what it names, and so on."""
        yield digest
        try:
            value = json.loads(self._blob_path(folder, digest).read_bytes())
        except (FileNotFoundError, ValueError, RecursionError):
            return
        if not isinstance(value, dict):
            return
        for named in (value.get("config"), *(value.get("layers") or [])):
            if isinstance(named, dict):
                yield str(named.get("digest"))
        for child in value.get("manifests") or []:
            yield from self._reachable(folder, str(child.get("digest")))

    def _folder(self, repository: str) -> Path:
        parts = repository.split("/")
        taken = RESERVED.intersection(parts)
        if taken:
            raise RequestError(
                f"the local store cannot have a repository {repository!r}",
                do=f"choose another name than {sorted(taken)[0]}: layouts use it for themselves",
            )
        return self.path.joinpath(*parts)

    @staticmethod
    def _blob_path(folder: Path, digest: str) -> Path:
        return folder / "blobs" / "sha256" / digest.removeprefix("sha256:")

    def _fail(self, error: OSError, done: str, path: Path | None = None) -> NoReturn:
        elsewhere = "set WASMHUB_STORE to another directory"
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            do = f"free some space, or {elsewhere}"
        elif error.errno == errno.EFBIG:
            do = "raise the limit of file sizes (ulimit -f)"
        elif error.errno in (errno.ENOTDIR, errno.EEXIST, errno.EISDIR):
            do = f"move away the file that is where a directory should be, or {elsewhere}"
        else:
            do = f"give yourself the right to it, or {elsewhere}"
        place = error.filename or path or self.path
        raise StoreError(
            f"the local store cannot be {done}: {error.strerror or error}", where=str(place), do=do
        ) from None

    def __repr__(self) -> str:
        return f"<Store {self.path}>"


def _default_path() -> Path:
    own = os.environ.get("WASMHUB_STORE")
    if own:
        return Path(own).expanduser().absolute()
    base = os.environ.get("XDG_DATA_HOME")
    data = Path(base) if base else Path("~/.local/share").expanduser()
    return (data / "wasmhub" / "store").absolute()


def _json(value: object) -> bytes:
    return json.dumps(value, indent=2, ensure_ascii=False).encode() + b"\n"


def _tag(entry: dict[str, Any]) -> str:
    notes = entry.get("annotations")
    tag = notes.get(REF_NAME) if isinstance(notes, dict) else None
    return tag if isinstance(tag, str) else ""


def _untagged(entry: dict[str, Any], tag: str) -> dict[str, Any]:
    if not tag or _tag(entry) != tag:
        return entry
    notes = {key: value for key, value in entry["annotations"].items() if key != REF_NAME}
    return {**entry, "annotations": notes}


def _is(entry: dict[str, Any], reference: Reference) -> bool:
    if reference.digest:
        return entry.get("digest") == reference.digest
    return _tag(entry) == reference.tag


def _holds(path: Path, data: bytes) -> bool:
    try:
        return path.stat().st_size == len(data) and path.read_bytes() == data
    except FileNotFoundError:
        return False


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
