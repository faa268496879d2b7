"""The folders that compilers work in: a build's further source files, and the folders builds share."""

from __future__ import annotations

import contextlib
import shutil
import sys
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path, PurePosixPath

from ..errors import BuildError, RequestError
from .cache import cache_root
from .language import BuildOptions

__all__ = ["locked", "read_files", "read_source", "shared_folder", "write_files", "write_sources"]


def read_files(paths: Iterable[str | Path]) -> tuple[tuple[str, str], ...]:
    """Files as (name, text): a relative path inside the working directory is the name, else the last part.

    Raises RequestError where one cannot be read as text.
    """
    found: dict[str, str] = {}
    for path in map(Path, paths):
        plain = not path.is_absolute() and ".." not in path.parts and path.parts[:1] != ("~",)
        found[path.as_posix() if plain else path.name] = read_source(path)
    return tuple(found.items())


def read_source(path: Path) -> str:
    """The text of a source file. Raises RequestError where it cannot be read as text."""
    try:
        return path.expanduser().read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise RequestError(
            f"the source cannot be read: {reason}", where=str(path), do="check the path"
        ) from None


def write_files(options: BuildOptions, folder: Path, taken: Collection[str]) -> None:
    """Write ``options.files`` under their names. Raises BuildError for a name that leads out or is taken."""
    for name, text in options.files:
        place = PurePosixPath(name)
        parts = place.parts
        if place.is_absolute() or not parts or ".." in parts or "\\" in name or parts[0] in taken:
            raise BuildError(f"{name!r} cannot be the name of a source file", do="use a plain relative name")
        path = folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode("utf-8", "replace"))


def write_sources(
    source: str, name: str, options: BuildOptions, folder: Path, kept: Collection[str] = ()
) -> None:
    """Make a source and its further files the content of a folder, besides the files that are ``kept``.

    The source gets empty lines before it, so that a compiler counts lines as the reader does.
    """
    for entry in list(folder.iterdir()):
        if entry.name in kept:
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
    (folder / name).write_bytes(("\n" * (options.first_line - 1) + source).encode())
    write_files(options, folder, (name, *kept))


def shared_folder(*parts: str) -> Path:
    """A folder in the cache that builds share, made where it is missing. Raises BuildError."""
    try:
        folder = cache_root().joinpath(*parts)
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError) as error:  # the latter: there is no home directory
        reason = getattr(error, "strerror", None) or "there is no home directory"
        raise BuildError(
            f"the compiler needs a folder for what it keeps between builds: {reason}",
            do="make room, or name a folder in WASMHUB_CACHE",
        ) from None
    return folder


@contextlib.contextmanager
def locked(folder: Path, timeout: float, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold a shared folder alone; ``waiting`` is told once where another build has it.

    Raises BuildError where that lasts longer than ``timeout`` seconds.
    """
    if sys.platform == "win32":  # no such lock: the compilers' own ones must do
        yield
        return
    import fcntl

    until = time.monotonic() + timeout
    with (folder / ".lock").open("w") as file:
        told = False
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not told:
                    waiting()
                    told = True
            if time.monotonic() > until:
                raise BuildError("another build holds the compiler's folder", do="wait for it to end")
            time.sleep(0.05)
        yield
