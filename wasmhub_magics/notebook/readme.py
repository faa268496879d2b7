"""The Markdown cell above a filter, which is its README unless one is given."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["markdown_above"]


def markdown_above(name: str, source: str, variables: Mapping[str, object]) -> str:
    """The Markdown right above the cell that a filter was built from, in the notebook as it was last saved.

    Empty where the notebook is not known (Jupyter names it in ``JPY_SESSION_NAME``, Visual Studio Code in a
    variable), cannot be read, or has nothing there.
    """
    place = str(variables.get("__vsc_ipynb_file__") or os.environ.get("JPY_SESSION_NAME") or "")
    if not place.endswith(".ipynb"):
        return ""
    try:
        cells: list[Any] = json.loads(Path(place).read_text())["cells"]
        texts = [(cell["cell_type"], "".join(cell["source"])) for cell in cells]
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return ""
    found = ""
    for number, (kind, text) in enumerate(texts):
        if kind == "code" and _builds(text, name):
            above = texts[number - 1] if number else ("", "")
            markdown = above[1] if above[0] == "markdown" else ""
            if text.rstrip("\n").endswith(source.rstrip("\n")):
                return markdown
            found = markdown
    return found


def _builds(cell: str, name: str) -> bool:
    first = next((line.split() for line in cell.splitlines() if line.strip()), [])
    return first[:1] == ["%%wasm_filter"] and name in first[1:2]
