"""How a filter lies in an image: what is read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Protocol, TypeVar

from ..errors import NotAFilter
from .archive import Mixed, boxed, unpacked
from .arrival import Work
from .layout import BARE, DOCKER_LAYER, LAYER, SOLO_CONFIG
from .manifest import DOCKER_MANIFEST, Descriptor, Manifest

__all__ = ["Content", "core_module", "unpack"]

T = TypeVar("T")


@dataclass(frozen=True)
class Content:
    """What was read from an image: the module, and what the image says about running it.

    ``digest`` is the module's where that of its layer, which was checked, is the same; else it is empty.
    """

    data: bytes
    digest: str
    layout: str
    root_id: str = ""
    abi: str = ""


class Fetch(Protocol):
    """What gives a layer to the work that reads it."""

    def __call__(self, descriptor: Descriptor, work: Work[T], /) -> T:
        """What the work made of the layer, whose digest was checked."""
        ...


def unpack(manifest: Manifest, fetch: Fetch, where: str) -> Content:
    """Take the module out of an image.

    Which layer counts is decided as Istio's and Envoy Gateway's agents do (``pkg/wasm/imagefetcher.go``): the
    last one of an image of archives, else the one that is the module. Raises NotAFilter where there is none.
    """
    if not manifest.layers:
        raise NotAFilter("the image has no layers", where=where, do="check the reference")
    last = manifest.layers[-1]
    wanted = DOCKER_LAYER if manifest.media_type == DOCKER_MANIFEST else LAYER
    if last.media_type in (wanted, LAYER, DOCKER_LAYER):
        kind = "docker" if last.media_type == DOCKER_LAYER else "compat"
        try:
            found = fetch(last, lambda pieces: boxed(pieces, where))
        except Mixed:
            found = fetch(last, lambda pieces: unpacked(b"".join(pieces), where))
        return _content(found.module, "", kind, found.runtime, where)
    bare = [layer for layer in manifest.layers if layer.media_type in BARE]
    if bare:
        settings = [layer for layer in manifest.layers if layer.media_type == SOLO_CONFIG]
        runtime = fetch(settings[0], b"".join) if settings else b""
        layer = bare[0]
        return _content(fetch(layer, b"".join), layer.digest, BARE[layer.media_type], runtime, where)
    kinds = ", ".join(sorted({layer.media_type or "no type" for layer in manifest.layers}))
    raise NotAFilter(
        f"no layer of the image can hold a filter (layers of {kinds})", where=where, do="check the reference"
    )


def core_module(data: bytes, where: str) -> bytes:
    """The same bytes. Raises NotAFilter where they are no core module."""
    if not data.startswith(b"\0asm"):
        raise NotAFilter(
            "what the image holds is no WebAssembly", where=where, do="push the compiled module, not its text"
        )
    if data[4:8] != b"\1\0\0\0":
        raise NotAFilter(
            "the image holds a WebAssembly component, which no proxy runs",
            where=where,
            do="build the filter as a core module",
        )
    return data


def _content(data: bytes, digest: str, layout: str, runtime: bytes, where: str) -> Content:
    core_module(data, where)
    try:
        value = json.loads(runtime) if runtime else {}
    except (ValueError, RecursionError):
        value = {}  # Istio and Envoy Gateway do not read it either
    value = value if isinstance(value, dict) else {}
    config = value.get("config")
    ids = config.get("rootIds", config.get("root_ids")) if isinstance(config, dict) else None
    versions = value.get("abiVersions", value.get("abi_versions"))
    return Content(data, digest, layout, _first(ids), _first(versions).removeprefix("v"))


def _first(value: object) -> str:
    return value[0] if isinstance(value, list) and value and isinstance(value[0], str) else ""
