"""Who one is to a registry: what was passed in, else what docker, podman or their helpers keep.

Nothing here is printed: a credential shows the user's name at most.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import HubError, RequestError, Unauthorized

__all__ = ["Credential", "Login", "config_path", "find_credential", "login", "logout",
           "save_credential"]  # fmt: skip

DOCKER_HUB = "registry-1.docker.io"
HELPER_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Credential:
    """A user name with a password, or a token in their place. Its repr shows the name only."""

    username: str = ""
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)
    registry_token: str = field(default="", repr=False)

    @property
    def basic(self) -> str:
        """The value of an ``Authorization`` header of the Basic scheme (RFC 7617); empty without a name."""
        if not self.username:
            return ""
        return "Basic " + base64.b64encode(f"{self.username}:{self.password}".encode()).decode()


@dataclass(frozen=True, slots=True)
class Login:
    """A login that the registry accepted; ``stored`` names the file or helper that keeps it."""

    registry: str
    username: str
    stored: str


def given_credential(username: str | None, password: str | None) -> Credential | None:
    """The credential that a caller passed in, if any. Raises RequestError where one half is missing."""
    if not username and not password:
        return None
    if not username or not password:
        missing = "password" if username else "username"
        raise RequestError(f"a login needs a {missing} too", do=f"pass {missing}=..., or neither")
    if ":" in username:
        raise RequestError("a user name cannot hold a colon (RFC 7617)", do="check the user name")
    return Credential(username, password)


def login(
    registry: str,
    username: str,
    password: str,
    *,
    insecure: bool = False,
    tls_verify: bool | str = True,
    timeout: float = 30.0,
) -> Login:
    """Ask the registry whether it accepts a login, and keep it for later pushes and pulls if it does.

    It is kept by the helper that docker's configuration names, else in that configuration itself, with access
    for the user alone. ``insecure`` allows http to a host that is not this machine; ``tls_verify`` may be a
    file of certificates. Raises Unauthorized where the registry refuses it and HubError where nothing was
    kept because the registry wants no login.
    """
    from .registry import Registry

    given = given_credential(username, password)
    if given is None:
        raise RequestError("a login needs a user name and a password", do="pass both")
    with Registry(
        registry, credential=given, insecure=insecure, tls_verify=tls_verify, timeout=timeout
    ) as asked:
        asked.check_login()
        host = asked.host
    return Login(registry, username, save_credential(host, given))


def logout(registry: str) -> str:
    """Forget the login of a registry and tell where it was kept; empty where there was none.

    Raises HubError where it cannot be removed.
    """
    host = DOCKER_HUB if registry in ("docker.io", "index.docker.io") else registry
    path = config_path()
    config = _read(path)
    helper = _helper(config, host)
    if helper and _from_helper(config, host):
        for name in _names(host):
            _run_helper(helper, "erase", name)
        return helper
    auths = _object(config.get("auths"))
    left = {name: entry for name, entry in auths.items() if name not in _names(host)}
    if left == auths:
        return ""
    _write(path, {**config, "auths": left})
    return str(path)


def config_path() -> Path:
    """Docker's configuration: in ``$DOCKER_CONFIG``, else in ``~/.docker``."""
    own = os.environ.get("DOCKER_CONFIG")
    return (Path(own) if own else Path("~/.docker").expanduser()) / "config.json"


def find_credential(host: str) -> Credential | None:
    """What docker's configuration, its helpers or podman's file know about a registry; None if nothing.

    Raises HubError where a file or a helper cannot be read.
    """
    paths = [config_path()]
    for name, tail in (("REGISTRY_AUTH_FILE", ""), ("XDG_RUNTIME_DIR", "containers/auth.json")):
        if os.environ.get(name):
            paths.append(Path(os.environ[name]) / tail)
    for path in paths:
        config = _read(path)
        found = _from_helper(config, host) or _from_auths(config, host, path)
        if found:
            return found
    return None


def save_credential(host: str, credential: Credential) -> str:
    """Keep a credential and tell where. Raises HubError where that is not possible."""
    path = config_path()
    config = _read(path)
    key = _names(host)[-1] if host == DOCKER_HUB else host
    helper = _helper(config, host)
    if helper:
        said = {"ServerURL": key, "Username": credential.username, "Secret": credential.password}
        if _run_helper(helper, "store", json.dumps(said)) is None:
            raise HubError("the login could not be kept", where=helper, do="see the helper's own advice")
        return helper
    secret = credential.basic.removeprefix("Basic ")
    config["auths"] = {**_object(config.get("auths")), key: {"auth": secret}}
    _write(path, config)
    return str(path)


def _write(path: Path, config: dict[str, Any]) -> None:
    target = Path(os.path.realpath(path))
    try:
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, partial = tempfile.mkstemp(dir=target.parent, prefix=".config-")  # made with mode 0600
        try:
            with os.fdopen(handle, "w") as file:
                file.write(json.dumps(config, indent="\t"))
                file.flush()
                os.fsync(file.fileno())
            Path(partial).replace(target)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(partial).unlink()
            raise
    except OSError as error:
        raise HubError(
            f"the login could not be kept: {error.strerror}",
            where=str(target),
            do="make the file writable, or set DOCKER_CONFIG to another directory",
        ) from None


def _read(path: Path) -> dict[str, Any]:
    try:
        return _object(json.loads(path.read_bytes() or b"{}"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        what, do = f"cannot be read: {error.strerror}", "give yourself the right to read it"
    except (ValueError, RecursionError):
        what, do = "is no JSON", "repair it, or move it away and log in again"
    raise HubError(f"the file of logins {what}", where=str(path), do=do)


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _names(host: str) -> list[str]:
    """The keys that docker and podman have used for a registry."""
    names = [host, f"https://{host}", f"https://{host}/", f"http://{host}", f"https://{host}/v2/"]
    if host == DOCKER_HUB:
        names += ["docker.io", "index.docker.io", "https://index.docker.io/v1/"]
    return names


def _from_auths(config: dict[str, Any], host: str, path: Path) -> Credential | None:
    auths = _object(config.get("auths"))
    for name in _names(host):
        entry = _object(auths.get(name))
        tokens = {
            "identity_token": str(entry.get("identitytoken") or ""),
            "registry_token": str(entry.get("registrytoken") or ""),
        }
        username, password = str(entry.get("username") or ""), str(entry.get("password") or "")
        if entry.get("auth"):
            try:
                username, _, password = base64.b64decode(str(entry["auth"])).decode().partition(":")
            except ValueError:
                raise HubError(
                    f"the login of {host} is damaged", where=str(path), do=f"log in to {host} again"
                ) from None
        if username or any(tokens.values()):
            return Credential(username, password.rstrip("\0"), **tokens)
    return None


def _helper(config: dict[str, Any], host: str) -> str:
    special = _object(config.get("credHelpers"))
    suffix = next((special[name] for name in _names(host) if special.get(name)), config.get("credsStore"))
    if not suffix:
        return ""
    if not re.fullmatch(r"[A-Za-z0-9._-]+", str(suffix)):
        raise HubError(
            f"{suffix!r} is no name of a credential helper", where=str(config_path()), do="correct the file"
        )
    return f"docker-credential-{suffix}"


def _from_helper(config: dict[str, Any], host: str) -> Credential | None:
    helper = _helper(config, host)
    if not helper:
        return None
    for name in _names(host) if host == DOCKER_HUB else (host, f"https://{host}"):
        answer = _run_helper(helper, "get", name)
        if answer is None:
            continue
        try:
            said = _object(json.loads(answer))
        except ValueError:
            raise HubError(f"{helper} answers no JSON", where=host, do=f"try: {helper} list") from None
        user, secret = str(said.get("Username") or ""), str(said.get("Secret") or "")
        if user == "<token>":
            return Credential(identity_token=secret)
        if user:
            return Credential(user, secret)
    return None


def _run_helper(helper: str, verb: str, text: str) -> str | None:
    """What a credential helper says; None where it knows nothing of that registry."""
    try:
        done = subprocess.run(
            [helper, verb],
            input=text,
            capture_output=True,
            text=True,
            timeout=HELPER_SECONDS,
            check=False,
        )
    except FileNotFoundError:
        raise Unauthorized(
            f"the credential helper {helper} is not installed",
            where=str(config_path()),
            do="install it, take it out of that file, or pass username and password",
        ) from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise HubError(
            f"the credential helper {helper} does not work: {type(error).__name__}",
            where=str(config_path()),
            do=f"try: {helper} list",
        ) from None
    if done.returncode and verb != "get":
        return None
    return None if done.returncode else done.stdout
