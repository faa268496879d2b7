"""How a filter lies in an image.

Written is the compat layout, which Istio, Envoy Gateway, docker and Kubernetes all read (``spec-compat.md``
of the Wasm image specification): an ordinary image of one layer that holds ``plugin.wasm``. Read are that,
its Docker form, and the layouts whose layer is the bare module.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
import tarfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import NotAFilter, RequestError
from ..module import Module
from .manifest import DOCKER_MANIFEST, LARGEST_BLOB, LARGEST_MANIFEST, MANIFEST, Blob, Descriptor, Manifest

__all__ = ["Content", "Packed", "pack", "unpack"]

CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
SOLO_CONFIG = "application/vnd.module.wasm.config.v1+json"
BARE = {
    "application/vnd.module.wasm.content.layer.v1+wasm": "solo",
    "application/wasm": "cncf",
    "application/vnd.wasm.content.layer.v1+wasm": "wasm-to-oci",
}
"""Layers that are the module itself, and the name of their layout."""

PLUGIN = "plugin.wasm"
RUNTIME = "runtime-config.json"

TITLE = "org.opencontainers.image.title"
DESCRIPTION = "org.opencontainers.image.description"
CREATED = "org.opencontainers.image.created"
VARIANT = "module.wasm.image/variant"
ABI = "module.wasm.runtime/abi_version"
MODULE_DIGEST = "wasmhub.filter/digest"
MODULE_SIZE = "wasmhub.filter/size"
ROOT_ID = "wasmhub.filter/root-id"

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


@dataclass(frozen=True)
class Packed:
    """An image ready to be written: first its blobs, then the manifest that names them."""

    blobs: tuple[Blob, ...]
    manifest: Blob


@dataclass(frozen=True)
class Content:
    """What was read from an image: the module's bytes and what the image says about running it."""

    data: bytes
    layout: str
    root_id: str = ""
    abi: str = ""


def pack(
    module: Module,
    *,
    name: str,
    abi: str | None = None,
    root_id: str = "",
    annotations: Mapping[str, str] | None = None,
) -> Packed:
    """Make a compat image. The same arguments give the same bytes and so the same digest.

    ``abi`` is the module's own where it is None. Raises RequestError where an annotation cannot be written
    and MalformedModule where the module is none.
    """
    abi = module.abi if abi is None else abi
    versions = [f"v{abi.removeprefix('v')}"] if abi else []
    runtime = {"type": "envoy_proxy", "abiVersions": versions, "config": {"rootIds": [root_id]}}
    notes = {TITLE: name} | _checked(annotations or {})
    notes |= {
        VARIANT: "compat",
        "module.wasm.runtime/type": "envoy_proxy",
        MODULE_DIGEST: module.digest,
        MODULE_SIZE: str(module.size),
    }
    notes |= {ABI: versions[0]} if versions else {}
    notes |= {ROOT_ID: root_id} if root_id else {}
    archive = _tar({PLUGIN: module.data, RUNTIME: _json(runtime)})
    layer = Blob(LAYER, _gzip(archive))
    settings: dict[str, Any] = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Labels": notes},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(archive).hexdigest()}"]},
    }
    if CREATED in notes:
        settings["created"] = notes[CREATED]
    config = Blob(CONFIG, _json(settings))
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": config.descriptor.to_dict(),
            "layers": [layer.descriptor.to_dict()],
            "annotations": notes,
        }
    )
    if len(manifest) > LARGEST_MANIFEST:
        raise RequestError(
            f"the annotations take {len(manifest):,} bytes", do="shorten them: registries take 4 MiB at most"
        )
    return Packed((layer, config), Blob(MANIFEST, manifest))


def unpack(manifest: Manifest, fetch: Callable[[Descriptor], bytes], where: str) -> Content:
    """Take the module out of an image; ``fetch`` gives the bytes of a layer.

    Which layer counts is decided as Istio's and Envoy Gateway's agents do (``pkg/wasm/imagefetcher.go``): the
    last one of an image of archives, else the one that is the module. Raises NotAFilter where there is none.
    """
    if not manifest.layers:
        raise NotAFilter("the image has no layers", where=where, do="check the reference")
    last = manifest.layers[-1]
    wanted = DOCKER_LAYER if manifest.media_type == DOCKER_MANIFEST else LAYER
    if last.media_type in (wanted, LAYER, DOCKER_LAYER):
        kind = "docker" if last.media_type == DOCKER_LAYER else "compat"
        data, runtime = _untar(fetch(last), where)
        return _content(data, kind, runtime, where)
    bare = [layer for layer in manifest.layers if layer.media_type in BARE]
    if bare:
        settings = [layer for layer in manifest.layers if layer.media_type == SOLO_CONFIG]
        runtime = fetch(settings[0]) if settings else b""
        return _content(fetch(bare[0]), BARE[bare[0].media_type], runtime, where)
    kinds = ", ".join(sorted({layer.media_type or "no type" for layer in manifest.layers}))
    raise NotAFilter(
        f"no layer of the image can hold a filter (layers of {kinds})", where=where, do="check the reference"
    )


def _content(data: bytes, layout: str, runtime: bytes, where: str) -> Content:
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
    try:
        value = json.loads(runtime) if runtime else {}
    except (ValueError, RecursionError):
        value = {}  # Istio and Envoy Gateway do not read it either
    value = value if isinstance(value, dict) else {}
    config = value.get("config")
    ids = config.get("rootIds", config.get("root_ids")) if isinstance(config, dict) else None
    versions = value.get("abiVersions", value.get("abi_versions"))
    return Content(data, layout, _first(ids), _first(versions).removeprefix("v"))


def _first(value: object) -> str:
    return value[0] if isinstance(value, list) and value and isinstance(value[0], str) else ""


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


def _tar(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode, entry.mtime, entry.uid, entry.gid = len(data), 0o644, 0, 0, 0
            archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def _gzip(data: bytes) -> bytes:
    buffer = io.BytesIO()
    # GzipFile writes the header itself, the same on every system, where gzip.compress leaves it to zlib
    with gzip.GzipFile(filename="", mode="wb", fileobj=buffer, compresslevel=6, mtime=0) as file:
        file.write(data)
    return buffer.getvalue()


class _Bounded(io.RawIOBase):
    """A stream that ends with an error once more was read than an image may hold."""

    def __init__(self, inner: gzip.GzipFile) -> None:
        self.inner = inner
        self.left = 2 * LARGEST_BLOB

    def read(self, size: int = -1) -> bytes:
        data = self.inner.read(size)
        self.left -= len(data)
        if self.left < 0:
            raise tarfile.ReadError(f"more than {2 * LARGEST_BLOB:,} bytes")
        return data


def _untar(data: bytes, where: str) -> tuple[bytes, bytes]:
    """The module and the runtime configuration (empty if none), by base name as Istio looks them up."""
    found: dict[str, bytes] = {}
    try:
        with (
            gzip.GzipFile(fileobj=io.BytesIO(data)) as plain,
            tarfile.open(fileobj=_Bounded(plain), mode="r|") as archive,
        ):
            for entry in archive:
                base = entry.name.rsplit("/", 1)[-1]
                if not entry.isreg() or base not in (PLUGIN, RUNTIME) or base in found:
                    continue
                if entry.size > LARGEST_BLOB:
                    raise tarfile.ReadError(f"{base} has {entry.size:,} bytes")
                file = archive.extractfile(entry)
                found[base] = file.read() if file else b""
    except (tarfile.TarError, OSError, EOFError, zlib.error, ValueError, OverflowError) as error:
        raise NotAFilter(
            f"the last layer of the image cannot be unpacked: {error}", where=where, do="push the image again"
        ) from None
    if PLUGIN not in found:
        raise NotAFilter(
            f"the last layer of the image holds no {PLUGIN}",
            where=where,
            do=f"check the reference; if you built the image, let its last COPY bring {PLUGIN}",
        )
    return found[PLUGIN], found.get(RUNTIME, b"")
