"""Which products can pull an image, by the rules of their own sources."""

from __future__ import annotations

from dataclasses import dataclass

from .layout import BARE, DOCKER_LAYER, LAYER, SOLO_LAYER
from .manifest import DOCKER_MANIFEST, Manifest

__all__ = ["Consumer", "consumers"]

IMAGE_CONFIGS = (
    "application/vnd.oci.image.config.v1+json",
    "application/vnd.docker.container.image.v1+json",
)
ARCHIVES = (LAYER, DOCKER_LAYER, "application/vnd.oci.image.layer.v1.tar")


@dataclass(frozen=True, slots=True)
class Consumer:
    """A product, whether it can pull the image, and why (or what it takes instead)."""

    product: str
    pulls: bool
    why: str


def consumers(manifest: Manifest) -> tuple[Consumer, ...]:
    """What each product makes of the manifest of an image (not of an index).

    The rules are those of ``pkg/wasm/imagefetcher.go`` of Istio, ``internal/wasm/imagefetcher.go`` of Envoy
    Gateway, and the artifact layout of the CNCF.
    """
    istio, why = _istio(manifest)
    kinds = [layer.media_type for layer in manifest.layers]
    config = manifest.config.media_type if manifest.config else ""
    docker = config in IMAGE_CONFIGS and all(kind in ARCHIVES for kind in kinds)
    cncf = len(kinds) == 1 and BARE.get(kinds[0]) == "cncf"
    solo = istio and SOLO_LAYER in kinds and len(kinds) == 2
    return (
        Consumer("Istio", istio, why),
        Consumer("Envoy Gateway", istio, why),
        Consumer("Higress", istio, why),
        Consumer("Gloo", solo, "takes the two-layer layout" if solo else "wants the two-layer layout: solo"),
        Consumer(
            "docker, podman, Kubernetes",
            docker,
            "an ordinary image" if docker else "layers are no file systems; push the layout compat",
        ),
        Consumer(
            "wkg, Spin, wasmCloud",
            cncf,
            "takes the CNCF layout" if cncf else "wants the CNCF layout: cncf",
        ),
        Consumer("Envoy", False, "pulls no images: give it the module over HTTP, pinned by its sha256"),
    )


def _istio(manifest: Manifest) -> tuple[bool, str]:
    kinds = [layer.media_type for layer in manifest.layers]
    if not kinds:
        return False, "the image has no layers"
    if manifest.media_type == DOCKER_MANIFEST:
        good = kinds[-1] == DOCKER_LAYER
        return good, "the last layer is docker's archive" if good else f"the last layer is {kinds[-1]}"
    if kinds[-1] == LAYER:
        return True, "the last layer is an archive with plugin.wasm"
    if len(kinds) != 2:
        return False, f"without an archive it wants exactly 2 layers, there {_count(len(kinds))}"
    if SOLO_LAYER not in kinds:
        return False, f"no layer is {SOLO_LAYER}"
    return True, "two layers, one of them the bare module"


def _count(number: int) -> str:
    return "is 1" if number == 1 else f"are {number}"
