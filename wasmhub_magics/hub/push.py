"""Publish a filter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from ..errors import HubError, ImageNotFound, RequestError
from ..module import Module
from .about import About
from .edition import next_edition
from .image import Image, describe
from .keys import PrivateKey, private_key
from .layout import LAYOUTS, Coming, Layout, Packed, pack
from .listing import announce
from .manifest import Descriptor
from .place import AGAIN, Moved, Place, opened
from .pull import remarks
from .reference import Reference, is_loopback, parse_reference
from .signature import sign_at
from .statement import IN_TOTO, PROVENANCE, SPDX, pack_bundle, pack_statement, statement

__all__ = ["push"]


@dataclass(frozen=True)
class _Plan:
    """What is to be written under one name."""

    target: Reference
    packed: Packed
    about: About
    provenance: Mapping[str, Any] | None = None
    sbom: Mapping[str, Any] | None = None
    key: PrivateKey | None = None
    moved: Moved | None = field(default=None, compare=False)


def push(
    module: Module,
    reference: str | Reference,
    *,
    layout: Layout | Literal["all"] = "compat",
    name: str = "",
    abi: str | None = None,
    root_id: str = "",
    about: About | None = None,
    annotations: Mapping[str, str] | None = None,
    provenance: Mapping[str, Any] | None = None,
    sbom: Mapping[str, Any] | None = None,
    key: str | Path | PrivateKey | None = None,
    key_password: str = "",
    compress: bool = False,
    index: bool | str = True,
    moved: Moved | None = None,
    username: str | None = None,
    password: str | None = None,
    insecure: bool = False,
    tls_verify: bool | str = True,
    timeout: float = 30.0,
) -> Image:
    """Publish a module as an OCI image that Istio, Envoy Gateway and docker can pull.

    It goes into the registry that the reference names, or into the local store where it names none. With the
    layout ``all`` the same filter goes to ``TAG-solo`` and ``TAG-cncf`` too. ``about`` and ``annotations``
    travel with it, as do ``provenance`` (a predicate of SLSA) and ``sbom`` (a document of SPDX); with a
    ``key`` the image and its provenance are signed. The same arguments always have the same digest;
    ``compress`` makes a smaller layer whose digest depends on the machine's zlib. In a registry that lists no
    repositories the image is entered into an ``index``, a repository beside it or of that name, unless it is
    False. ``moved`` is told of bytes that go.

    Without ``username`` and ``password`` docker's logins are used. A registry on this machine may speak http,
    another one only with ``insecure``; ``tls_verify`` may be a file of certificates. ``timeout`` is in
    seconds and counts each silence of the registry. What was pushed is read back and compared.

    Raises HubError where the image cannot be moved, RequestError where an argument cannot be used.
    """
    target = parse_reference(reference)
    if target.url:
        raise RequestError("a web server takes no images", where=str(target), do="name a registry")
    told = about or About()
    told = replace(told, title=told.title or name or target.repository.rpartition("/")[2])
    signer = None if key is None else private_key(key, key_password)
    with opened(
        target,
        username=username,
        password=password,
        insecure=insecure,
        tls_verify=tls_verify,
        timeout=timeout,
    ) as place:
        place.reach()  # what is wrong with a registry as a whole is told at once

        def begin(coming: Coming) -> None:
            place.begin(target, coming, moved)

        plans = [
            _Plan(
                named,
                pack(
                    module,
                    name=told.title,
                    layout=each,
                    abi=abi,
                    root_id=root_id,
                    annotations={**told.annotations, **(annotations or {})},
                    compress=compress,
                    ahead=None if target.digest else begin,
                ),
                told,
                provenance,
                sbom,
                signer,
                moved,
            )
            for each, named in _targets(target, layout)
        ]
        digest = plans[0].packed.manifest.digest
        if target.digest and target.digest != digest:
            raise RequestError(
                f"this image has the digest {digest}, not the one of the reference",
                where=str(target),
                do="push to a tag",
            )
        images = [_publish(place, plan) for plan in plans]
        noted = announce(place, images[0], told, index) if index else ()
    local = () if target.local or not is_loopback(target.registry) else (_LOCAL,)
    image = replace(images[0], related=tuple(images[1:]))
    return replace(image, remarks=(*remarks(image), *noted, *local))


_LOCAL = "this registry is on this machine: a cluster cannot pull from it under that name"


def _targets(target: Reference, layout: str) -> list[tuple[Layout, Reference]]:
    if layout != "all":
        return [(layout, target)]  # type: ignore[list-item] # pack refuses what is none
    if not target.tag or target.digest:
        raise RequestError(
            "several layouts need a tag that theirs are made from",
            where=str(target),
            do="leave out the digest and name a tag",
        )
    return [
        (each, target if each == "compat" else replace(target, tag=f"{target.tag}-{each}"))
        for each in LAYOUTS
    ]


def _publish(place: Place, plan: _Plan) -> Image:
    """Write an image and what is about it, and read it back."""
    target, packed = plan.target, plan.packed
    place.write(target, packed, plan.moved)
    subject = packed.manifest.descriptor
    beside = replace(target, tag="", digest="")
    for artifact in (next_edition(place, beside, plan.about, subject), *_statements(plan, subject)):
        if artifact is not None:
            place.write(beside, artifact, plan.moved)
    if plan.key is not None:
        sign_at(place, target, subject, plan.key)
    return _read_back(place, plan)


def _statements(plan: _Plan, subject: Descriptor) -> list[Packed]:
    made = []
    if plan.provenance is not None:
        said = statement(subject, PROVENANCE, plan.provenance, plan.target.repository)
        if plan.key is not None:
            made.append(pack_bundle(said, subject, plan.key))
        else:
            made.append(pack_statement(said, subject, IN_TOTO, "provenance.json"))
    if plan.sbom is not None:
        made.append(pack_statement(plan.sbom, subject, SPDX, "sbom.spdx.json"))
    return made


def _read_back(place: Place, plan: _Plan) -> Image:
    """What is there now under the name; its blobs were looked for when they were written.

    Raises HubError where that is something else than was pushed.
    """
    target = plan.target.at(plan.packed.manifest.digest)
    try:
        found = describe(place, target)
    except ImageNotFound:
        raise HubError(
            "what was pushed cannot be read back under its digest", where=str(target), do=AGAIN
        ) from None
    return replace(found, reference=plan.target)
