"""Publish a filter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ..errors import HubError, ImageNotFound, RequestError
from ..module import Module
from .image import Image, describe
from .layout import pack
from .place import opened
from .reference import Reference, parse_reference

__all__ = ["push"]


def push(
    module: Module,
    reference: str | Reference,
    *,
    name: str = "",
    abi: str | None = None,
    root_id: str = "",
    annotations: Mapping[str, str] | None = None,
    username: str | None = None,
    password: str | None = None,
    insecure: bool = False,
    tls_verify: bool | str = True,
    timeout: float = 30.0,
) -> Image:
    """Publish a module as an OCI image that Istio, Envoy Gateway and docker can pull.

    It goes into the registry that the reference names, or into the local store where it names none. The same
    module with the same ``name``, ``root_id`` and ``annotations`` always has the same digest. Without
    ``username`` and ``password`` docker's logins are used. A registry on this machine may speak http, another
    one only with ``insecure``; ``tls_verify`` may be a file of certificates. ``timeout`` is in seconds and
    counts each silence of the registry. What was pushed is read back and compared.

    Raises HubError where the image cannot be moved, RequestError where an argument cannot be used.
    """
    target = parse_reference(reference)
    packed = pack(
        module,
        name=name or target.repository.rpartition("/")[2],
        abi=abi,
        root_id=root_id,
        annotations=annotations,
    )
    digest = packed.manifest.digest
    if target.digest and target.digest != digest:
        raise RequestError(
            f"this image has the digest {digest}, not the one of the reference",
            where=str(target),
            do="push to a tag",
        )
    with opened(
        target,
        username=username,
        password=password,
        insecure=insecure,
        tls_verify=tls_verify,
        timeout=timeout,
    ) as place:
        place.write(target, packed)
        try:
            image = describe(place, target.at(digest))
        except ImageNotFound:
            raise HubError(
                "what was pushed cannot be read back under its digest",
                where=str(target.at(digest)),
                do="push again; if it stays so, the registry changes what it is given",
            ) from None
    return replace(image, reference=target)
