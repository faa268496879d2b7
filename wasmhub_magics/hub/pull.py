"""Fetch a filter."""

from __future__ import annotations

from dataclasses import replace

from ..errors import NotAFilter, RequestError
from ..module import Module
from .consumers import consumers
from .content import Content, unpack
from .download import download, is_url
from .image import Image, find
from .manifest import DIGEST
from .notes import MODULE_DIGEST, ROOT_ID
from .place import Moved, opened
from .policy import Policy, load_policy
from .reference import Reference, parse_reference

__all__ = ["pull"]

LARGE = 1 << 20
"""Bytes whose digest takes as long as a request."""


def pull(
    reference: str | Reference,
    *,
    sha256: str = "",
    policy: Policy | None = None,
    moved: Moved | None = None,
    username: str | None = None,
    password: str | None = None,
    insecure: bool = False,
    tls_verify: bool | str = True,
    timeout: float = 30.0,
) -> tuple[Module, Image]:
    """Fetch the module of an image from the registry that it names, or from the local store.

    Every layout that a proxy reads is read, and those of the CNCF and of wasm-to-oci; of an index the
    linux/amd64 image is taken as Istio does. The address of a ``.wasm`` file, or of one in ``.gz``, ``.tar``
    or ``.tar.gz``, is taken too. The digests of all that is read are checked; the own one of a large module
    in an archive when it is first asked for: if the image told another, that raises NotAFilter. ``sha256`` is
    what it must be. ``policy`` is what the image must have, by default the user's own; ``moved`` is told of
    bytes that arrive. The other arguments are those of ``push``.

    Raises ImageNotFound, Untrusted where the policy is broken, NotAFilter where it holds no module or is
    damaged, and other HubErrors.
    """
    policy = load_policy() if policy is None else policy
    if isinstance(reference, str) and is_url(reference):
        policy.before(Reference("file", url=reference.strip(), digest=sha256))
        return download(
            reference,
            sha256=sha256,
            username=username,
            password=password,
            tls_verify=tls_verify,
            timeout=timeout,
            moved=moved,
        )
    name = parse_reference(reference)
    where = str(name)
    policy.before(name)
    with opened(
        name, username=username, password=password, insecure=insecure, tls_verify=tls_verify, timeout=timeout
    ) as place:
        named, manifest = find(place, name)
        policy.check(place, name, named.digest, manifest)
        content = unpack(manifest, lambda layer, work: place.read(name, layer, work, moved), where)
        location = place.location(name)
    told = manifest.annotations.get(MODULE_DIGEST, "")
    module = _module(content, told, where)
    if sha256 and module.digest != f"sha256:{sha256.removeprefix('sha256:').lower()}":
        if sha256.removeprefix("sha256:").lower() == named.digest.removeprefix("sha256:"):
            raise RequestError(
                "this is the manifest digest, not the sha256 of the module",
                where=where,
                do=f"write {name.at(named.digest)}",
            )
        raise NotAFilter(
            f"the module is not the one that was wanted: its sha256 is {module.digest.partition(':')[2]}",
            where=where,
            do="check the reference and the digest; do not run it",
        )
    image = Image(
        name,
        named.digest,
        told or module.digest,
        module.size,
        content.layout,
        manifest.annotations,
        content.root_id or manifest.annotations.get(ROOT_ID, ""),
        content.abi,
        location,
        consumers(manifest),
    )
    return module, replace(image, remarks=remarks(image))


def _module(content: Content, told: str, where: str) -> Module:
    """The module, whose digest must be the one that the image tells, if it tells any.

    Its bytes are those of a layer whose digest was checked. What the image says beside of a large one is
    looked at when somebody asks for its digest: a second one takes longer than the bytes are on their way.
    """
    error = NotAFilter(
        "the module is another than the image says", where=where, do="ask its publisher to push it again"
    )
    if not content.digest and DIGEST.fullmatch(told) and len(content.data) > LARGE:
        return Module.promised(content.data, told, error)
    module = Module.hashed(content.data, content.digest) if content.digest else Module(content.data)
    if told and told != module.digest:
        raise error
    return module


def remarks(image: Image) -> tuple[str, ...]:
    """What one should know before relying on the reference that an image was found under."""
    if image.reference.tag != "latest" or image.reference.digest:
        return ()
    return (f"latest may be another image tomorrow: write {image.pinned}",)
