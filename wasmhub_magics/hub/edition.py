"""Which of the artifacts that tell about one image counts: that of the highest edition.

The same module may be published again with another README. The former artifact stays, since registries rarely
let anybody delete; the first one has the same digest wherever it is pushed.
"""

from __future__ import annotations

from collections.abc import Iterable

from .about import ABOUT, About, pack_about
from .layout import Packed
from .manifest import Descriptor, Manifest
from .notes import EDITION
from .place import Place
from .reference import Reference

__all__ = ["newest", "next_edition"]


def newest(place: Place, reference: Reference, listed: Iterable[Descriptor]) -> tuple[Descriptor, int] | None:
    """The artifact that counts and its edition; None where nothing tells about the image. Raises HubError."""
    found = [each for each in listed if each.artifact_type == ABOUT]
    numbered = [(each, _edition(place, reference, each)) for each in found]
    return max(numbered, key=lambda each: (each[1], each[0].digest), default=None)


def next_edition(place: Place, reference: Reference, about: About, subject: Descriptor) -> Packed | None:
    """The artifact to write: the one that counts where it says the same; None where nothing is said."""
    if not about.files:
        return None
    known = newest(place, reference, place.referrers(reference, subject.digest, ABOUT))
    if known is None:
        return pack_about(about, subject)
    same = pack_about(about, subject, known[1])
    if same and same.manifest.digest == known[0].digest:
        return same
    return pack_about(about, subject, known[1] + 1)


def _edition(place: Place, reference: Reference, descriptor: Descriptor) -> int:
    notes = descriptor.annotations
    if not notes:  # registries should list them, and some do not
        notes = Manifest.parse(place.child(reference, descriptor), str(reference)).annotations
    number = notes.get(EDITION, "")
    return int(number) if number.isdecimal() and len(number) < 10 else 0
