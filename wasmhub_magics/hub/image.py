"""A published filter: its name, its two hashes, and what its publisher says about it."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ..errors import NotAFilter
from . import notes as key
from .about import About
from .consumers import Consumer, consumers
from .content import unpack
from .layout import BARE, DOCKER_LAYER, LAYER
from .manifest import Blob, Manifest
from .pieces import sha256
from .place import Place
from .reference import Reference

__all__ = ["Image", "describe", "find"]


@dataclass(frozen=True, repr=False)
class Image:
    """A filter in a registry or in the local store.

    ``digest`` is that of the manifest: ``oci://`` addresses are pinned with it; it is empty for a plain file.
    ``module_digest`` is that of the module itself, as its publisher told it: addresses of plain ``.wasm``
    files are. ``size`` is the module's, in bytes. ``layout`` is ``compat``, ``solo`` or ``cncf`` for what
    this package pushes, else ``docker``, ``wasm-to-oci`` or ``file``. ``location`` is the name that skopeo
    knows it by. ``consumers`` tell which products can pull it, ``related`` are the same filter in other
    layouts, ``remarks`` what one should know before relying on it.
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
    consumers: tuple[Consumer, ...] = ()
    related: tuple[Image, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def about(self) -> About:
        """What its annotations say of it; ``info`` tells what lies in files too."""
        return About.parse(self.annotations)

    @property
    def name(self) -> str:
        """The title, else the last part of the repository."""
        return self.annotations.get(key.TITLE) or self.reference.repository.rpartition("/")[2]

    @property
    def description(self) -> str:
        """One sentence of the publisher; may be empty."""
        return self.annotations.get(key.DESCRIPTION, "")

    @property
    def created(self) -> str:
        """When it was made (RFC 3339), where the publisher says so."""
        return self.annotations.get(key.CREATED, "")

    @property
    def language(self) -> str:
        """The language of its source, where the publisher says so."""
        return self.annotations.get(key.LANGUAGE, "")

    @property
    def pinned(self) -> str:
        """The reference with the manifest digest, which always gives these very bytes."""
        return str(self.reference.at(self.digest))

    def _facts(self) -> list[tuple[str, str]]:
        about = self.about
        facts = [
            ("description", self.description),
            ("version", about.version),
            ("licence", about.licenses),
            ("manifest digest", self.digest),
            ("module sha256", self.module_digest.removeprefix("sha256:")),
            ("size", f"{self.size:,} bytes"),
            ("layout", self.layout),
            ("ABI", self.abi),
            ("language", self.language),
            ("created", self.created),
            ("location", self.location),
            ("pulled by", ", ".join(each.product for each in self.consumers if each.pulls)),
        ]
        facts += [("not by", f"{each.product}: {each.why}") for each in self.consumers if not each.pulls]
        facts += [("also as", f"{each.reference} ({each.layout})") for each in self.related]
        facts += [("note", each) for each in self.remarks]
        return [(name, value) for name, value in facts if value]

    def __repr__(self) -> str:
        lines = [f"Image {self.reference}"]
        lines += [f"  {name:<15}  {value}" for name, value in self._facts()]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return self.table()

    def table(self, further: Iterable[tuple[str, str]] = ()) -> str:
        """What is known of it, and further facts, as an HTML table."""
        left = "style='text-align:left'"
        rows = "".join(
            f"<tr><th {left}>{html.escape(name)}</th><td {left}>{_cell(name, value)}</td></tr>"
            for name, value in (*self._facts(), *further)
        )
        return f"<div><b>{html.escape(str(self.reference))}</b><table><tbody>{rows}</tbody></table></div>"


def describe(place: Place, reference: Reference) -> Image:
    """Tell what an image is by its manifest; its layer is read only where the manifest does not say enough.

    Raises ImageNotFound, and NotAFilter where it holds no filter.
    """
    named, manifest = find(place, reference)
    notes = manifest.annotations
    digest, size = notes.get(key.MODULE_DIGEST, ""), notes.get(key.MODULE_SIZE, "")
    layout = _layout(manifest)
    if digest and size.isdecimal() and layout:
        abi, root_id = notes.get(key.ABI, "").removeprefix("v"), notes.get(key.ROOT_ID, "")
    else:
        content = unpack(manifest, lambda layer, work: place.read(reference, layer, work), str(reference))
        digest, size = content.digest or sha256([content.data]), str(len(content.data))
        abi, root_id, layout = content.abi, content.root_id, content.layout
    return Image(
        reference,
        named.digest,
        digest,
        int(size),
        layout,
        notes,
        root_id,
        abi,
        place.location(reference),
        consumers(manifest),
    )


def find(place: Place, reference: Reference) -> tuple[Blob, Manifest]:
    """What a reference names, and the manifest of the one image that it stands for.

    Of an index that is the image for linux/amd64, as in Istio (``pkg/wasm/imagefetcher.go``), else the one
    for Wasm. Raises ImageNotFound and NotAFilter.
    """
    where = str(reference)
    named = place.manifest(reference)
    manifest = Manifest.parse(named, where)
    if not manifest.children and manifest.layers:
        return named, manifest
    wanted = ("linux/amd64", "", "wasip1/wasm", "wasi/wasm")
    children = [(wanted.index(each.platform), each) for each in manifest.children if each.platform in wanted]
    if not children:
        platforms = ", ".join(each.platform for each in manifest.children) or "nothing"
        raise NotAFilter(
            f"the index has no image for linux/amd64, only for {platforms}",
            where=where,
            do="take one of its images by digest",
        )
    child = min(children, key=lambda each: each[0])[1]
    manifest = Manifest.parse(place.child(reference, child), where)
    if manifest.children:
        raise NotAFilter("the index names another index", where=where, do="take its image by digest")
    return named, manifest


def _layout(manifest: Manifest) -> str:
    kinds = [layer.media_type for layer in manifest.layers]
    if kinds[-1:] == [LAYER]:
        return "compat"
    if kinds[-1:] == [DOCKER_LAYER]:
        return "docker"
    return next((BARE[kind] for kind in kinds if kind in BARE), "")


def _cell(name: str, value: str) -> str:
    text = html.escape(value)
    code = name.endswith(("digest", "sha256")) or name in ("location", "use in a cell")
    return f"<code>{text}</code>" if code else text
