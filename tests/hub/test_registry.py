"""Images go to real registries and come back the same, with and without passwords, tokens and encryption."""

from __future__ import annotations

import gzip
import hashlib
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from wasmhub_magics.errors import (
    HubError,
    ImageNotFound,
    NotAFilter,
    RegistryUnreachable,
    RequestError,
    Unauthorized,
)
from wasmhub_magics.hub import Store, parse_reference, pull, push
from wasmhub_magics.hub.credentials import Credential
from wasmhub_magics.hub.layout import Packed, pack
from wasmhub_magics.hub.manifest import MANIFEST, Blob
from wasmhub_magics.hub.registry import Registry
from wasmhub_magics.module import Module

USER, PASSWORD = "ada", "s3cret-W0rd/+"
LOGIN = {"username": USER, "password": PASSWORD}


def test_what_is_pushed_to_a_registry_comes_back_with_the_same_digests(registry: Any, module: Module) -> None:
    reference = registry.fresh()
    pushed = push(module, reference, name="greeter", root_id="r", annotations={"a.b/c": "d"})
    for name in (reference, pushed.pinned, f"{reference.rpartition(':')[0]}@{pushed.digest}"):
        pulled, image = pull(name)
        assert pulled == module
        assert (image.digest, image.module_digest) == (pushed.digest, module.digest)
        assert (image.name, image.root_id, image.abi) == ("greeter", "r", "0.2.1")
        assert image.annotations == pushed.annotations


def test_the_store_and_a_registry_give_a_filter_the_same_digest(registry: Any, module: Module) -> None:
    assert push(module, registry.fresh(), name="g").digest == push(module, "g", name="g").digest


def test_pushing_again_changes_nothing_and_sends_no_blob_again(
    registry: Any, module: Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    reference = registry.fresh()
    first = push(module, reference)
    sent: list[str] = []
    plain = requests.Session.request

    def watched(self: requests.Session, method: str, url: str, **options: Any) -> requests.Response:
        sent.append(method)
        return plain(self, method, url, **options)

    monkeypatch.setattr(requests.Session, "request", watched)
    assert push(module, reference) == first
    assert "POST" not in sent
    assert sent.count("PUT") == 1


def test_a_module_of_many_megabytes_arrives_whole(registry: Any, module: Module) -> None:
    size = 12 << 20
    content = b"\x01x" + bytes(range(256)) * (size // 256)
    count = len(content)
    length = bytes([count & 127 | 128, count >> 7 & 127 | 128, count >> 14 & 127 | 128, count >> 21])
    big = Module(module.data + b"\0" + length + content)
    reference = registry.fresh()
    push(big, reference)
    assert pull(reference)[0] == big


def test_skopeo_reads_and_copies_what_was_pushed(
    registry: Any, module: Module, skopeo: Callable[..., str], tmp_path: Path
) -> None:
    image = push(module, registry.fresh(), annotations={"org.opencontainers.image.description": "greets"})
    told = json.loads(skopeo("inspect", "--tls-verify=false", image.location))
    assert told["Digest"] == image.digest
    assert told["Labels"]["org.opencontainers.image.description"] == "greets"
    for target in (f"dir:{tmp_path / 'd'}", f"oci:{tmp_path / 'o'}:v1"):
        skopeo("copy", "--src-tls-verify=false", image.location, target)
    index = json.loads((tmp_path / "o" / "index.json").read_text())
    assert index["manifests"][0]["digest"] == image.digest


def test_an_image_that_skopeo_turned_into_dockers_form_is_pulled(
    registry: Any, module: Module, skopeo: Callable[..., str]
) -> None:
    image = push(module, "greeter", root_id="r")
    reference = registry.fresh()
    skopeo("copy", "--dest-tls-verify=false", "--format=v2s2", image.location, f"docker://{reference}")
    pulled, told = pull(reference)
    assert pulled == module
    assert (told.layout, told.root_id) == ("docker", "r")


def test_skopeo_carries_an_image_from_the_store_to_a_registry_with_its_digest(
    registry: Any, module: Module, skopeo: Callable[..., str]
) -> None:
    image = push(module, "greeter")
    reference = registry.fresh()
    skopeo("copy", "--dest-tls-verify=false", image.location, f"docker://{reference}")
    assert pull(reference)[1].digest == image.digest


def test_an_unknown_tag_names_those_that_there_are(registry: Any, module: Module) -> None:
    reference = registry.fresh("v1")
    push(module, reference)
    with pytest.raises(ImageNotFound) as caught:
        pull(reference.replace(":v1", ":v2"))
    assert "v1" in caught.value.do
    with pytest.raises(ImageNotFound, match="no image"):
        pull(registry.fresh())


def test_a_digest_in_the_reference_of_a_push_must_be_the_images(registry: Any, module: Module) -> None:
    with pytest.raises(RequestError, match="not the one of the reference"):
        push(module, f"{registry.fresh()}@sha256:{'0' * 64}")


def test_the_right_password_pushes_and_pulls(
    secured: Any, module: Module, skopeo: Callable[..., str]
) -> None:
    reference = secured.fresh()
    image = push(module, reference, **LOGIN)
    assert pull(reference, **LOGIN)[0] == module
    told = skopeo("inspect", "--tls-verify=false", f"--creds={USER}:{PASSWORD}", image.location)
    assert json.loads(told)["Digest"] == image.digest


@pytest.mark.parametrize("service", ["secured", "tokens"])
@pytest.mark.parametrize(
    ("login", "says"),
    [
        ({"username": USER, "password": "hunter2hunter2"}, "refuses the login of ada"),
        ({"username": "eve", "password": PASSWORD}, "refuses the login of eve"),
        ({}, "wants a login"),
    ],
)
def test_a_login_that_is_wrong_or_missing_is_refused_and_not_repeated_in_any_text(  # noqa: PLR0917
    request: pytest.FixtureRequest, service: str, login: dict[str, str], says: str, module: Module,
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    served = request.getfixturevalue(service)
    served = served if service == "secured" else served[0]
    caplog.set_level(logging.DEBUG)
    reference = served.fresh()
    for attempt in (lambda: push(module, reference, **login), lambda: pull(reference, **login)):
        with pytest.raises(Unauthorized, match=says) as caught:
            attempt()
        printed = "".join(capfd.readouterr())
        for secret in ("hunter2", PASSWORD):
            assert secret not in str(caught.value) + repr(caught.value) + caplog.text + printed
        assert caught.value.where == served.address
        assert caught.value.do


@pytest.mark.parametrize(
    "login", [{"username": USER}, {"password": PASSWORD}, {"username": "a:b", "password": "c"}]
)
def test_half_a_login_is_refused_before_anything_is_sent(module: Module, login: dict[str, str]) -> None:
    with pytest.raises(RequestError) as caught:
        push(module, "127.0.0.1:1/greeter", **login)
    assert PASSWORD not in str(caught.value)


def test_a_registry_that_works_with_tokens_gives_one_for_each_scope(
    tokens: Any, module: Module, make: Callable[[str], Module]
) -> None:
    served, server = tokens
    server.scopes.clear()
    first, second = served.fresh(), served.fresh()
    for reference in (first, second):
        push(module, reference, index=False, **LOGIN)
        push(make("changed"), reference, index=False, **LOGIN)
        assert pull(reference, **LOGIN)[0] == make("changed")
    assert any(scope.endswith(("pull,push", "push,pull")) for scope in server.scopes)
    assert {scope.split(":")[1] for scope in server.scopes if scope.startswith("repository:")} == {
        reference.partition("/")[2].rpartition(":")[0] for reference in (first, second)
    }


def test_a_public_repository_is_read_without_a_login_but_not_written(tokens: Any, module: Module) -> None:
    served, _ = tokens
    reference = f"{served.address}/public/greeter:v1"
    push(module, reference, **LOGIN)
    assert pull(reference)[0] == module
    with pytest.raises(Unauthorized, match="wants a login"):
        push(module, reference)


def test_a_token_that_ran_out_is_replaced(tokens: Any, module: Module) -> None:
    served, server = tokens
    reference = parse_reference(served.fresh())
    packed = pack(module, name="greeter")
    server.lifetime = -61  # the registry allows for a minute between its clock and the server's
    try:
        with Registry(served.address, credential=Credential(USER, PASSWORD)) as registry:
            with pytest.raises(Unauthorized):
                registry.write(reference, packed)
            server.lifetime = 300
            registry.write(reference, packed)
            assert registry.manifest(reference).data == packed.manifest.data
    finally:
        server.lifetime = 300


def test_an_encrypted_registry_is_trusted_by_the_certificate_that_is_named(
    encrypted: Any, module: Module
) -> None:
    reference = encrypted.fresh()
    image = push(module, reference, tls_verify=encrypted.ca)
    assert pull(reference, tls_verify=encrypted.ca)[1].digest == image.digest
    with pytest.raises(RegistryUnreachable, match="certificate") as caught:
        pull(reference)
    assert "tls_verify" in caught.value.do


def test_proxies_for_the_world_outside_are_not_used_for_this_machine(
    registry: Any, module: Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    push(module, registry.fresh())


def test_a_login_in_netrc_is_not_sent_to_a_registry_that_refuses_ours(
    secured: Any, tmp_path: Path, module: Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text(f"machine 127.0.0.1 login {USER} password {PASSWORD}\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with pytest.raises(Unauthorized):
        push(module, secured.fresh())


def blob_files(registry: Any, digest: str) -> Path:
    root = registry.log.parent / "data" / "docker" / "registry" / "v2" / "blobs" / "sha256"
    hexed = digest.removeprefix("sha256:")
    return root / hexed[:2] / hexed / "data"


def test_a_layer_that_is_damaged_in_the_registry_is_noticed(
    registry: Any, make: Callable[[str], Module]
) -> None:
    module = make("will be damaged")
    reference = registry.fresh()
    image = push(module, reference)
    manifest = json.loads(blob_files(registry, image.digest).read_bytes())
    path = blob_files(registry, manifest["layers"][0]["digest"])
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(NotAFilter, match="damaged"):
        pull(reference)


def test_a_layer_that_the_registry_lost_is_named(registry: Any, make: Callable[[str], Module]) -> None:
    reference = registry.fresh()
    image = push(make("will be lost"), reference)
    manifest = json.loads(blob_files(registry, image.digest).read_bytes())
    blob_files(registry, manifest["layers"][0]["digest"]).unlink()
    with pytest.raises(HubError) as caught:
        pull(reference)
    assert caught.value.do


def test_an_image_that_is_no_filter_is_refused(registry: Any, skopeo: Callable[..., str]) -> None:
    layer = Blob("application/vnd.oci.image.layer.v1.tar+gzip", gzip.compress(bytes(10240)))
    rootfs = {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(bytes(10240)).hexdigest()}"]}
    settings = {"architecture": "amd64", "os": "linux", "rootfs": rootfs}
    config = Blob("application/vnd.oci.image.config.v1+json", json.dumps(settings).encode())
    manifest = {
        "schemaVersion": 2,
        "config": config.descriptor.to_dict(),
        "layers": [layer.descriptor.to_dict()],
    }
    packed = Packed((layer, config), Blob(MANIFEST, json.dumps(manifest).encode()))
    Store().write(parse_reference("other"), packed)
    reference = registry.fresh()
    skopeo("copy", "--dest-tls-verify=false", f"oci:{Store().path}/other:latest", f"docker://{reference}")
    with pytest.raises(NotAFilter, match=r"no plugin\.wasm"):
        pull(reference)
