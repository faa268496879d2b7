"""The examples as a table."""

from __future__ import annotations

import html
from collections.abc import Iterator

from .example import Example, examples

__all__ = ["Gallery"]


class Gallery:
    """All examples: what each does, and the languages it is written in."""

    def __iter__(self) -> Iterator[Example]:
        return iter(examples())

    def __len__(self) -> int:
        return len(examples())

    def __repr__(self) -> str:
        wide = max(len(each.name) for each in self)
        lines = [
            f"{each.name:<{wide}}  {each.description}\n{'':<{wide}}  {_languages(each)}" for each in self
        ]
        return "\n".join([*lines, "begin with one: %wasm_new --example NAME [LANGUAGE]"])

    def _repr_html_(self) -> str:
        left = "style='text-align:left;vertical-align:top'"
        rows = "".join(
            f"<tr><td {left}><code style='white-space:nowrap'>{html.escape(each.name)}</code></td>"
            f"<td {left}>{html.escape(each.description)}"
            f"<br><small>{html.escape(_languages(each))}</small></td></tr>"
            for each in self
        )
        hint = "begin with one: <code>%wasm_new --example NAME [LANGUAGE]</code>"
        return f"<table><tbody>{rows}</tbody></table><div>{hint}</div>"


def _languages(each: Example) -> str:
    return ", ".join(each.languages)
