"""A language pack, as JupyterLab's own are: a package with words for one locale."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

LOCALE = "eo"
NAME = f"jupyterlab_language_pack_{LOCALE}"


def install_pack(packages: Path, words: Mapping[str, str | list[str]]) -> None:
    """Install a pack in a folder of packages: what the extension says, to what it says in Esperanto.

    A list has the words for one and for many.
    """
    place = packages / NAME / "locale" / LOCALE / "LC_MESSAGES"
    place.mkdir(parents=True)
    (packages / NAME / "__init__.py").touch()
    for domain, found in (("jupyterlab", {}), ("wasmhub_magics", words)):
        head = {"domain": domain, "language": LOCALE, "plural_forms": "nplurals=2; plural=(n != 1);"}
        told = {word: [said] if isinstance(said, str) else said for word, said in found.items()}
        (place / f"{domain}.json").write_text(json.dumps({"": head, **told}))
    about = packages / f"{NAME}-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {NAME}\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(f"[jupyterlab.languagepack]\n{LOCALE} = {NAME}\n")
