"""Each layout is written as its readers demand, and the report of who can pull an image is true."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from tests.hub.agents import Refused, agent_pull
from tests.hub.peers import run
from wasmhub_magics.errors import RequestError
from wasmhub_magics.hub import Store, parse_reference, pull, push
from wasmhub_magics.hub.layout import LAYOUTS, Packed, manifest_of, pack
from wasmhub_magics.hub.manifest import DOCKER_MANIFEST, INDEX, Blob, Descriptor
from wasmhub_magics.hub.registry import Registry
from wasmhub_magics.module import Module

CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"


def raw(reference: str) -> dict[str, Any]:
    return json.loads(run("crane", "manifest", "--insecure", reference))


def verdicts(image: Any) -> dict[str, bool]:
    return {each.product: each.pulls for each in image.consumers}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_what_is_pushed_in_a_layout_comes_back(anywhere: Any, module: Module, layout: Any) -> None:
    reference = anywhere.fresh()
    image = push(module, reference, layout=layout, root_id="my_root")
    pulled, told = pull(reference)
    assert pulled == module
    assert (told.layout, told.digest) == (layout, image.digest)
    assert (told.root_id, told.module_digest) == ("my_root", module.digest)


def test_all_layouts_go_to_related_tags_with_both_hashes_of_each(anywhere: Any, module: Module) -> None:
    reference = anywhere.fresh("v1")
    image = push(module, reference, layout="all", name="greeter")
    assert [each.layout for each in image.related] == ["solo", "cncf"]
    for each, tag in zip(image.related, ("v1-solo", "v1-cncf"), strict=True):
        assert each.reference.tag == tag
        assert each.module_digest == module.digest
        pulled, told = pull(each.reference)
        assert (pulled, told.digest) == (module, each.digest)
        assert str(each.reference) in repr(image)
    assert len({image.digest, *(each.digest for each in image.related)}) == 3


def test_istio_and_envoy_gateway_pull_what_the_report_says(anywhere: Any, module: Module) -> None:
    image = push(module, anywhere.fresh(), layout="all")
    outcome = {}
    for each in (image, *image.related):
        try:
            outcome[each.layout] = agent_pull(str(each.reference)) == module.data
        except Refused:
            outcome[each.layout] = False
        told = verdicts(each)
        assert told["Istio"] is told["Envoy Gateway"] is outcome[each.layout]
    assert outcome == {"compat": True, "solo": True, "cncf": False}


def test_the_manifest_digest_is_what_istio_compares_and_the_modules_is_what_envoy_does(
    hub: Any, module: Module
) -> None:
    image = push(module, hub.fresh())
    assert agent_pull(str(image.reference), image.digest.partition(":")[2]) == module.data
    with pytest.raises(Refused, match="checksum"):
        agent_pull(str(image.reference), image.module_digest.partition(":")[2])
    with pytest.raises(RequestError, match="manifest digest"):
        pull(image.reference, sha256=image.digest)
    assert pull(image.reference, sha256=image.module_digest)[0] == module


def write(served: Any, packed: Packed, reference: str) -> str:
    name = parse_reference(reference)
    with Registry(served.address) as registry:
        registry.write(name, packed)
    return reference


def packed_of(layers: list[Blob], config: str = CONFIG, kind: str = "") -> Packed:
    settings = Blob(config, b"{}")
    manifest = manifest_of(settings, [layer.descriptor for layer in layers], {})
    if kind:
        manifest = Blob(kind, json.dumps(json.loads(manifest.data) | {"mediaType": kind}).encode())
    return Packed((*layers, settings), manifest)


def archive(name: str, data: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as written:
        entry = tarfile.TarInfo(name)
        entry.size = len(data)
        written.addfile(entry, io.BytesIO(data))
    return gzip.compress(buffer.getvalue())


# what other tools write: the layers, and what an agent makes of them
FOREIGN: dict[str, tuple[Callable[[bytes], Packed], bool]] = {
    "docker, one COPY": (
        lambda data: packed_of([Blob(DOCKER_LAYER, archive("plugin.wasm", data))], kind=DOCKER_MANIFEST),
        True,
    ),
    "docker, the module below another folder": (
        lambda data: packed_of([Blob(DOCKER_LAYER, archive("a/plugin.wasm", data))], kind=DOCKER_MANIFEST),
        True,
    ),
    "several layers, the module in the last": (
        lambda data: packed_of(
            [Blob(LAYER, archive("README.md", b"hello")), Blob(LAYER, archive("plugin.wasm", data))]
        ),
        True,
    ),
    "metadata layers before the archive": (
        lambda data: packed_of(
            [
                Blob("application/vnd.module.wasm.doc.v1+markdown", b"# hello"),
                Blob("application/vnd.module.wasm.spec.v1+yaml", b"apiVersion: 1"),
                Blob(LAYER, archive("plugin.wasm", data)),
            ]
        ),
        True,
    ),
    "two layers, the module bare": (
        lambda data: packed_of(
            [
                Blob("application/vnd.module.wasm.config.v1+json", b'{"config":{"rootIds":["r"]}}'),
                Blob("application/vnd.module.wasm.content.layer.v1+wasm", data),
            ],
            "application/vnd.module.wasm.config.v1+json",
        ),
        True,
    ),
    "one layer, the module bare": (
        lambda data: packed_of([Blob("application/vnd.module.wasm.content.layer.v1+wasm", data)]),
        False,
    ),
    "wasm-to-oci": (
        lambda data: packed_of(
            [Blob("application/vnd.wasm.content.layer.v1+wasm", data)], "application/vnd.wasm.config.v1+json"
        ),
        False,
    ),
    "CNCF": (
        lambda data: packed_of([Blob("application/wasm", data)], "application/vnd.wasm.config.v0+json"),
        False,
    ),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_every_layout_of_others_is_read_and_its_readers_are_told(hub: Any, module: Module, kind: str) -> None:
    make, agents = FOREIGN[kind]
    reference = write(hub, make(module.data), hub.fresh())
    pulled, image = pull(reference)
    assert pulled == module
    assert verdicts(image)["Istio"] is agents
    if agents:
        assert agent_pull(reference) == module.data
    else:
        with pytest.raises(Refused):
            agent_pull(reference)


@pytest.mark.parametrize("platform", ["linux/amd64", "wasip1/wasm"])
def test_of_an_index_the_image_for_proxies_is_taken(hub: Any, module: Module, platform: str) -> None:
    reference = parse_reference(hub.fresh())
    system, machine = platform.split("/")
    other = packed_of([Blob(LAYER, archive("x", b"other"))])
    wanted = pack(module, name="greeter")
    children = [
        {
            **Descriptor.to_dict(other.manifest.descriptor),
            "platform": {"os": "linux", "architecture": "arm64"},
        },
        {**wanted.manifest.descriptor.to_dict(), "platform": {"os": system, "architecture": machine}},
    ]
    index = Blob(INDEX, json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": children}).encode())
    with Registry(hub.address) as registry:
        for packed in (other, wanted):
            registry.write(
                parse_reference(f"{hub.address}/{reference.repository}@{packed.manifest.digest}"), packed
            )
        registry.write(reference, Packed((), index))
    assert pull(reference)[0] == module
    if platform == "linux/amd64":
        assert agent_pull(str(reference)) == module.data
    else:
        with pytest.raises(Refused, match="no child"):
            agent_pull(str(reference))


def test_the_two_layers_are_named_typed_and_not_compressed(hub: Any, module: Module) -> None:
    image = push(module, hub.fresh(), layout="solo", root_id="r")
    manifest = raw(str(image.reference))
    config, layer = manifest["layers"]
    assert (config["mediaType"], config["annotations"]["org.opencontainers.image.title"]) == (
        "application/vnd.module.wasm.config.v1+json", "runtime-config.json",
    )  # fmt: skip
    assert (layer["mediaType"], layer["annotations"]["org.opencontainers.image.title"]) == (
        "application/vnd.module.wasm.content.layer.v1+wasm", "filter.wasm",
    )  # fmt: skip
    assert manifest["config"]["digest"] == config["digest"]
    assert layer["digest"] == module.digest
    assert manifest["annotations"]["module.wasm.runtime/abi_version"] == "v0.2.1"
    with urlopen(f"http://{hub.address}/v2/{image.reference.repository}/blobs/{config['digest']}") as answer:
        assert json.load(answer)["config"] == {"rootIds": ["r"]}


def test_the_cncf_layout_names_its_only_layer_in_its_configuration(hub: Any, module: Module) -> None:
    image = push(module, hub.fresh(), layout="cncf", name="my greeter")
    manifest = raw(str(image.reference))
    (layer,) = manifest["layers"]
    assert manifest["config"]["mediaType"] == "application/vnd.wasm.config.v0+json"
    assert (layer["mediaType"], layer["digest"]) == ("application/wasm", module.digest)
    config = json.loads(run("crane", "config", "--insecure", image.reference))
    assert (config["architecture"], config["os"], config["layerDigests"]) == (
        "wasm",
        "wasip1",
        [module.digest],
    )
    assert config["created"].endswith("Z")


@pytest.mark.parametrize(("layout", "file"), [("solo", "filter.wasm"), ("cncf", "greeter.wasm")])
def test_oras_pulls_the_bare_module_by_its_file_name(
    anywhere: Any, module: Module, tmp_path: Path, layout: Any, file: str
) -> None:
    image = push(module, anywhere.fresh(), layout=layout, name="greeter")
    run("oras", "pull", "--plain-http", image.reference, "-o", tmp_path / "out")
    assert (tmp_path / "out" / file).read_bytes() == module.data


def test_the_store_holds_all_layouts_for_other_tools(module: Module, skopeo: Callable[..., str]) -> None:
    push(module, "team/greeter:v1", layout="all")
    for tag in ("v1", "v1-solo", "v1-cncf"):
        manifest = json.loads(skopeo("inspect", "--raw", f"oci:{Store().path}/team/greeter:{tag}"))
        assert manifest["annotations"]["wasmhub.filter/digest"] == module.digest


def test_an_unknown_layout_and_several_ones_without_a_tag_are_refused(module: Module) -> None:
    with pytest.raises(RequestError, match="no layout"):
        push(module, "greeter", layout="zip")  # type: ignore[arg-type]
    with pytest.raises(RequestError, match="several layouts"):
        push(module, f"greeter@sha256:{'0' * 64}", layout="all")


def test_a_compressed_layer_is_smaller_and_read_as_well(hub: Any, module: Module) -> None:
    big = Module(module.data + b"\0\x82\x80\x04\x01x" + bytes(0x10000))
    plain, small = hub.fresh(), hub.fresh()
    push(big, plain)
    push(big, small, compress=True)
    sizes = [raw(each)["layers"][0]["size"] for each in (plain, small)]
    assert sizes[1] < sizes[0] / 10
    assert pull(small)[0] == pull(plain)[0] == big
    assert agent_pull(small) == agent_pull(plain) == big.data
