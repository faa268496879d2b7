"""Fetch a filter."""

from __future__ import annotations

from ..errors import NotAFilter
from ..module import Module
from .image import Image, find
from .layout import MODULE_DIGEST, ROOT_ID, unpack
from .place import opened
from .reference import Reference, parse_reference

__all__ = ["pull"]


def pull(
    reference: str | Reference,
    *,
    username: str | None = None,
    password: str | None = None,
    insecure: bool = False,
    tls_verify: bool | str = True,
    timeout: float = 30.0,
) -> tuple[Module, Image]:
    """Fetch the module of an image from the registry that it names, or from the local store.

    Every layout that Istio reads is read, and the one of the CNCF; of an index the linux/amd64 image is taken
    as Istio does. The digests of all that is read are checked. The arguments are those of ``push``. Raises
    ImageNotFound, NotAFilter where it holds no module or is damaged, and other HubErrors.
    """
    name = parse_reference(reference)
    where = str(name)
    with opened(
        name, username=username, password=password, insecure=insecure, tls_verify=tls_verify, timeout=timeout
    ) as place:
        named, manifest = find(place, name)
        content = unpack(manifest, lambda wanted: place.blob(name, wanted), where)
        location = place.location(name)
    module = Module(content.data)
    told = manifest.annotations.get(MODULE_DIGEST)
    if told and told != module.digest:
        raise NotAFilter(
            "the module is another than the image says", where=where, do="ask its publisher to push it again"
        )
    image = Image(
        name,
        named.digest,
        module.digest,
        module.size,
        content.layout,
        manifest.annotations,
        content.root_id or manifest.annotations.get(ROOT_ID, ""),
        content.abi,
        location,
    )
    return module, image
