"""What an image is made of: blobs, the descriptors that point to them, and the manifest that lists these.

The forms are those of the OCI image specification 1.1 and of Docker's image manifest 2, schema 2.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ..errors import NotAFilter

__all__ = [
    "ACCEPTED",
    "DOCKER_MANIFEST",
    "INDEX",
    "LARGEST_BLOB",
    "LARGEST_MANIFEST",
    "MANIFEST",
    "Blob",
    "Descriptor",
    "Manifest",
]

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
ACCEPTED = (MANIFEST, INDEX, DOCKER_MANIFEST, DOCKER_INDEX)

LARGEST_MANIFEST = 4 << 20
"""Bytes of a manifest, as registries limit it (OCI distribution specification 1.1)."""
LARGEST_BLOB = 256 << 20
"""Bytes of a layer and of a module, as Istio's agent limits it (``pkg/wasm/httpfetcher.go``)."""

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True, repr=False)
class Blob:
    """Bytes with a media type, known by their digest."""

    media_type: str
    data: bytes

    @cached_property
    def digest(self) -> str:
        """``sha256:`` and the hex digest of the bytes."""
        return "sha256:" + hashlib.sha256(self.data).hexdigest()

    @property
    def descriptor(self) -> Descriptor:
        """What points to it."""
        return Descriptor(self.media_type, self.digest, len(self.data))

    def __repr__(self) -> str:
        return f"<Blob {self.media_type}, {len(self.data)} bytes, {self.digest[:19]}>"


@dataclass(frozen=True, slots=True)
class Descriptor:
    """What points to a blob: its media type, digest and size in bytes."""

    media_type: str
    digest: str
    size: int
    annotations: Mapping[str, str] = field(default_factory=dict, hash=False)
    platform: str = ""

    @classmethod
    def parse(cls, value: object, where: str) -> Descriptor:
        """Read the JSON form. Raises NotAFilter where it is none."""
        if not isinstance(value, dict):
            raise _odd("a descriptor is no object", where)
        digest, size, kind = value.get("digest"), value.get("size"), value.get("mediaType", "")
        if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
            raise _odd(f"the digest {digest!r} is not of sha256", where)
        if not isinstance(size, int) or isinstance(size, bool) or size < 0 or not isinstance(kind, str):
            raise _odd(f"the descriptor of {digest[:19]} is incomplete", where)
        platform = value.get("platform")
        system = platform if isinstance(platform, dict) else {}
        name = f"{system.get('os', '')}/{system.get('architecture', '')}" if system else ""
        return cls(kind, digest, size, _texts(value.get("annotations")), name)

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return {"mediaType": self.media_type, "digest": self.digest, "size": self.size}

    def check(self, data: bytes, where: str) -> bytes:
        """The same bytes. Raises NotAFilter where they are not those that it points to."""
        if len(data) != self.size or "sha256:" + hashlib.sha256(data).hexdigest() != self.digest:
            raise NotAFilter(
                f"the content is damaged: the bytes of {self.digest[:19]} do not match their digest",
                where=where,
                do="push the image again, or take another tag",
            )
        return data


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest (``layers`` and ``config``) or an index of manifests (``children``)."""

    media_type: str
    layers: tuple[Descriptor, ...]
    children: tuple[Descriptor, ...]
    config: Descriptor | None
    annotations: Mapping[str, str]

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
        if not isinstance(layers, list) or not isinstance(children, list) or not (layers or children):
            raise _odd("the manifest lists no layers", where)
        return cls(
            kind,
            tuple(Descriptor.parse(each, where) for each in layers),
            tuple(Descriptor.parse(each, where) for each in children),
            Descriptor.parse(value["config"], where) if value.get("config") else None,
            _texts(value.get("annotations")),
        )


def _texts(value: object) -> dict[str, str]:
    found = value if isinstance(value, dict) else {}
    return {key: text for key, text in found.items() if isinstance(text, str)}


def _odd(what: str, where: str) -> NotAFilter:
    return NotAFilter(what, where=where, do="push the image again with a tool that writes OCI images")
