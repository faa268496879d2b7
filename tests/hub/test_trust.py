"""Signatures are those of cosign, in both of its forms, and a policy stands before what is pulled."""

from __future__ import annotations

import hashlib
import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import wasmtime

from tests.hub.peers import run
from wasmhub_magics import load
from wasmhub_magics.errors import HubError, RequestError, Untrusted
from wasmhub_magics.filter import pull as pull_filter
from wasmhub_magics.hub import (
    About,
    Policy,
    Rule,
    generate_keys,
    info,
    load_policy,
    parse_reference,
    provenance,
    pull,
    push,
    sbom,
    sign,
    verify,
)
from wasmhub_magics.hub.keys import private_key, public_key
from wasmhub_magics.hub.layout import Packed
from wasmhub_magics.hub.manifest import MANIFEST, Blob
from wasmhub_magics.hub.registry import Registry
from wasmhub_magics.module import Module

COSIGN = {"COSIGN_PASSWORD": "k3y-pass"}
LOCAL = ("--allow-http-registry", "--allow-insecure-registry")
SOURCE = "def on_request_headers(ctx):\n    pass\n"


@pytest.fixture(scope="session")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Path, Path]]:
    folder = tmp_path_factory.mktemp("keys")
    return [generate_keys(folder / name, COSIGN["COSIGN_PASSWORD"]) for name in ("team", "stranger")]


@pytest.fixture
def keys(pairs: Any, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    monkeypatch.setenv("COSIGN_PASSWORD", COSIGN["COSIGN_PASSWORD"])
    return pairs[0]


@pytest.fixture
def strangers(pairs: Any, keys: Any) -> tuple[Path, Path]:
    return pairs[1]


def cosign_verify(reference: object, key: Path, *more: str, ok: bool = True) -> str:
    return run(
        "cosign", "verify", "--key", key, "--insecure-ignore-tlog=true", *LOCAL, *more, reference, ok=ok
    )


def test_a_key_is_for_the_user_alone_and_shows_nothing_secret(keys: Any) -> None:
    private, public = keys
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    made = private_key(private)
    assert made.public == public_key(public)
    assert made.public.id[:16] in repr(made)
    assert "PRIVATE" not in repr(made)
    with pytest.raises(RequestError, match="key already"):
        generate_keys(private.with_suffix(""))


def test_cosign_reads_our_key_and_we_read_cosigns(keys: Any, tmp_path: Path) -> None:
    private, public = keys
    derived = run("cosign", "public-key", "--key", private, env=COSIGN)
    assert public.read_text().strip() in derived
    run("cosign", "generate-key-pair", "--output-key-prefix", tmp_path / "theirs", env=COSIGN, cwd=tmp_path)
    assert private_key(tmp_path / "theirs.key").public == public_key(tmp_path / "theirs.pub")


@pytest.mark.parametrize(
    "content", ["", "hello", "-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\nAAAA\n-----END"]
)
def test_what_is_no_key_is_told(tmp_path: Path, content: str) -> None:
    (tmp_path / "k").write_text(content)
    for read in (private_key, public_key):
        with pytest.raises(HubError, match="key"):
            read(tmp_path / "k")
    with pytest.raises(HubError, match="cannot be read"):
        private_key(tmp_path / "none")


def test_a_wrong_password_does_not_open_a_key(keys: Any) -> None:
    with pytest.raises(HubError, match="password") as caught:
        private_key(keys[0], "wrong-password")
    assert "wrong-password" not in str(caught.value)


def test_cosign_verifies_both_forms_of_what_we_sign(
    anywhere: Any, module: Module, keys: Any, strangers: Any
) -> None:
    private, public = keys
    image = push(module, anywhere.fresh(), key=private)
    assert {each.form for each in verify(image.reference, public)} == {"classic", "bundle"}
    for form in ("--new-bundle-format=false", "--new-bundle-format=true"):
        said = cosign_verify(image.reference, public, form)
        assert "claims were validated" in said
        cosign_verify(image.reference, strangers[1], form, ok=False)
    with pytest.raises(Untrusted, match="no signature of the image was made with a key that you trust"):
        verify(image.reference, strangers[1])


def test_we_verify_what_cosign_signs(anywhere: Any, module: Module, keys: Any) -> None:
    private, public = keys
    image = push(module, anywhere.fresh())
    with pytest.raises(Untrusted, match="not signed"):
        verify(image.reference, public)
    run("cosign", "sign", "--yes", "--key", private, "--tlog-upload=false", "--use-signing-config=false",
        "--new-bundle-format=false", *LOCAL, image.pinned.replace(":v1@", "@"), env=COSIGN)  # fmt: skip
    assert [each.form for each in verify(image.reference, public)] == ["classic"]


def test_signing_again_adds_nothing_and_another_key_adds_its_own(
    hub: Any, module: Module, keys: Any, strangers: Any
) -> None:
    image = push(module, hub.fresh(), key=keys[0])
    sign(image.reference, keys[0])
    sign(image.reference, strangers[0])
    for public in (keys[1], strangers[1]):
        assert sorted(each.form for each in verify(image.reference, public)) == ["bundle", "classic"]
        cosign_verify(image.reference, public, "--new-bundle-format=false")
    assert len(verify(image.reference, [keys[1], strangers[1]])) == 4


def test_a_signature_of_another_image_does_not_count(
    hub: Any, make: Callable[[str], Module], keys: Any
) -> None:
    signed = push(make("good"), hub.fresh(), key=keys[0])
    reference = parse_reference(f"{signed.reference}".rpartition(":")[0] + ":evil")
    evil = push(make("evil"), reference)
    with Registry(hub.address) as registry:
        tag = signed.digest.replace(":", "-") + ".sig"
        name = signed.reference.repository
        stolen = registry.manifest(parse_reference(f"{hub.address}/{name}:{tag}"))
        target = parse_reference(f"{hub.address}/{name}:{evil.digest.replace(':', '-')}.sig")
        registry.write(target, Packed((), Blob(MANIFEST, stolen.data)))
    with pytest.raises(Untrusted, match="no signature of the image was made"):
        verify(reference, keys[1])


def published(reference: str, module: Module, key: Path | None) -> Any:
    about = About(
        title="greeter", source=SOURCE, source_name="g.py", language="python", toolchain="MicroPython 1"
    )
    return push(
        module,
        reference,
        about=about,
        provenance=provenance(about, module.digest, "0"),
        sbom=sbom(about, module.digest, [("serde", "1")]),
        key=key,
    )


def test_provenance_ties_the_module_to_its_source_and_cosign_verifies_it(
    anywhere: Any, module: Module, keys: Any
) -> None:
    image = published(anywhere.fresh(), module, keys[0])
    told = info(image.reference, key=keys[1])
    assert told.signature_state == "trusted"
    assert told.provenance is not None
    build = told.provenance["predicate"]["buildDefinition"]
    assert build["resolvedDependencies"][0]["digest"]["sha256"] == hashlib.sha256(SOURCE.encode()).hexdigest()
    assert told.provenance["subject"][0]["digest"]["sha256"] == image.digest.partition(":")[2]
    assert told.provenance_signer == public_key(keys[1]).id
    said = run("cosign", "verify-attestation", "--key", keys[1], "--insecure-ignore-tlog=true", *LOCAL,
               "--type", "slsaprovenance1", image.reference)  # fmt: skip
    assert "claims were validated" in said
    assert told.sbom is not None
    assert [each["name"] for each in told.sbom["packages"]] == ["greeter", "serde"]


def test_provenance_without_a_key_is_told_as_unsigned(module: Module, keys: Any) -> None:
    image = published("team/greeter:v1", module, None)
    told = info(image.reference, key=keys[1])
    assert told.provenance is not None
    assert (told.provenance_signer, told.signature_state) == ("", "unsigned")
    assert info(image.reference).sbom == told.sbom


def policy(tmp_path: Path, text: str) -> None:
    (tmp_path / "config" / "wasmhub").mkdir(parents=True, exist_ok=True)
    (tmp_path / "config" / "wasmhub" / "policy.toml").write_text(text)


def test_a_policy_stands_before_every_pull(
    hub: Any, module: Module, keys: Any, strangers: Any, tmp_path: Path
) -> None:
    good = push(module, hub.fresh(), key=keys[0])
    bad = push(module, hub.fresh(), key=strangers[0])
    unsigned = push(module, "team/greeter")
    policy(tmp_path, f'[[rule]]\nimage = "{hub.address}/*"\nkeys = ["{keys[1]}"]\n')
    assert pull(good.reference)[0] == module
    assert pull(unsigned.reference)[0] == module
    with pytest.raises(Untrusted, match="a key that you trust") as caught:
        pull(bad.reference)
    assert public_key(keys[1]).id[:16] in caught.value.do
    assert info(good.reference).signature_state == "trusted"
    assert info(bad.reference).signature_state == "signed"
    policy(tmp_path, '[[rule]]\nimage = "local/*"\nrequire = "never"\n')
    with pytest.raises(Untrusted, match="forbids") as caught:
        pull(unsigned.reference)
    assert "policy.toml" in caught.value.where


def test_a_policy_may_want_a_digest(module: Module, tmp_path: Path) -> None:
    image = push(module, "team/greeter:v1")
    policy(tmp_path, '[[rule]]\nimage = "*"\nrequire = "digest"\n')
    with pytest.raises(Untrusted, match="pinned"):
        pull("team/greeter:v1")
    assert pull(image.pinned)[0] == module


def test_a_policy_may_want_signed_provenance_that_names_the_source(module: Module, keys: Any) -> None:
    wants = Policy((Rule("*", "signature", (public_key(keys[1]),), source=True),))
    signed = published("team/a:v1", module, keys[0])
    assert pull(signed.reference, policy=wants)[0] == module
    later = published("team/b:v1", module, None)
    sign(later.reference, keys[0])
    with pytest.raises(Untrusted, match="provenance"):
        pull(later.reference, policy=wants)


@pytest.mark.parametrize(
    "text",
    ["[[rule]]", "rule = 1", "[[rule", '[[rule]]\nimage = "*"\nrequire = "luck"', '[[rule]]\nimage = "*"',
     '[[rule]]\nimage = "*"\nkeyz = []\nrequire = "nothing"'],
)  # fmt: skip
def test_a_policy_that_cannot_be_read_lets_nothing_through(module: Module, tmp_path: Path, text: str) -> None:
    push(module, "greeter")
    policy(tmp_path, text)
    with pytest.raises(RequestError, match=r"policy|rule"):
        pull("greeter")


def test_a_policy_that_is_named_and_missing_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_policy() == Policy()
    monkeypatch.setenv("WASMHUB_POLICY", str(tmp_path / "none.toml"))
    with pytest.raises(RequestError, match="no such policy"):
        load_policy()


CURIOUS = """(module
  (import "wasi_snapshot_preview1" "path_open"
    (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_sizes_get" (func $environ (param i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 16) "etc/passwd")
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 1024))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (if (i32.eqz (call $open (i32.const 3) (i32.const 0) (i32.const 16) (i32.const 10) (i32.const 0)
                             (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 64))) (then unreachable))
    (drop (call $environ (i32.const 128) (i32.const 132)))
    (if (i32.load (i32.const 128)) (then unreachable))
    (i32.const 0)))"""


def test_a_pulled_module_gets_no_file_and_no_variable_of_this_machine() -> None:
    """It traps where it gets one; the other one where it gets none."""
    push(Module(wasmtime.wat2wasm(CURIOUS)), "team/curious:v1")
    made = pull_filter("team/curious:v1")
    assert made.send().response.status == 200
    refused = wasmtime.wat2wasm(CURIOUS.replace("i32.eqz", "i32.ne (i32.const 0)"))
    assert load(bytes(refused), name="refused").send().response.status == 503


def test_latest_is_told_to_be_no_pin_and_a_digest_is_one(module: Module) -> None:
    image = push(module, "greeter")
    assert "latest may be another image tomorrow" in repr(pull("greeter")[1])
    assert image.digest in pull("greeter")[1].remarks[0]
    assert pull(image.pinned)[1].remarks == ()
    assert "latest may" not in repr(push(module, "greeter:v1"))


def test_a_bundle_is_json_that_names_the_key_and_no_certificate(hub: Any, module: Module, keys: Any) -> None:
    image = push(module, hub.fresh(), key=keys[0])
    with Registry(hub.address) as registry:
        (descriptor,) = registry.referrers(
            image.reference, image.digest, "application/vnd.dev.sigstore.bundle.v0.3+json"
        )
        manifest = json.loads(registry.child(image.reference, descriptor).data)
        assert manifest["subject"]["digest"] == image.digest
