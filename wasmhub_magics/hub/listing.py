"""The list of a registry that lists nothing: an index that is a repository.

Each push adds one small artifact of its own, whose configuration is the image's card. Its tag is
``KEY.TIME.DIGEST``: 16 hex digits of the sha256 of the image's name, milliseconds since 1970 in 12 hex
digits, and 16 of the card's sha256. So nobody ever rewrites what another one wrote, and pushes at the same
time cannot lose one another. A reader lists the tags and takes the latest of each key; a card never changes,
so it is fetched once. Whoever pushes removes older cards of the same image, where the registry lets it.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import re
import time
from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Any

from ..errors import HubError, NotAFilter
from .about import About
from .entry import Entry, entry_of
from .image import Image
from .layout import Packed
from .manifest import MANIFEST, Blob, Manifest
from .place import Place
from .reference import Reference, parse_reference

__all__ = ["ENTRY", "announce", "index_names", "is_card", "listed"]

ENTRY = "application/vnd.wasmhub.catalogue.entry.v1+json"
NAME = "wasmhub-index"
_TAG = re.compile(r"([0-9a-f]{16})\.([0-9a-f]{12})\.[0-9a-f]{16}")
_INLINE = 1 << 16
_listing: set[tuple[str, str]] = set()
"""The registries that list their repositories to a user, as they once did: asked once in a process."""


def announce(place: Place, image: Image, about: About, index: bool | str) -> tuple[str, ...]:
    """Enter an image into the index, unless the registry lists it itself; remarks where that failed."""
    from .registry import Registry

    if not isinstance(place, Registry):
        return ()
    try:
        if index is True and has_catalogue(place):
            return ()
        name = index if isinstance(index, str) else index_names(image.reference.repository)[0]
        target = parse_reference(
            name if "/" in name and "." in name.split("/")[0] else f"{place.host}/{name}"
        )
        write(place, replace(target, registry=image.reference.registry), image, about)
    except HubError as error:
        return (f"the index was not updated, so searches will not find the image: {error.what}",)
    return ()


def index_names(path: str) -> tuple[str, ...]:
    """The repositories where the index for a repository or a namespace can be, the nearest first."""
    top = path.partition("/")[0]
    return (f"{top}/{NAME}", NAME) if "/" in path else (NAME,)


def is_card(tag: str) -> bool:
    """Whether a tag is one of an index."""
    return bool(_TAG.fullmatch(tag))


def has_catalogue(registry: Any) -> bool:
    """Whether a registry lists its repositories to us."""
    asked = (registry.host, registry.auth.user)
    with contextlib.suppress(HubError):
        if asked not in _listing and registry.repositories(1) is not None:
            _listing.add(asked)
    return asked in _listing


def write(place: Place, index: Reference, image: Image, about: About) -> None:
    """Add the card of an image to an index."""
    card = Blob(ENTRY, entry_of(image, index.registry, about).to_json().encode())
    config: dict[str, Any] = card.descriptor.to_dict()
    if len(card.data) <= _INLINE:
        config["data"] = base64.b64encode(card.data).decode()  # spares readers a request
    value = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": ENTRY,
        "config": config,
        "layers": [card.descriptor.to_dict()],
    }
    manifest = Blob(MANIFEST, json.dumps(value, sort_keys=True).encode())
    key = hashlib.sha256(str(replace(image.reference, digest="")).encode()).hexdigest()[:16]
    now = time.time_ns() // 1_000_000
    tag = f"{key}.{now:012x}.{card.digest.partition(':')[2][:16]}"
    place.write(replace(index, tag=tag, digest=""), Packed((card,), manifest))
    for older in place.tags(index.repository):
        match = _TAG.fullmatch(older)
        if match and match[1] == key and int(match[2], 16) < now:
            with contextlib.suppress(HubError):
                place.delete(replace(index, tag=older, digest=""))


def listed(place: Place, index: Reference, known: Collection[str] = ()) -> Iterator[tuple[str, Entry | None]]:
    """The latest card of each image in an index, with its tag; None for a tag that one knows already.

    Cards that cannot be read are left out: whoever may push can write anything.
    """
    latest: dict[str, str] = {}
    for tag in place.tags(index.repository):
        match = _TAG.fullmatch(tag)
        if match and (match[1] not in latest or tag > latest[match[1]]):
            latest[match[1]] = tag
    for tag in sorted(latest.values()):
        if tag in known:
            yield tag, None
            continue
        named = replace(index, tag=tag, digest="")
        with contextlib.suppress(NotAFilter, ValueError, LookupError, TypeError):
            blob = place.manifest(named)
            descriptor = Manifest.parse(blob, str(named)).config
            assert descriptor is not None
            inline = json.loads(blob.data)["config"].get("data")
            data = base64.b64decode(inline) if inline else place.blob(named, descriptor)
            entry = Entry.from_json(descriptor.check(data, str(named)), origin=index.registry)
            if parse_reference(entry.ref).registry == index.registry:  # it may tell of its own registry only
                yield tag, entry
