"""Tables of words, as text and as HTML."""

from __future__ import annotations

import html
from collections.abc import Sequence

__all__ = ["table_html", "table_text"]


def table_text(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of words in columns."""
    every = [head, *rows]
    wide = [max(len(row[i]) for row in every) for i in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(w) for cell, w in zip(row, wide, strict=True)).rstrip() for row in every
    )


def table_html(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The same as HTML."""
    left = "style='text-align:left;padding-right:1em'"
    heads = "".join(f"<th {left}>{html.escape(cell)}</th>" for cell in head)
    body = "".join(
        "<tr>" + "".join(f"<td {left}>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"
