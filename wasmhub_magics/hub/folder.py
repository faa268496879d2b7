"""One OCI image layout on disk: ``oci-layout``, ``index.json`` and ``blobs/sha256``.

Whoever writes holds the store's lock. Every file appears whole or not at all.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from ..errors import StoreError, StoreFull
from .manifest import INDEX, Descriptor

__all__ = ["REF_NAME", "SUBJECT", "Folder", "cannot", "replace_file", "subject_of", "sync", "tag_of"]

REF_NAME = "org.opencontainers.image.ref.name"
SUBJECT = "wasmhub.store/subject"
"""Annotation of an entry of the index: the digest of the manifest that an artifact is about."""


class Folder:
    """An image layout in a directory; ``partial`` is where files are before they are whole."""

    def __init__(self, path: Path, partial: Path) -> None:
        self.path = path
        self.partial = partial
        self.blobs = path / "blobs" / "sha256"

    def blob_path(self, digest: str) -> Path:
        """Where the blob of a digest is, if it is there."""
        return self.blobs / digest.removeprefix("sha256:")

    def entries(self) -> list[dict[str, Any]]:
        """What the index lists. Raises StoreError where it is damaged."""
        entries: list[dict[str, Any]] = self._index()["manifests"]
        return entries

    def put_blob(self, digest: str, data: bytes) -> None:
        """Write a blob, unless it is there undamaged."""
        path = self.blob_path(digest)
        if not _holds(path, data):
            self.blobs.mkdir(parents=True, exist_ok=True)
            replace_file(path, data, self.partial)

    def link_blob(self, digest: str, source: Path) -> bool:
        """Take a blob from another place of the same disk; false where it is not there."""
        path = self.blob_path(digest)
        if path.exists():
            return True
        self.blobs.mkdir(parents=True, exist_ok=True)
        try:
            os.link(source, path)
        except FileNotFoundError:
            return False
        except FileExistsError:
            pass
        except OSError:  # a file system without links
            part = self.partial / f"link-{path.name}"
            shutil.copyfile(source, part)
            part.replace(path)
        return True

    def add(self, descriptor: Descriptor, tag: str, subject: str = "") -> None:
        """List a manifest, whose blobs are here already; a tag moves to it."""
        index = self._index()
        entries = [_untagged(entry, tag) for entry in index["manifests"]]
        entries = [e for e in entries if tag_of(e) or e.get("digest") != descriptor.digest]
        entry = descriptor.to_dict()
        notes = dict(entry.pop("annotations", {}))
        notes |= {REF_NAME: tag} if tag else {}
        notes |= {SUBJECT: subject} if subject else {}
        entry |= {"annotations": notes} if notes else {}
        if not (self.path / "oci-layout").exists():
            replace_file(self.path / "oci-layout", _json({"imageLayoutVersion": "1.0.0"}), self.partial)
        self._write(index, [*entries, entry])

    def keep(self, entries: list[dict[str, Any]]) -> int:
        """List these manifests only, and what is about them; remove what nothing needs. Gives its bytes."""
        kept = self._with_subjects(entries)
        if not kept:
            return self._remove()
        before = self._index()
        if kept != before["manifests"]:
            self._write(before, kept)
        needed = {digest for entry in kept for digest in self._reachable(str(entry.get("digest")))}
        freed = 0
        with contextlib.suppress(FileNotFoundError):
            for path in self.blobs.iterdir():
                if f"sha256:{path.name}" not in needed:
                    freed += path.stat().st_size
                    path.unlink()
        return freed

    def _with_subjects(self, entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Without the artifacts about manifests that are not there."""
        kept = entries
        while True:
            there = {digest for entry in kept for digest in self.manifests(str(entry.get("digest")))}
            left = [entry for entry in kept if subject_of(entry) in ("", *there)]
            if len(left) == len(kept):
                return kept
            kept = left

    def manifests(self, digest: str) -> Iterator[str]:
        """The digest of a manifest, those of the manifests that it lists, and so on."""
        yield digest
        value = self._value(digest)
        for child in value.get("manifests") or []:
            if isinstance(child, dict):
                yield from self.manifests(str(child.get("digest")))

    def _reachable(self, digest: str) -> Iterator[str]:
        """A manifest, what it names, and so on."""
        yield digest
        value = self._value(digest)
        for named in (value.get("config"), *(value.get("layers") or [])):
            if isinstance(named, dict):
                yield str(named.get("digest"))
        for child in value.get("manifests") or []:
            if isinstance(child, dict):
                yield from self._reachable(str(child.get("digest")))

    def _value(self, digest: str) -> dict[str, Any]:
        try:
            value = json.loads(self.blob_path(digest).read_bytes())
        except (FileNotFoundError, ValueError, RecursionError):
            return {}
        return value if isinstance(value, dict) else {}

    def _remove(self) -> int:
        """Take the layout away, but not those whose names start with its own."""
        freed = sum(path.stat().st_size for path in self.blobs.iterdir()) if self.blobs.exists() else 0
        (self.path / "index.json").unlink(missing_ok=True)
        (self.path / "oci-layout").unlink(missing_ok=True)
        shutil.rmtree(self.path / "blobs", ignore_errors=True)
        for each in (self.path, *self.path.parents):
            if each == self.partial.parent or any(each.iterdir()):
                break
            each.rmdir()
        return freed

    def _write(self, index: dict[str, Any], entries: list[dict[str, Any]]) -> None:
        sync(self.blobs)
        replace_file(self.path / "index.json", _json({**index, "manifests": entries}), self.partial)
        for each in (self.path, *self.path.parents):
            sync(each)
            if each == self.partial.parent:
                break

    def _index(self) -> dict[str, Any]:
        path = self.path / "index.json"
        try:
            index = json.loads(path.read_bytes())
        except FileNotFoundError:
            index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": []}
        except OSError as error:
            cannot(error, "read", path)
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


def replace_file(path: Path, data: bytes, partial: Path) -> None:
    """Put a file in its place whole; until then nobody sees it."""
    handle, name = tempfile.mkstemp(dir=partial)
    try:
        with os.fdopen(handle, "wb") as file:
            os.fchmod(file.fileno(), 0o644)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise


def sync(folder: Path) -> None:
    """Wait until the names in a directory are on the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def cannot(error: OSError, done: str, path: Path) -> NoReturn:
    """Raise the StoreError that an error of the system is to a user."""
    elsewhere = "set WASMHUB_STORE to another directory"
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    if full:
        do = f"free some space (wasmhub hub gc may help), or {elsewhere}"
    elif error.errno == errno.EFBIG:
        do = "raise the limit of file sizes (ulimit -f)"
    elif error.errno in (errno.ENOTDIR, errno.EEXIST, errno.EISDIR):
        do = f"move away the file that is where a directory should be, or {elsewhere}"
    else:
        do = f"give yourself the right to it, or {elsewhere}"
    raise (StoreFull if full else StoreError)(
        f"the local store cannot be {done}: {error.strerror or error}",
        where=str(error.filename or path),
        do=do,
    ) from None


def tag_of(entry: dict[str, Any]) -> str:
    """The tag of an entry of an index; empty where it has none."""
    return _note(entry, REF_NAME)


def subject_of(entry: dict[str, Any]) -> str:
    """The digest of what an entry is about; empty where it is about nothing."""
    return _note(entry, SUBJECT)


def _note(entry: dict[str, Any], name: str) -> str:
    notes = entry.get("annotations")
    text = notes.get(name) if isinstance(notes, dict) else None
    return text if isinstance(text, str) else ""


def _untagged(entry: dict[str, Any], tag: str) -> dict[str, Any]:
    if not tag or tag_of(entry) != tag:
        return entry
    notes = {key: value for key, value in entry["annotations"].items() if key != REF_NAME}
    return {**entry, "annotations": notes}


def _json(value: object) -> bytes:
    return json.dumps(value, indent=2, ensure_ascii=False).encode() + b"\n"


def _holds(path: Path, data: bytes) -> bool:
    try:
        return path.stat().st_size == len(data) and path.read_bytes() == data
    except FileNotFoundError:
        return False
