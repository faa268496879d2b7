"""All that can be known of an image without running it."""

from __future__ import annotations

import contextlib
import html
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import HubError, NotAFilter
from .about import About, read_about
from .consumers import Consumer
from .entry import Entry, about_files, entry_of, is_signed
from .evidence import benchmark_told, tests_told
from .image import Image, describe
from .keys import PublicKey
from .manifest import LARGEST_MANIFEST, Manifest
from .place import Place, opened
from .policy import load_policy
from .pull import remarks
from .reference import Reference, parse_reference
from .signature import Signature, attested, public_keys, signatures
from .statement import PROVENANCE, SPDX

__all__ = ["Info", "carried", "info"]


@dataclass(frozen=True, repr=False)
class Info:
    """An image with all that travels with it.

    ``signed`` says that there is a signature; ``signatures`` are those that a key named by the caller or by
    the policy made. ``provenance`` and ``sbom`` are JSON values, None where there are none;
    ``provenance_signer`` is the id of the key that signed it, of those. ``problems`` could not be read.
    """

    image: Image
    about: About
    signed: bool = False
    signatures: tuple[Signature, ...] = ()
    provenance: Mapping[str, Any] | None = None
    provenance_signer: str = ""
    sbom: Mapping[str, Any] | None = None
    problems: tuple[HubError, ...] = ()

    @property
    def readme(self) -> str:
        """Markdown; may be empty."""
        return self.about.readme

    @property
    def schema(self) -> Mapping[str, Any] | bool | None:
        """The JSON Schema of the plugin configuration."""
        return self.about.config_schema

    @property
    def verdicts(self) -> tuple[Consumer, ...]:
        """Which products can pull it, and why."""
        return self.image.consumers

    @property
    def signature_state(self) -> str:
        """``trusted``, ``signed`` (by nobody that one named) or ``unsigned``."""
        return "trusted" if self.signatures else "signed" if self.signed else "unsigned"

    @property
    def entry(self) -> Entry:
        """Its card, with what to write in a cell to use it."""
        origin = self.image.reference.registry or "local"
        return entry_of(self.image, origin, self.about, signed=self.signed)

    def _facts(self) -> list[tuple[str, str]]:
        about = self.about
        who = ", ".join(sorted({each.key_id[:16] for each in self.signatures}))
        facts = [
            ("keywords", ", ".join(about.keywords)),
            ("category", about.category),
            ("authors", about.authors),
            ("documentation", about.documentation or about.url),
            ("toolchain", about.toolchain),
            ("flags", about.flags),
            ("source digest", about.source_digest),
            ("verdict", about.verdict),
            ("tests", tests_told(about.tests)),
            ("benchmark", benchmark_told(about.benchmark)),
            ("signature", f"{self.signature_state}{f' by {who}' if who else ''}"),
            ("provenance", _told(self.provenance, self.provenance_signer)),
            ("SBOM", f"{len(self.sbom.get('packages', ()))} packages" if self.sbom else ""),
            ("carries", ", ".join(name for name, _ in about.files)),
            *(("problem", problem.what) for problem in self.problems),
        ]
        return [(name, value) for name, value in facts if value]

    def __repr__(self) -> str:
        lines = [repr(self.image)]
        lines += [f"  {name:<15}  {value}" for name, value in self._facts()]
        lines += [f"  use in a cell    {self.entry.cell}"]
        return "\n".join([*lines, *(["", self.readme] if self.readme else [])])

    def _repr_html_(self) -> str:
        table = self.image.table([*self._facts(), ("use in a cell", self.entry.cell)])
        whole = "white-space:pre-wrap;word-break:normal;overflow-wrap:anywhere"
        readme = f"<pre style='{whole}'>{html.escape(self.readme)}</pre>" if self.readme else ""
        return f"<div>{table}{readme}</div>"


def info(
    reference: str | Reference,
    *,
    key: str | Path | PublicKey | Iterable[str | Path | PublicKey] | None = None,
    **options: Any,
) -> Info:
    """Tell all that an image carries: README, schema, tests, source, provenance, signatures.

    ``key`` names the public keys whose signatures count, by default those of the user's policy. The other
    options are the connection's, as for ``pull``. Raises ImageNotFound, NotAFilter and other HubErrors.
    """
    name = parse_reference(reference)
    rule = load_policy().rule(name) if key is None else None
    keys = public_keys(key) if key is not None else rule.keys if rule else ()
    with opened(name, **options) as place:
        image = describe(place, name)
        return _read(place, replace_remarks(image), keys)


def carried(image: Image, **options: Any) -> About:
    """What a publisher tells about an image that was pulled, the files that travel with it among that.

    The options are the connection's, as for ``pull``. Raises HubError.
    """
    with opened(image.reference, **options) as place:
        listed = place.referrers(image.reference, image.digest)
        return read_about(image.about, about_files(place, image.reference, listed), str(image.reference))


def replace_remarks(image: Image) -> Image:
    """The image with what one should know before relying on its reference."""
    from dataclasses import replace

    return replace(image, remarks=remarks(image))


def _read(place: Place, image: Image, keys: tuple[PublicKey, ...]) -> Info:
    name, digest = image.reference, image.digest
    problems: list[HubError] = []
    listed = place.referrers(name, digest)
    about = image.about
    try:
        about = read_about(about, about_files(place, name, listed), str(name))
    except HubError as error:
        problems.append(error)
    told = list(attested(place, name, digest, PROVENANCE, keys))
    statement, signer = max(told, key=lambda each: bool(each[1])) if told else (None, "")
    sbom = None
    for descriptor in listed:
        if descriptor.artifact_type == SPDX:
            with contextlib.suppress(NotAFilter, ValueError, LookupError):
                sbom = _json(place, name, descriptor)
    return Info(
        image,
        about,
        is_signed(place, name, digest, listed),
        tuple(signatures(place, name, digest, keys)) if keys else (),
        statement,
        signer,
        sbom,
        tuple(problems),
    )


def _json(place: Place, name: Reference, descriptor: Any) -> Mapping[str, Any] | None:
    import json

    layer = Manifest.parse(place.child(name, descriptor), str(name)).layers[0]
    value = json.loads(place.blob(name, layer)) if layer.size <= LARGEST_MANIFEST else None
    return value if isinstance(value, dict) else None


def _told(statement: Mapping[str, Any] | None, signer: str) -> str:
    if statement is None:
        return ""
    return f"signed by {signer[:16]}" if signer else "not signed by a key that you named"
