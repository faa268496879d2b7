"""Where things are kept on this machine."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["cache_root", "data_root"]


def cache_root() -> Path:
    """Where caches are: ``$WASMHUB_CACHE``, else ``wasmhub`` in the user's cache directory (XDG)."""
    own = os.environ.get("WASMHUB_CACHE")
    if own:
        return Path(own).expanduser()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path("~/.cache").expanduser()) / "wasmhub"


def data_root() -> Path:
    """Where what is kept for good is: ``wasmhub`` in the user's data directory (XDG)."""
    base = os.environ.get("XDG_DATA_HOME")
    return ((Path(base) if base else Path("~/.local/share").expanduser()) / "wasmhub").absolute()
