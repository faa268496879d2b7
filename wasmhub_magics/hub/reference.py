"""The name of an image: ``[registry/]repository[:tag][@digest]``."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, replace

from ..errors import RequestError

__all__ = ["DEFAULT_TAG", "Reference", "parse_reference"]

DEFAULT_TAG = "latest"

_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_PART}(?:/{_PART})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_HOST = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)(?::[0-9]{1,5})?")
_FORM = "[REGISTRY/]REPOSITORY[:TAG][@DIGEST], such as team/greeter:v1 or localhost:5000/team/greeter:v1"


@dataclass(frozen=True, slots=True)
class Reference:
    """The name of an image.

    An empty ``registry`` is the local store; ``tag`` and ``digest`` are empty where they are not given.
    ``url`` is the address of a plain file, which is in no registry; ``digest`` is then the file's module.
    ``parse_reference`` makes one from text, ``str()`` gives the text back.
    """

    repository: str
    tag: str = ""
    digest: str = ""
    registry: str = ""
    url: str = ""

    @property
    def local(self) -> bool:
        """Whether it names an image of the local store."""
        return not self.registry and not self.url

    @property
    def version(self) -> str:
        """What a registry is asked for: the digest, else the tag."""
        return self.digest or self.tag

    def at(self, digest: str) -> Reference:
        """The same name pinned to a digest."""
        return replace(self, digest=digest)

    def __str__(self) -> str:
        if self.url:
            return self.url
        text = f"{self.registry}/{self.repository}" if self.registry else self.repository
        return text + (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")


def parse_reference(text: str | Reference) -> Reference:
    """Read the name of an image.

    The first part is a registry where it holds a dot or a port or is ``localhost``, as docker has it;
    ``oci://`` before the name is left out, as Istio writes it. Without a tag and a digest the tag is
    ``latest``. Raises RequestError where the name is none (grammar: OCI distribution specification 1.1).
    """
    if isinstance(text, Reference):
        return text
    if not isinstance(text, str):
        raise RequestError(f"{type(text).__name__} is no name of an image", do=f"write {_FORM}")
    name = text.strip().removeprefix("oci://")
    if not name:
        raise RequestError("the name of the image is empty", do=f"write {_FORM}")
    if "://" in name:
        raise RequestError(
            "a name of an image is no URL",
            where=_shown(text),
            do=f"leave {name.split('://')[0]}:// out: write {_FORM}",
        )
    rest, at, digest = name.rpartition("@") if "@" in name else (name, "", "")
    if at and "/" in digest:
        raise RequestError(
            "the name of an image holds no login",
            where=_shown(text),
            do="leave out what is before the @ and pass username and password",
        )
    if at and not _DIGEST.fullmatch(digest):
        raise RequestError(
            f"{digest!r} is no digest", where=_shown(text), do="write sha256: and 64 digits of 0-9 and a-f"
        )
    registry, rest = _split_registry(rest)
    if registry:
        _check_host(registry, text)
    repository, colon, tag = rest.partition(":")
    if not registry and (repository == "localhost" or "." in repository) and tag.isdecimal():
        raise RequestError(
            f"{rest!r} names a registry and no repository",
            where=_shown(text),
            do=f"add the repository, such as {rest}/greeter:v1",
        )
    if colon and not _TAG.fullmatch(tag):
        raise RequestError(
            f"{tag!r} is no tag",
            where=_shown(text),
            do="use up to 128 letters, digits, '_', '.' and '-'; not '.' or '-' first",
        )
    _check_repository(repository, text)
    if not tag and not digest:
        tag = DEFAULT_TAG
    return Reference(repository, tag, digest, registry)


def is_loopback(host: str) -> bool:
    """Whether a registry (``host`` or ``host:port``) is on this machine."""
    name = re.sub(r":[0-9]+$", "", host).strip("[]")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _shown(text: str) -> str:
    """The text for an error message, without what could be a password in it."""
    before, _, after = text.rpartition("@")
    return repr(text) if not before or after.startswith("sha256:") else repr(f"…@{after}")


def _split_registry(name: str) -> tuple[str, str]:
    first, slash, rest = name.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return first, rest
    return "", name


def _check_host(registry: str, text: str) -> None:
    port = registry.rpartition(":")[2]
    good_port = not registry[-1:].isdigit() or ":" not in registry or 0 < int(port or 0) < 65536
    if not _HOST.fullmatch(registry) or not good_port:
        raise RequestError(
            f"{registry!r} is no address of a registry",
            where=_shown(text),
            do="write HOST or HOST:PORT, such as localhost:5000 or registry.example.com",
        )


def _check_repository(repository: str, text: str) -> None:
    if _REPOSITORY.fullmatch(repository) and len(repository) <= 255:
        return
    better = "/".join(
        re.sub(r"[^a-z0-9]*$", "", re.sub(r"^[^a-z0-9]*", "", re.sub(r"[^a-z0-9._-]+", "-", part)))
        for part in repository.lower().split("/")
    )
    hint = f"; {better} would do" if _REPOSITORY.fullmatch(better) and len(better) <= 255 else ""
    raise RequestError(
        f"{repository!r} is no name of a repository",
        where=_shown(text),
        do="use lower-case letters and digits, with single '.', '_', '-' and '/' between them, "
        f"255 at most{hint}",
    )
