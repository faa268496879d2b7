"""A published filter: its name, its two hashes, and what its publisher says about it."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..errors import NotAFilter
from .layout import ABI, CREATED, DESCRIPTION, MODULE_DIGEST, MODULE_SIZE, ROOT_ID, TITLE, VARIANT, unpack
from .manifest import Blob, Manifest
from .place import Place
from .reference import Reference

__all__ = ["Image", "describe", "find"]


@dataclass(frozen=True, repr=False)
class Image:
    """A filter in a registry or in the local store.

    ``digest`` is that of the manifest: ``oci://`` addresses are pinned with it. ``module_digest`` is that of
    the module itself: addresses of plain ``.wasm`` files are. ``size`` is the module's, in bytes. ``created``
    is empty where the publisher gave no time. ``layout`` is ``compat`` for what this package pushes, else
    ``docker``, ``solo``, ``cncf`` or ``wasm-to-oci``. ``location`` is the name that skopeo knows it by.
    """

    reference: Reference
    digest: str
    module_digest: str
    size: int
    layout: str = "compat"
    annotations: Mapping[str, str] = field(default_factory=dict, hash=False)
    root_id: str = ""
    abi: str = ""
    location: str = ""

    @property
    def name(self) -> str:
        """The title, else the last part of the repository."""
        return self.annotations.get(TITLE) or self.reference.repository.rpartition("/")[2]

    @property
    def description(self) -> str:
        """One sentence of the publisher; may be empty."""
        return self.annotations.get(DESCRIPTION, "")

    @property
    def created(self) -> str:
        """When it was made (RFC 3339), where the publisher says so."""
        return self.annotations.get(CREATED, "")

    @property
    def language(self) -> str:
        """The language of its source, where the publisher says so."""
        return self.annotations.get("wasmhub.filter/language", "")

    @property
    def pinned(self) -> str:
        """The reference with the manifest digest, which always gives these very bytes."""
        return str(self.reference.at(self.digest))

    def _facts(self) -> list[tuple[str, str]]:
        facts = [
            ("description", self.description),
            ("manifest digest", self.digest),
            ("module sha256", self.module_digest.removeprefix("sha256:")),
            ("size", f"{self.size:,} bytes"),
            ("layout", self.layout),
            ("ABI", self.abi),
            ("language", self.language),
            ("created", self.created),
            ("location", self.location),
        ]
        return [(name, value) for name, value in facts if value]

    def __repr__(self) -> str:
        lines = [f"Image {self.reference}"]
        lines += [f"  {name:<15}  {value}" for name, value in self._facts()]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        left = "style='text-align:left'"
        rows = "".join(
            f"<tr><th {left}>{html.escape(name)}</th><td {left}>{_cell(name, value)}</td></tr>"
            for name, value in self._facts()
        )
        return f"<div><b>{html.escape(str(self.reference))}</b><table><tbody>{rows}</tbody></table></div>"


def describe(place: Place, reference: Reference) -> Image:
    """Tell what an image is by its manifest; its layer is read only where the manifest does not say enough.

    Raises ImageNotFound, and NotAFilter where it holds no filter.
    """
    named, manifest = find(place, reference)
    notes = manifest.annotations
    digest, size = notes.get(MODULE_DIGEST, ""), notes.get(MODULE_SIZE, "")
    if digest and size.isdecimal() and notes.get(VARIANT) == "compat":
        abi, root_id, layout = notes.get(ABI, "").removeprefix("v"), notes.get(ROOT_ID, ""), "compat"
    else:
        content = unpack(manifest, lambda wanted: place.blob(reference, wanted), str(reference))
        digest, size = Blob("application/wasm", content.data).digest, str(len(content.data))
        abi, root_id, layout = content.abi, content.root_id, content.layout
    return Image(
        reference, named.digest, digest, int(size), layout, notes, root_id, abi, place.location(reference)
    )


def find(place: Place, reference: Reference) -> tuple[Blob, Manifest]:
    """What a reference names, and the manifest of the one image that it stands for.

    Of an index that is the image for linux/amd64, as in Istio (``pkg/wasm/imagefetcher.go``). Raises
    ImageNotFound and NotAFilter.
    """
    where = str(reference)
    named = place.manifest(reference)
    manifest = Manifest.parse(named, where)
    if not manifest.children:
        return named, manifest
    child = next((each for each in manifest.children if each.platform in ("linux/amd64", "")), None)
    if child is None:
        platforms = ", ".join(each.platform for each in manifest.children)
        raise NotAFilter(
            f"the index has no image for linux/amd64, only for {platforms}",
            where=where,
            do="take one of its images by digest",
        )
    manifest = Manifest.parse(place.child(reference, child), where)
    if manifest.children:
        raise NotAFilter("the index names another index", where=where, do="take its image by digest")
    return named, manifest


def _cell(name: str, value: str) -> str:
    text = html.escape(value)
    return f"<code>{text}</code>" if name.endswith(("digest", "sha256")) or name == "location" else text
