"""Finding images."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import overload

from ..errors import HubError
from .image import Image
from .store import Store

__all__ = ["SearchResult", "search"]

_HEADS = ("image", "description", "language", "ABI", "module sha256", "manifest digest")


@dataclass(frozen=True, repr=False)
class SearchResult(Sequence[Image]):
    """The images that were found, the best first; ``problems`` are images that could not be read."""

    text: str
    images: tuple[Image, ...]
    problems: tuple[HubError, ...] = ()

    def __len__(self) -> int:
        return len(self.images)

    @overload
    def __getitem__(self, index: int) -> Image: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Image, ...]: ...
    def __getitem__(self, index: int | slice) -> Image | tuple[Image, ...]:
        return self.images[index]

    def __iter__(self) -> Iterator[Image]:
        return iter(self.images)

    def _rows(self) -> list[tuple[str, ...]]:
        return [
            (
                str(image.reference),
                image.description,
                image.language,
                image.abi,
                image.module_digest.removeprefix("sha256:")[:12],
                image.digest[:19],
            )
            for image in self.images
        ]

    def _summary(self) -> str:
        count = len(self.images)
        found = f"{count} image{'' if count == 1 else 's'}" if count else "no image"
        return f"{found} for {self.text!r}" if self.text else f"{found} in the local store"

    def __repr__(self) -> str:
        rows = [tuple(cell if len(cell) <= 48 else f"{cell[:47]}…" for cell in row) for row in self._rows()]
        widths = [max(map(len, column)) for column in zip(_HEADS, *rows, strict=True)]
        lines = [self._summary()]
        if rows:
            lines += [
                "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
                for row in (_HEADS, *rows)
            ]
        lines += [f"cannot be read: {problem.what} ({problem.where})" for problem in self.problems]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        left = "style='text-align:left'"
        heads = "".join(f"<th {left}>{head}</th>" for head in _HEADS)
        rows = "".join(
            "<tr>" + "".join(f"<td {left}>{html.escape(cell)}</td>" for cell in row) + "</tr>"
            for row in self._rows()
        )
        table = f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>" if rows else ""
        problems = "".join(
            f"<div>⚠ cannot be read: {html.escape(problem.what)} ({html.escape(problem.where)})</div>"
            for problem in self.problems
        )
        return f"<div>{html.escape(self._summary())}{table}{problems}</div>"


def search(text: str = "") -> SearchResult:
    """Find the images of the local store that have every word of ``text`` in their name or annotations.

    Case does not count. Those with the words in their name come first, then those with them in their
    description; an empty text finds all. Raises StoreError where the store cannot be read.
    """
    words = text.casefold().split()
    found: list[tuple[int, str, Image]] = []
    problems: list[HubError] = []
    for image in Store().images():
        if isinstance(image, HubError):
            problems.append(image)
            continue
        name = f"{image.reference} {image.name}".casefold()
        texts = (name, image.description.casefold(), " ".join(image.annotations.values()).casefold())
        if all(any(word in each for each in texts) for word in words):
            rank = sum(next(n for n, each in enumerate(texts) if word in each) for word in words)
            found.append((rank, str(image.reference), image))
    found.sort(key=lambda entry: entry[:2])
    return SearchResult(text, tuple(image for _, _, image in found), tuple(problems))
