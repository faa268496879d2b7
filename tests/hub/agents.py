"""The pull rules of Istio's agent and of Envoy Gateway's controller, as their sources have them.

``pkg/wasm/imagefetcher.go`` of Istio and its fork in Envoy Gateway ask go-containerregistry for an image, so
of an index they take the child for linux/amd64, and then try in this order: an image of Docker's schema 2,
whose last layer is Docker's archive; an OCI image whose last layer is an OCI archive; an OCI artifact of
exactly two layers, one of them the bare module. What an archive holds is looked up by base name. Written
without any code of the package, over plain HTTP.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from typing import Any
from urllib.request import Request, urlopen

DOCKER = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
OCI = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER_ARCHIVE = "application/vnd.docker.image.rootfs.diff.tar.gzip"
OCI_ARCHIVE = "application/vnd.oci.image.layer.v1.tar+gzip"
MODULE = "application/vnd.module.wasm.content.layer.v1+wasm"


class Refused(Exception):
    """The agent does not take the image."""


def agent_pull(reference: str, sha256: str = "") -> bytes:
    """The module that the agent would give its proxy; ``sha256`` is compared with the manifest's digest."""
    host, _, rest = reference.partition("/")
    repository, _, version = rest.rpartition("@") if "@" in rest else rest.rpartition(":")
    manifest, kind, digest = _manifest(host, repository, version)
    if sha256 and digest != f"sha256:{sha256}":
        raise Refused(f"module downloaded has checksum {digest}, which does not match")
    if kind in (OCI_INDEX, DOCKER_LIST):
        for child in manifest["manifests"]:
            platform = child.get("platform") or {"os": "linux", "architecture": "amd64"}
            if (platform.get("os"), platform.get("architecture")) == ("linux", "amd64"):
                manifest, kind, _ = _manifest(host, repository, child["digest"])
                break
        else:
            raise Refused("no child with platform linux/amd64 in index")
    module = _module(host, repository, manifest, kind)
    if not module.startswith(b"\0asm"):
        raise Refused("fetched file is not a Wasm binary")
    return module


def _module(host: str, repository: str, manifest: dict[str, Any], kind: str) -> bytes:
    layers = manifest.get("layers") or []
    if kind == DOCKER:
        return _archived(host, repository, layers, DOCKER_ARCHIVE)
    try:
        return _archived(host, repository, layers, OCI_ARCHIVE)
    except Refused as compat:
        if len(layers) != 2:
            raise Refused(f"{compat}; number of layers must be 2 but got {len(layers)}") from None
        for layer in layers:
            if layer["mediaType"] == MODULE:
                return _blob(host, repository, layer["digest"])
        raise Refused(f"{compat}; could not find the layer of type {MODULE}") from None


def _archived(host: str, repository: str, layers: list[dict[str, Any]], wanted: str) -> bytes:
    if not layers:
        raise Refused("number of layers must be greater than zero")
    if layers[-1]["mediaType"] != wanted:
        raise Refused(f"invalid media type {layers[-1]['mediaType']} (expect {wanted})")
    plain = gzip.decompress(_blob(host, repository, layers[-1]["digest"]))
    with tarfile.open(fileobj=io.BytesIO(plain)) as archive:
        for entry in archive:
            if entry.isreg() and entry.name.rsplit("/", 1)[-1] == "plugin.wasm":
                return archive.extractfile(entry).read()
    raise Refused("plugin.wasm not found in the archive")


def _manifest(host: str, repository: str, version: str) -> tuple[dict[str, Any], str, str]:
    request = Request(
        f"http://{host}/v2/{repository}/manifests/{version}",
        headers={"Accept": ", ".join((DOCKER, DOCKER_LIST, OCI, OCI_INDEX))},
    )
    with urlopen(request, timeout=30) as answer:
        data, kind = answer.read(), answer.headers["Content-Type"]
    return json.loads(data), kind, f"sha256:{hashlib.sha256(data).hexdigest()}"


def _blob(host: str, repository: str, digest: str) -> bytes:
    with urlopen(f"http://{host}/v2/{repository}/blobs/{digest}", timeout=30) as answer:
        data: bytes = answer.read()
    assert f"sha256:{hashlib.sha256(data).hexdigest()}" == digest
    return data
