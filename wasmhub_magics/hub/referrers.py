"""What is attached to an image in a registry: by the registry's own list, or by a tag that stands for one.

Both are of the OCI distribution specification 1.1.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import quote

from ..errors import HubError, ImageNotFound, NotAFilter
from .layout import Packed
from .manifest import EMPTY, INDEX, Blob, Descriptor, Manifest
from .reference import Reference

if TYPE_CHECKING:
    from .registry import Registry

__all__ = ["list_referrer", "listed_referrers"]

ATTEMPTS = 10


def listed_referrers(
    registry: Registry, reference: Reference, digest: str, kind: str
) -> tuple[Descriptor, ...]:
    """The artifacts about a manifest, of one type or of every type.

    The tag is looked at, too, where the list is empty or vague: older zot knows no artifact types.
    """
    container = registry._container(reference.repository)
    base = registry._url(container.manifest_url(digest)).replace("/manifests/", "/referrers/")
    found: list[Descriptor] = []
    page = base + (f"?artifactType={quote(kind, safe='')}" if kind else "")
    while page:
        response = registry.do_request(page, headers={"Accept": INDEX})
        if response.status_code != 200:
            break
        with suppress(NotAFilter):
            found += Manifest.parse(Blob(INDEX, registry._body(response)), str(reference)).children
        page = registry._next(response, page)
    if all(each.artifact_type in ("", EMPTY) for each in found):
        listed = {each.digest: each for each in (*found, *_tagged(registry, reference, digest))}
        found = list(listed.values())
    return tuple(each for each in found if not kind or each.artifact_type == kind)


def list_referrer(registry: Registry, reference: Reference, packed: Packed) -> None:
    """Keep the list of a registry without one: an index under a tag.

    Others may write it at the same time, so it is read again until it holds the new entry. Raises HubError.
    """
    assert packed.subject is not None
    digest = packed.subject.digest
    for _ in range(ATTEMPTS):
        known = _tagged(registry, reference, digest)
        if any(each.digest == packed.manifest.digest for each in known):
            return
        children = [each.to_dict() for each in (*known, packed.descriptor)]
        value = {"schemaVersion": 2, "mediaType": INDEX, "manifests": children}
        registry._put_manifest(reference, Blob(INDEX, json.dumps(value).encode()), digest.replace(":", "-"))
    raise HubError(
        "what was attached cannot be listed: others write the list all the time",
        where=str(reference),
        do="push again",
    )


def _tagged(registry: Registry, reference: Reference, digest: str) -> tuple[Descriptor, ...]:
    tag = digest.replace(":", "-")
    try:
        named = registry.manifest(Reference(reference.repository, tag, "", reference.registry))
        return Manifest.parse(named, str(reference)).children
    except (ImageNotFound, NotAFilter):
        return ()
