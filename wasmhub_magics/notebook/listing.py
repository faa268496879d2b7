"""The filters of a session, as a table."""

from __future__ import annotations

import html
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..filter import Filter

__all__ = ["FilterList"]

EMPTY = "no filters yet: write one in a cell that starts with %%wasm_filter NAME"


@dataclass(frozen=True)
class FilterList:
    """Filters by name, in the order in which they were made."""

    filters: tuple[Filter, ...]

    def __iter__(self) -> Iterator[Filter]:
        return iter(self.filters)

    def __len__(self) -> int:
        return len(self.filters)

    def __getitem__(self, name: str) -> Filter:
        for made in self.filters:
            if made.name == name:
                return made
        raise KeyError(name)

    def _rows(self) -> list[tuple[str, str, str, str]]:
        return [
            (made.name, made.language, f"{made.module.size:,} B", made.digest[:19]) for made in self.filters
        ]

    def __repr__(self) -> str:
        if not self.filters:
            return EMPTY
        rows = [("name", "language", "size", "module"), *self._rows()]
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        return "\n".join(
            "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        )

    def _repr_html_(self) -> str:
        if not self.filters:
            return f"<div>{html.escape(EMPTY)}</div>"
        head = "".join(
            f"<th style='text-align:left'>{cell}</th>" for cell in ("name", "language", "size", "module")
        )
        body = "".join(
            "<tr>"
            + "".join(f"<td style='text-align:left'>{html.escape(cell)}</td>" for cell in row)
            + "</tr>"
            for row in self._rows()
        )
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
