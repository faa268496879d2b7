"""Images are written as Istio and docker want them, always the same, and read in every layout they know."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from wasmhub_magics.errors import MalformedModule, NotAFilter, RequestError
from wasmhub_magics.hub import Image, Store, parse_reference, pull, push
from wasmhub_magics.hub.layout import Packed, pack
from wasmhub_magics.hub.manifest import DOCKER_MANIFEST, INDEX, MANIFEST, Blob
from wasmhub_magics.module import Module

OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
DESCRIPTION = "org.opencontainers.image.description"


def blob(kind: str, data: bytes) -> Blob:
    return Blob(kind, data)


def archive(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as written:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            written.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def image(layers: list[Blob], kind: str = MANIFEST, config: str = "application/vnd.oci.image.config.v1+json",
          annotations: dict[str, str] | None = None) -> Packed:  # fmt: skip
    settings = Blob(config, b"{}")
    manifest = {
        "schemaVersion": 2,
        "mediaType": kind,
        "config": settings.descriptor.to_dict(),
        "layers": [layer.descriptor.to_dict() for layer in layers],
        "annotations": annotations or {},
    }
    return Packed((*layers, settings), Blob(kind, json.dumps(manifest).encode()))


def kept(packed: Packed, name: str = "foreign:v1") -> str:
    Store().write(parse_reference(name), packed)
    return name


def test_the_same_filter_has_the_same_digest_at_another_time_and_in_another_process(
    module: Module, tmp_path: Path
) -> None:
    first = pack(module, name="greeter", root_id="r", annotations={DESCRIPTION: "greets"})
    (tmp_path / "greeter.wasm").write_bytes(module.data)
    time.sleep(1.1)  # a second is what the time stamps of tar and gzip can tell apart
    code = (
        "import sys; from wasmhub_magics.module import Module; from wasmhub_magics.hub.layout import pack; "
        f"print(pack(Module.read(sys.argv[1]), name='greeter', root_id='r', "
        f"annotations={{{DESCRIPTION!r}: 'greets'}}).manifest.digest)"
    )
    there = {**os.environ, "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo"}
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "greeter.wasm"], env=there, cwd=Path.cwd(),
                          capture_output=True, text=True, check=True)  # fmt: skip
    assert done.stdout.strip() == first.manifest.digest


def test_another_module_name_root_id_or_note_gives_another_digest(
    module: Module, make: Callable[[str], Module]
) -> None:
    packed = [
        pack(module, name="a"),
        pack(make("other"), name="a"),
        pack(module, name="b"),
        pack(module, name="a", root_id="r"),
        pack(module, name="a", annotations={DESCRIPTION: "x"}),
    ]
    assert len({each.manifest.digest for each in packed}) == len(packed)


def test_the_only_layer_is_an_archive_with_the_module_and_its_runtime_configuration(module: Module) -> None:
    packed = pack(module, name="greeter", root_id="my_root")
    manifest = json.loads(packed.manifest.data)
    assert manifest["mediaType"] == MANIFEST
    assert [layer["mediaType"] for layer in manifest["layers"]] == [OCI_LAYER]
    assert manifest["annotations"]["module.wasm.image/variant"] == "compat"
    layer, config = packed.blobs
    with tarfile.open(fileobj=io.BytesIO(layer.data), mode="r:gz") as read:
        entries = {entry.name: entry for entry in read}
        assert set(entries) == {"plugin.wasm", "runtime-config.json"}
        assert {(e.mode, e.uid, e.gid, e.mtime) for e in entries.values()} == {(0o644, 0, 0, 0)}
        assert read.extractfile("plugin.wasm").read() == module.data
        assert json.load(read.extractfile("runtime-config.json")) == {
            "type": "envoy_proxy",
            "abiVersions": ["v0.2.1"],
            "config": {"rootIds": ["my_root"]},
        }
    plain = hashlib.sha256(gzip.decompress(layer.data)).hexdigest()
    assert json.loads(config.data)["rootfs"] == {"type": "layers", "diff_ids": [f"sha256:{plain}"]}


@pytest.mark.parametrize(
    "annotations",
    [
        {"key": 7},
        {7: "value"},
        {"": "value"},
        {"key": None},
        {"key": "\ud800"},
        {"org.opencontainers.image.created": "yesterday"},
        {"key": "x" * (5 << 20)},
    ],
)
def test_an_annotation_that_cannot_be_written_is_refused(module: Module, annotations: dict[str, str]) -> None:
    with pytest.raises(RequestError, match="annotation"):
        pack(module, name="greeter", annotations=annotations)


def test_what_is_no_module_is_not_published() -> None:
    with pytest.raises(MalformedModule):
        push(Module(b"print('hello')"), "greeter")
    assert Store().list() == ()


LAYOUTS = {
    "compat": lambda data: image([blob(OCI_LAYER, archive({"some/where/plugin.wasm": data}))]),
    "docker": lambda data: image([blob(DOCKER_LAYER, archive({"./plugin.wasm": data}))], DOCKER_MANIFEST),
    "last of many": lambda data: image(
        [blob(OCI_LAYER, archive({"README.md": b"read me"})), blob(OCI_LAYER, archive({"plugin.wasm": data}))]
    ),
    "solo": lambda data: image(
        [
            blob(
                "application/vnd.module.wasm.config.v1+json",
                b'{"type": "envoy_proxy", "abi_versions": ["v0.2.1"], "config": {"root_ids": ["old_root"]}}',
            ),
            blob("application/vnd.module.wasm.content.layer.v1+wasm", data),
        ],
        config="application/vnd.module.wasm.config.v1+json",
    ),
    "cncf": lambda data: image(
        [blob("application/wasm", data)], config="application/vnd.wasm.config.v0+json"
    ),
    "wasm-to-oci": lambda data: image(
        [blob("application/vnd.wasm.content.layer.v1+wasm", data)],
        config="application/vnd.wasm.config.v1+json",
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_that_proxies_and_tools_use_can_be_pulled(module: Module, layout: str) -> None:
    name = kept(LAYOUTS[layout](module.data))
    pulled, told = pull(name)
    assert pulled == module
    assert told.module_digest == module.digest
    assert told.layout == {"last of many": "compat"}.get(layout, layout)
    assert told.root_id == ("old_root" if layout == "solo" else "")
    assert Store().image(name) == told


def indexed(module: Module, *platforms: str) -> str:
    child = pack(module, name="greeter")
    entries = []
    for platform in platforms:
        system, architecture = platform.split("/")
        entries.append(
            {
                **child.manifest.descriptor.to_dict(),
                "platform": {"os": system, "architecture": architecture},
            }
        )
    index = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}).encode()
    return kept(Packed((*child.blobs, child.manifest), Blob(INDEX, index)))


def test_of_an_index_the_image_for_linux_on_amd64_is_taken(module: Module) -> None:
    name = indexed(module, "unknown/unknown", "linux/amd64")
    pulled, told = pull(name)
    assert pulled == module
    assert told.digest == Store().manifest(parse_reference(name)).digest


def test_an_index_without_that_platform_says_which_it_has(module: Module) -> None:
    with pytest.raises(NotAFilter, match="only for linux/arm64"):
        pull(indexed(module, "linux/arm64"))


BAD = {
    "no layer": lambda _: image([]),
    "holds no plugin.wasm": lambda _: image([blob(OCI_LAYER, archive({"main.wasm": b"\0asm\1\0\0\0"}))]),
    "last layer of the image holds no plugin.wasm": lambda data: image(
        [blob(OCI_LAYER, archive({"plugin.wasm": data})), blob(OCI_LAYER, archive({"README.md": b""}))]
    ),
    "cannot be unpacked": lambda data: image([blob(OCI_LAYER, archive({"plugin.wasm": data * 99})[:-40])]),
    "cannot be unpacked: ": lambda data: image([blob(OCI_LAYER, data)]),
    "no WebAssembly": lambda _: image([blob(OCI_LAYER, archive({"plugin.wasm": b"#!/bin/sh"}))]),
    "component": lambda _: image([blob("application/wasm", b"\0asm\x0d\0\1\0")]),
    "can hold a filter": lambda _: image([blob("application/vnd.cncf.helm.chart.content.v1.tar+gzip", b"x")]),
    "another than the image says": lambda data: image(
        [blob("application/wasm", data)], annotations={"wasmhub.filter/digest": "sha256:" + "0" * 64}
    ),
    "no JSON": lambda _: Packed((), Blob(MANIFEST, b"<html>")),
    "no object": lambda _: Packed((), Blob(MANIFEST, b"[]")),
    "lists no layers": lambda _: Packed((), Blob(MANIFEST, b'{"layers": {"a": 1}}')),
    "not of sha256": lambda _: Packed((), Blob(MANIFEST, b'{"layers": [{"digest": "md5:1", "size": 1}]}')),
    "is incomplete": lambda _: Packed(
        (), Blob(MANIFEST, json.dumps({"layers": [{"digest": "sha256:" + "0" * 64, "size": -1}]}).encode())
    ),
}


@pytest.mark.parametrize("says", BAD)
def test_an_image_without_a_usable_filter_is_refused(module: Module, says: str) -> None:
    name = kept(BAD[says](module.data))
    with pytest.raises(NotAFilter) as caught:
        pull(name)
    assert says in caught.value.what if says != "no layer" else "layers" in caught.value.what
    assert caught.value.do


def test_an_archive_that_unpacks_to_more_than_a_filter_may_have_is_refused_before_it_fills_memory() -> None:
    stream = io.BytesIO()
    with gzip.GzipFile(fileobj=stream, mode="wb", compresslevel=1) as packed:
        entry = tarfile.TarInfo("filler")
        entry.size = 1 << 40
        packed.write(entry.tobuf())
        for _ in range(520):
            packed.write(bytes(1 << 20))
    with pytest.raises(NotAFilter, match="more than"):
        pull(kept(image([blob(OCI_LAYER, stream.getvalue())])))


def test_an_image_shows_both_hashes_labelled_as_text_and_as_html(module: Module) -> None:
    told = push(module, "greeter", annotations={DESCRIPTION: "<script>alert(1)</script>"})
    for shown in (repr(told), told._repr_html_()):
        assert told.digest in shown
        assert module.digest.removeprefix("sha256:") in shown
        assert "manifest digest" in shown
        assert "module sha256" in shown
    assert "<script>" not in told._repr_html_()
    assert isinstance(told, Image)
    assert told.pinned == f"greeter:latest@{told.digest}"
