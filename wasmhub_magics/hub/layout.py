"""How a filter lies in an image: what is written.

``compat`` is an ordinary image of one layer that holds ``plugin.wasm`` (``spec-compat.md`` of the Wasm image
specification): Istio, Envoy Gateway, docker and Kubernetes read it. ``solo`` has two layers, the module bare
(``spec.md`` there). ``cncf`` has the module as its only layer, as wkg, Spin and wasmCloud want it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal, TypeAlias, get_args

from ..errors import RequestError
from ..module import Module
from .archive import PLUGIN, RUNTIME, gzipped, tarred
from .arrival import Beside
from .manifest import LARGEST_BLOB, LARGEST_MANIFEST, MANIFEST, Blob, Descriptor
from .notes import (
    ABI,
    AUTHORS,
    CREATED,
    MODULE_DIGEST,
    MODULE_SIZE,
    ROOT_ID,
    RUNTIME_TYPE,
    TITLE,
    VARIANT,
)
from .pieces import Piece, sha256
from .stored import Stored

__all__ = [
    "BARE",
    "DOCKER_LAYER",
    "LAYER",
    "LAYOUTS",
    "SOLO_CONFIG",
    "SOLO_LAYER",
    "Coming",
    "Layout",
    "Packed",
    "pack",
]

Layout = Literal["compat", "solo", "cncf"]
LAYOUTS: tuple[Layout, ...] = get_args(Layout)

CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
SOLO_CONFIG = "application/vnd.module.wasm.config.v1+json"
SOLO_LAYER = "application/vnd.module.wasm.content.layer.v1+wasm"
CNCF_CONFIG = "application/vnd.wasm.config.v0+json"
CNCF_LAYER = "application/wasm"
BARE = {
    SOLO_LAYER: "solo",
    CNCF_LAYER: "cncf",
    "application/vnd.wasm.content.layer.v1+wasm": "wasm-to-oci",
}
"""Layers that are the module itself, and the name of their layout."""

EPOCH = "1970-01-01T00:00:00Z"
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


@dataclass(frozen=True)
class Packed:
    """An image or an artifact ready to be written: first its blobs, then the manifest that names them.

    ``subject`` is the manifest that an artifact is about, where it is about one.
    """

    blobs: tuple[Blob, ...]
    manifest: Blob
    subject: Descriptor | None = None
    artifact_type: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict)

    @property
    def descriptor(self) -> Descriptor:
        """What points to it from a list of what is about its subject."""
        made = self.manifest.descriptor
        return Descriptor(
            made.media_type, made.digest, made.size, self.annotations, artifact_type=self.artifact_type
        )


@dataclass(frozen=True)
class Coming:
    """The blobs of an image, and what has their digests computed.

    The first one is the layer, which is of ``size`` bytes and begins with ``known``.
    """

    size: int
    known: tuple[Piece, ...]
    start: Callable[[], tuple[Beside[Blob], ...]]


Ahead: TypeAlias = Callable[[Coming], object]


def pack(
    module: Module,
    *,
    name: str,
    layout: Layout = "compat",
    abi: str | None = None,
    root_id: str = "",
    annotations: Mapping[str, str] | None = None,
    compress: bool = False,
    ahead: Ahead | None = None,
) -> Packed:
    """Make an image. The same arguments give the same bytes and so the same digest, on every machine.

    ``abi`` is the module's own where it is None. ``compress`` makes the layer of the compat layout smaller;
    its digest then depends on the machine's zlib. Without that ``ahead`` is given the blobs of that layout
    before they are computed. Raises RequestError where an annotation cannot be written or the module is too
    large, and MalformedModule where the module is none.
    """
    abi = module.abi if abi is None else abi
    if module.size > LARGEST_BLOB:
        raise RequestError(
            f"the module has {module.size:,} bytes",
            do=f"make it smaller: Istio and Envoy Gateway take {LARGEST_BLOB:,} at most",
        )
    versions = [f"v{abi.removeprefix('v')}"] if abi else []
    runtime = {"type": "envoy_proxy", "abiVersions": versions, "config": {"rootIds": [root_id]}}
    notes = {TITLE: name} | _checked(annotations or {})
    notes |= {RUNTIME_TYPE: "envoy_proxy", MODULE_DIGEST: module.digest, MODULE_SIZE: str(module.size)}
    notes |= {ABI: versions[0]} if versions else {}
    notes |= {ROOT_ID: root_id} if root_id else {}
    if layout == "solo":
        return _solo(module, _json(runtime), notes)
    if layout == "cncf":
        return _cncf(module, name, notes)
    if layout != "compat":
        raise RequestError(f"{layout!r} is no layout", do=f"use one of: {', '.join(LAYOUTS)}, all")
    return _compat(module, _json(runtime), notes, compress, ahead)


def _compat(
    module: Module, runtime: bytes, notes: dict[str, str], compress: bool, ahead: Ahead | None
) -> Packed:
    notes = notes | {VARIANT: "compat"}
    archive = tarred({PLUGIN: module.data, RUNTIME: runtime})
    file = None if compress else Stored(archive)

    def make_layer() -> Blob:
        return Blob.hashed(LAYER, file.parts, file.digest) if file else Blob(LAYER, gzipped(archive))

    def make_config(after: Beside[Blob] | None) -> Blob:
        if after:
            after.result()  # each digest takes as long as all the rest, and this one is not needed first
        value: dict[str, Any] = {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Labels": notes},
            "rootfs": {"type": "layers", "diff_ids": [sha256(archive)]},
        }
        return Blob(CONFIG, _json(value | ({"created": notes[CREATED]} if CREATED in notes else {})))

    @cache
    def start() -> tuple[Beside[Blob], Beside[Blob]]:
        layer = Beside(make_layer)
        return layer, Beside(lambda: make_config(layer if ahead else None))

    if ahead and file:
        ahead(Coming(file.size, file.blocks, start))
    layer, config = (each.result() for each in start())
    return Packed((layer, config), manifest_of(config, [layer.descriptor], notes))


def _solo(module: Module, runtime: bytes, notes: dict[str, str]) -> Packed:
    config, layer = Blob(SOLO_CONFIG, runtime), Blob(SOLO_LAYER, module.data)
    layers = [config.descriptor.titled(RUNTIME), layer.descriptor.titled("filter.wasm")]
    return Packed((layer, config), manifest_of(config, layers, notes))


def _cncf(module: Module, name: str, notes: dict[str, str]) -> Packed:
    layer = Blob(CNCF_LAYER, module.data)
    settings = {
        "created": notes.get(CREATED, EPOCH),  # its readers demand one
        "architecture": "wasm",
        "os": "wasip1",
        "layerDigests": [layer.digest],
    }
    if AUTHORS in notes:
        settings["author"] = notes[AUTHORS]
    config = Blob(CNCF_CONFIG, _json(settings))
    title = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip(".-") or "filter"
    return Packed((layer, config), manifest_of(config, [layer.descriptor.titled(f"{title}.wasm")], notes))


def manifest_of(
    config: Blob,
    layers: list[Descriptor],
    notes: Mapping[str, str],
    *,
    artifact_type: str = "",
    subject: Descriptor | None = None,
) -> Blob:
    """The manifest of an image or an artifact. Raises RequestError where no registry would take it."""
    value: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": config.descriptor.to_dict(),
        "layers": [layer.to_dict() for layer in layers],
    }
    value |= {"artifactType": artifact_type} if artifact_type else {}
    value |= {"subject": subject.to_dict()} if subject else {}
    value |= {"annotations": dict(notes)} if notes else {}
    data = _json(value)
    if len(data) > LARGEST_MANIFEST:
        raise RequestError(
            f"the annotations take {len(data):,} bytes", do="shorten them: registries take 4 MiB at most"
        )
    return Blob(MANIFEST, data)


def _checked(annotations: Mapping[str, str]) -> dict[str, str]:
    for key, value in annotations.items():
        if not isinstance(key, str) or not isinstance(value, str) or not key:
            raise RequestError(
                f"the annotation {key!r} is no text", do="pass annotations as a dict of str to str"
            )
        try:
            (key + value).encode()
        except UnicodeEncodeError:
            raise RequestError(
                f"the annotation {key!r} is no Unicode text", do="decode it as it was encoded"
            ) from None
    created = annotations.get(CREATED)
    if created is not None and not _TIME.fullmatch(created):
        raise RequestError(
            f"the annotation {CREATED} is no time: {created!r}", do="write it as 2026-01-31T12:00:00Z"
        )
    return dict(annotations)


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
