"""What an image is made of: blobs, the descriptors that point to them, and the manifest that lists these.

The forms are those of the OCI image specification 1.1 and of Docker's image manifest 2, schema 2.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from ..errors import NotAFilter
from .notes import TITLE
from .pieces import Piece, sha256

__all__ = [
    "ACCEPTED",
    "DIGEST",
    "DOCKER_MANIFEST",
    "EMPTY",
    "INDEX",
    "LARGEST_BLOB",
    "LARGEST_MANIFEST",
    "MANIFEST",
    "Blob",
    "Descriptor",
    "Manifest",
]

EMPTY = "application/vnd.oci.empty.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
ACCEPTED = (MANIFEST, INDEX, DOCKER_MANIFEST, DOCKER_INDEX)

LARGEST_MANIFEST = 4 << 20
"""Bytes of a manifest, as registries limit it (OCI distribution specification 1.1)."""
LARGEST_BLOB = 256 << 20
"""Bytes of a layer and of a module, as Istio's agent limits it (``pkg/wasm/httpfetcher.go``)."""

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True, repr=False)
class Blob:
    """Bytes with a media type, known by their digest; they may be given in parts."""

    media_type: str
    content: bytes | tuple[Piece, ...]

    @classmethod
    def hashed(cls, media_type: str, content: tuple[Piece, ...], digest: str) -> Blob:
        """A blob whose digest was computed while it was made."""
        made = cls(media_type, content)
        object.__setattr__(made, "digest", digest)
        return made

    @property
    def parts(self) -> tuple[Piece, ...]:
        """The bytes as they were given."""
        return (self.content,) if isinstance(self.content, bytes) else self.content

    @cached_property
    def data(self) -> bytes:
        """The bytes, whole."""
        return self.content if isinstance(self.content, bytes) else b"".join(self.content)

    @cached_property
    def size(self) -> int:
        """The number of bytes."""
        return sum(map(len, self.parts))

    @cached_property
    def digest(self) -> str:
        """``sha256:`` and the hex digest of the bytes."""
        return sha256(self.parts)

    @property
    def descriptor(self) -> Descriptor:
        """What points to it."""
        return Descriptor(self.media_type, self.digest, self.size)

    def __repr__(self) -> str:
        return f"<Blob {self.media_type}, {self.size} bytes, {self.digest[:19]}>"


@dataclass(frozen=True, slots=True)
class Descriptor:
    """What points to a blob: its media type, digest and size in bytes."""

    media_type: str
    digest: str
    size: int
    annotations: Mapping[str, str] = field(default_factory=dict, hash=False)
    platform: str = ""
    artifact_type: str = ""

    @classmethod
    def parse(cls, value: object, where: str) -> Descriptor:
        """Read the JSON form. Raises NotAFilter where it is none."""
        if not isinstance(value, dict):
            raise _odd("a descriptor is no object", where)
        digest, size, kind = value.get("digest"), value.get("size"), value.get("mediaType", "")
        if not isinstance(digest, str) or not DIGEST.fullmatch(digest):
            raise _odd(f"the digest {digest!r} is not of sha256", where)
        if not isinstance(size, int) or isinstance(size, bool) or size < 0 or not isinstance(kind, str):
            raise _odd(f"the descriptor of {digest[:19]} is incomplete", where)
        platform = value.get("platform")
        system = platform if isinstance(platform, dict) else {}
        name = f"{system.get('os', '')}/{system.get('architecture', '')}" if system else ""
        artifact = value.get("artifactType")
        return cls(
            kind,
            digest,
            size,
            _texts(value.get("annotations")),
            name,
            artifact if isinstance(artifact, str) else "",
        )

    @property
    def title(self) -> str:
        """The name of the file that it points to; empty where it has none."""
        return self.annotations.get(TITLE, "")

    def titled(self, name: str) -> Descriptor:
        """The same with the name of a file, without which tools such as oras pull nothing."""
        return replace(self, annotations={**self.annotations, TITLE: name})

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        value: dict[str, Any] = {"mediaType": self.media_type, "digest": self.digest, "size": self.size}
        value |= {"artifactType": self.artifact_type} if self.artifact_type else {}
        return value | ({"annotations": dict(self.annotations)} if self.annotations else {})

    def check(self, data: bytes, where: str) -> bytes:
        """The same bytes. Raises NotAFilter where they are not those that it points to."""
        self.compare(len(data), sha256([data]), where)
        return data

    def compare(self, size: int, digest: str, where: str) -> None:
        """Raise NotAFilter where bytes of this size and digest are not those that it points to."""
        if (size, digest) != (self.size, self.digest):
            raise NotAFilter(
                f"the content is damaged: the bytes of {self.digest[:19]} do not match their digest",
                where=where,
                do="push the image again, or take another tag",
            )


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest (``layers`` and ``config``) or an index of manifests (``children``)."""

    media_type: str
    layers: tuple[Descriptor, ...]
    children: tuple[Descriptor, ...]
    config: Descriptor | None
    annotations: Mapping[str, str]
    subject: Descriptor | None = None
    artifact_type: str = ""

    @classmethod
    def parse(cls, blob: Blob, where: str) -> Manifest:
        """Read a manifest or an index. Raises NotAFilter where it is neither."""
        try:
            value = json.loads(blob.data)
        except (ValueError, RecursionError):
            raise _odd("the manifest is no JSON", where) from None
        if not isinstance(value, dict):
            raise _odd("the manifest is no object", where)
        kind = value.get("mediaType") or blob.media_type
        layers, children = value.get("layers") or [], value.get("manifests") or []
        if kind not in ACCEPTED:
            kind = INDEX if children else MANIFEST
        listed = isinstance(layers, list) and isinstance(children, list)
        if not listed or not (layers or children or kind in (INDEX, DOCKER_INDEX)):
            raise _odd("the manifest lists no layers", where)
        return cls(
            kind,
            tuple(Descriptor.parse(each, where) for each in layers),
            tuple(Descriptor.parse(each, where) for each in children),
            Descriptor.parse(value["config"], where) if value.get("config") else None,
            _texts(value.get("annotations")),
            Descriptor.parse(value["subject"], where) if value.get("subject") else None,
            _artifact_type(value),
        )


def _artifact_type(value: dict[str, Any]) -> str:
    """What an artifact is: its own word, else the type of its configuration (OCI image specification 1.1)."""
    own, config = value.get("artifactType"), value.get("config")
    kind = own or (config.get("mediaType") if isinstance(config, dict) else "")
    return kind if isinstance(kind, str) else ""


def _texts(value: object) -> dict[str, str]:
    found = value if isinstance(value, dict) else {}
    return {key: text for key, text in found.items() if isinstance(text, str)}


def _odd(what: str, where: str) -> NotAFilter:
    return NotAFilter(what, where=where, do="push the image again with a tool that writes OCI images")
