"""A kernel's package that is older than the extension in the browser."""

from __future__ import annotations

import shutil
from pathlib import Path

import wasmhub_magics
from wasmhub_magics import __version__
from wasmhub_magics.notebook.messages import PROTOCOL

PACKAGE = Path(wasmhub_magics.__file__).parent
GENERATED = ("labextension", "lib", "*.wasm", "__pycache__")
TOLD = f"The kernel has wasmhub-magics 0.0.9, JupyterLab has {__version__}"
"""What the extension then says."""


def older_package(folder: Path) -> str:
    """Copy the package as of the version and protocol before; return the lines that find it in a kernel."""
    older = folder / "older" / "wasmhub_magics"
    shutil.rmtree(older, ignore_errors=True)
    shutil.copytree(PACKAGE, older, ignore=shutil.ignore_patterns(*GENERATED))
    for file, now, then in (
        ("__init__.py", f'__version__ = "{__version__}"', '__version__ = "0.0.9"'),
        ("notebook/messages.py", f"PROTOCOL = {PROTOCOL}", f"PROTOCOL = {PROTOCOL - 1}"),
    ):
        text = (older / file).read_text()
        assert now in text
        (older / file).write_text(text.replace(now, then))
    return f"import sys\nsys.path.insert(0, {str(older.parent)!r})"
