"""What a catalogue knows of an image: one card, small enough to keep thousands of."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from typing import Any

from ..errors import HubError, RequestError
from .about import About
from .edition import newest
from .image import Image
from .manifest import LARGEST_MANIFEST, Descriptor, Manifest
from .place import Place
from .reference import Reference, parse_reference
from .statement import BUNDLE
from .store import is_companion

__all__ = ["Entry", "about_files", "entry_of", "is_signed"]

README_SHOWN = 20_000
"""Characters of a README that a catalogue keeps."""
_KINDS: dict[str, type] = {"size": int, "signed": bool, "keywords": list, "products": list}


@dataclass(frozen=True)
class Entry:
    """One image as a catalogue lists it, or one built-in example.

    ``origin`` is ``local``, the name of a registry, or ``examples``. ``products`` are those that can pull it.
    ``signed`` says that there is a signature, not that it counts: ``verify`` tells that. ``more`` are other
    words to find it by, ``cell`` is what to write in a notebook to use it.
    """

    name: str
    origin: str
    ref: str
    digest: str = ""
    module_digest: str = ""
    size: int = 0
    layout: str = ""
    description: str = ""
    version: str = ""
    licenses: str = ""
    keywords: tuple[str, ...] = ()
    category: str = ""
    language: str = ""
    abi: str = ""
    created: str = ""
    verdict: str = ""
    products: tuple[str, ...] = ()
    signed: bool = False
    readme: str = ""
    more: str = ""

    @property
    def reference(self) -> Reference:
        """The name of the image. Raises RequestError for an example, which is no image."""
        if self.origin == "examples":
            raise RequestError(f"{self.name} is a built-in example, not an image", do=f"run {self.cell}")
        return parse_reference(self.ref)

    @property
    def pinned(self) -> str:
        """The name with the digest, which always gives these very bytes."""
        return str(self.reference.at(self.digest))

    @property
    def cell(self) -> str:
        """The line of a notebook that makes the filter one's own."""
        if self.origin == "examples":
            source = f"example({self.ref!r}).source({self.language!r})"
            return (
                "from wasmhub_magics import build; from wasmhub_magics.examples import example; "
                f"{self._bound} = build({source}, {self.language!r}, {self.name!r})"
            )
        return f"%wasm_pull {self.pinned} --as {self._bound}"

    @property
    def trial(self) -> str:
        """The lines of a notebook that open the tester on the filter, beside one's own of that name."""
        return f"%wasm_pull {self.pinned} --as {self._bound}_tried\n%wasm_test {self._bound}_tried"

    @property
    def _bound(self) -> str:
        """The name that those lines give the filter."""
        made = self.name.replace("-", "_")
        return made if made.isidentifier() else "pulled"

    def to_json(self) -> str:
        """The form that a catalogue keeps."""
        return json.dumps(asdict(self), ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str | bytes, **changes: Any) -> Entry:
        """Read that form, whoever wrote it. Raises ValueError where it is another."""
        try:
            value = json.loads(text)
            known: dict[str, Any] = {}
            for each in fields(cls):
                if each.name not in value:
                    continue
                given: Any = value[each.name]
                if not isinstance(given, _KINDS.get(each.name, str)):
                    raise TypeError(each.name)
                known[each.name] = tuple(str(one) for one in given) if isinstance(given, list) else given
            return cls(**{**known, **changes})
        except (TypeError, AttributeError, RecursionError) as error:
            raise ValueError(f"no entry of a catalogue: {error}") from None


def entry_of(image: Image, origin: str, about: About | None = None, *, signed: bool = False) -> Entry:
    """The card of an image."""
    told = about or image.about
    return Entry(
        name=image.name,
        origin=origin,
        ref=str(image.reference),
        digest=image.digest,
        module_digest=image.module_digest,
        size=image.size,
        layout=image.layout,
        description=image.description or told.annotations.get("org.opencontainers.image.description", ""),
        version=told.version,
        licenses=told.licenses,
        keywords=told.keywords,
        category=told.category,
        language=told.language,
        abi=image.abi,
        created=told.created,
        verdict=told.verdict,
        products=tuple(each.product for each in image.consumers if each.pulls),
        signed=signed,
        readme=told.readme[:README_SHOWN],
        more=" ".join(filter(None, (told.authors, told.vendor, told.toolchain, *_free(told))))[:2000],
    )


def _free(about: About) -> list[str]:
    """The annotations that are the publisher's own."""
    return [text for name, text in about.extra.items() if not name.startswith(("module.wasm.", "wasmhub."))]


def about_files(
    place: Place, reference: Reference, listed: Iterable[Descriptor], only: str = ""
) -> dict[str, bytes]:
    """The files of the artifact that tells more about an image, or one of them, by name."""
    told = newest(place, reference, listed)
    if told is None:
        return {}
    found: dict[str, bytes] = {}
    for layer in Manifest.parse(place.child(reference, told[0]), str(reference)).layers:
        wanted = layer.title == only if only else bool(layer.title)
        if wanted and layer.title not in found and layer.size <= LARGEST_MANIFEST:
            found[layer.title] = place.blob(reference, layer)
    return found


def is_signed(place: Place, reference: Reference, digest: str, listed: Iterable[Descriptor]) -> bool:
    """Whether there is a signature of either form, whoever made it."""
    if any(each.annotations.get("dev.sigstore.bundle.predicateType", "").endswith("/sign/v1")
           for each in listed if each.artifact_type == BUNDLE):  # fmt: skip
        return True
    tag = f"{digest.replace(':', '-')}.sig"
    assert is_companion(tag)
    with contextlib.suppress(HubError):
        return tag in place.tags(reference.repository)
    return False
