"""Further source files, written beside a cell's own."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from ..errors import BuildError
from .language import BuildOptions

__all__ = ["write_files"]


def write_files(options: BuildOptions, workdir: Path, own: str) -> None:
    """Write the options' files; ``own`` is the name that the source itself has.

    Raises BuildError for a name that leads outside or over the source.
    """
    for name, text in options.files:
        place = PurePosixPath(name)
        if place.is_absolute() or ".." in place.parts or "\\" in name or name in ("", ".", own):
            raise BuildError(f"{name!r} cannot be the name of a source file", do="use a plain relative name")
        path = workdir / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode("utf-8", "replace"))
