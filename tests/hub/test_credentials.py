"""Logins come from where docker keeps them, are checked before they are kept, and are kept from others."""

from __future__ import annotations

import base64
import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from wasmhub_magics.errors import HubError, RegistryUnreachable, RequestError, Unauthorized
from wasmhub_magics.hub import login, pull, push
from wasmhub_magics.hub.auth import Challenge
from wasmhub_magics.hub.credentials import Credential, find_credential
from wasmhub_magics.module import Module

HUB = "hub.example:5000"
USER, PASSWORD = "ada", "s3cret-W0rd/+"
BASIC = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "docker").mkdir()
    return tmp_path / "docker" / "config.json"


def helper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """A credential helper on the PATH, named docker-credential-test."""
    folder = tmp_path / "bin"
    folder.mkdir()
    path = folder / "docker-credential-test"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


@pytest.mark.parametrize("service", ["secured", "tokens"])
def test_a_login_that_the_registry_accepts_is_kept_for_the_user_alone_and_used(
    request: pytest.FixtureRequest, service: str, config: Path, module: Module
) -> None:
    served = request.getfixturevalue(service)
    served = served if service == "secured" else served[0]
    config.write_text(json.dumps({"auths": {"other.example": {"auth": "eDp5"}}, "psFormat": "x"}))
    config.chmod(0o644)
    done = login(served.address, USER, PASSWORD)
    assert (done.registry, done.username, done.stored) == (served.address, USER, str(config))
    assert PASSWORD not in repr(done)
    assert stat.S_IMODE(config.stat().st_mode) == 0o600
    kept = json.loads(config.read_text())
    assert kept["psFormat"] == "x"
    assert kept["auths"] == {"other.example": {"auth": "eDp5"}, served.address: {"auth": BASIC}}
    reference = served.fresh()
    push(module, reference)
    assert pull(reference)[0] == module


@pytest.mark.parametrize("service", ["secured", "tokens"])
def test_a_wrong_password_is_refused_and_not_kept(
    request: pytest.FixtureRequest, service: str, config: Path
) -> None:
    served = request.getfixturevalue(service)
    served = served if service == "secured" else served[0]
    with pytest.raises(Unauthorized, match="refuses the login of ada") as caught:
        login(served.address, USER, "hunter2hunter2")
    assert "hunter2" not in str(caught.value)
    assert not config.exists()


def test_a_registry_that_wants_no_login_gets_none_kept(registry: Any, config: Path) -> None:
    with pytest.raises(HubError, match="wants no login"):
        login(registry.address, USER, PASSWORD)
    assert not config.exists()


def test_a_login_is_not_kept_where_nobody_answers(config: Path) -> None:
    with pytest.raises(RegistryUnreachable):
        login("127.0.0.1:1", USER, PASSWORD)
    with pytest.raises(RequestError):
        login("127.0.0.1:1", "", "")
    assert not config.exists()


def test_a_login_that_skopeo_or_docker_made_is_used(
    secured: Any, module: Module, skopeo: Any, config: Path
) -> None:
    skopeo(
        "login", "--tls-verify=false", f"--authfile={config}", f"-u{USER}", f"-p{PASSWORD}", secured.address
    )
    push(module, secured.fresh())


def test_a_login_of_podman_is_used(
    secured: Any, module: Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "auth.json").write_text(json.dumps({"auths": {secured.address: {"auth": BASIC}}}))
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(tmp_path / "auth.json"))
    push(module, secured.fresh())


def test_a_credential_helper_is_asked(
    secured: Any, module: Module, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = json.dumps({"ServerURL": secured.address, "Username": USER, "Secret": PASSWORD})
    helper(tmp_path, monkeypatch, f"[ \"$1 $(cat)\" = 'get {secured.address}' ] && echo '{answer}'")
    for settings in ({"credsStore": "test"}, {"credHelpers": {secured.address: "test"}}):
        config.write_text(json.dumps(settings))
        push(module, secured.fresh())


def test_a_login_goes_to_the_credential_helper_where_there_is_one(
    secured: Any, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    helper(tmp_path, monkeypatch, f"[ $1 = store ] && cat > {tmp_path / 'given'}")
    config.write_text('{"credsStore": "test"}')
    assert login(secured.address, USER, PASSWORD).stored == "docker-credential-test"
    given = json.loads((tmp_path / "given").read_text())
    assert given == {"ServerURL": secured.address, "Username": USER, "Secret": PASSWORD}
    assert config.read_text() == '{"credsStore": "test"}'


@pytest.mark.parametrize(
    ("settings", "script", "says"),
    [
        ('{"credsStore": "absent-here"}', "", "not installed"),
        ('{"credsStore": "../../bin/sh"}', "", "no name of a credential helper"),
        ('{"credsStore": "test"}', "echo no json", "answers no JSON"),
        ("{", "", "is no JSON"),
    ],
)
def test_a_helper_or_file_that_does_not_work_is_named(  # noqa: PLR0917
    secured: Any, module: Module, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    settings: str, script: str, says: str,
) -> None:  # fmt: skip
    if script:
        helper(tmp_path, monkeypatch, script)
    config.write_text(settings)
    with pytest.raises(HubError, match=says) as caught:
        push(module, secured.fresh())
    assert caught.value.do


def test_a_helper_that_does_not_work_does_no_harm_where_no_login_is_wanted(
    registry: Any, module: Module, config: Path
) -> None:
    config.write_text('{"credsStore": "absent-here"}')
    push(module, registry.fresh())


def test_a_helper_that_knows_nothing_leaves_one_without_a_login(
    secured: Any, module: Module, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    helper(tmp_path, monkeypatch, "echo credentials not found in native keychain; exit 1")
    config.write_text('{"credsStore": "test"}')
    with pytest.raises(Unauthorized, match="wants a login"):
        push(module, secured.fresh())


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"auth": BASIC}, Credential(USER, PASSWORD)),
        ({"username": USER, "password": PASSWORD}, Credential(USER, PASSWORD)),
        ({"auth": base64.b64encode(b"a:b:c\0").decode()}, Credential("a", "b:c")),
        ({"identitytoken": "t"}, Credential(identity_token="t")),
        ({"registrytoken": "t"}, Credential(registry_token="t")),
        ({}, None),
    ],
)
@pytest.mark.parametrize("key", [HUB, f"https://{HUB}", f"https://{HUB}/v2/"])
def test_every_form_of_an_entry_is_read(
    config: Path, key: str, entry: Any, expected: Credential | None
) -> None:
    config.write_text(json.dumps({"auths": {key: entry}}))
    assert find_credential(HUB) == expected
    assert find_credential("hub.example") is None


def test_a_credential_shows_no_secret() -> None:
    shown = repr(Credential(USER, PASSWORD, "identity", "registry"))
    assert USER in shown
    assert not any(secret in shown for secret in (PASSWORD, "identity'", "registry'"))


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ('Basic realm="team"', [("basic", {"realm": "team"})]),
        ("Basic realm=team", [("basic", {"realm": "team"})]),
        (
            'Bearer realm="https://a.example/t",service="hub, the",scope="repository:a/b:pull,push"',
            [
                (
                    "bearer",
                    {
                        "realm": "https://a.example/t",
                        "service": "hub, the",
                        "scope": "repository:a/b:pull,push",
                    },
                )
            ],
        ),
        ('Basic realm="a", Bearer realm="b"', [("basic", {"realm": "a"}), ("bearer", {"realm": "b"})]),
        ('bearer REALM="say \\"hi\\""', [("bearer", {"realm": 'say "hi"'})]),
        ("Negotiate", [("negotiate", {})]),
        ("", []),
    ],
)
def test_a_challenge_is_taken_apart(header: str, expected: list[tuple[str, dict[str, str]]]) -> None:
    assert [(each.scheme, dict(each.parameters)) for each in Challenge.parse(header)] == expected
