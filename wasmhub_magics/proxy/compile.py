"""Compiled code, kept in memory and on disk, so that a module is compiled once a machine."""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import tempfile
from collections import OrderedDict
from collections.abc import Iterator
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ModuleError

if TYPE_CHECKING:
    import wasmtime

__all__ = ["cache_folder", "compiled"]

FORMAT = b"wasmhub-code-2\n"
KEPT_IN_MEMORY = 64
KEPT_ON_DISK = 256

_memory: OrderedDict[str, wasmtime.Module] = OrderedDict()


def compiled(engine: wasmtime.Engine, data: bytes, configuration: str) -> wasmtime.Module:
    """The compiled code of a module; ``configuration`` names the engine's settings.

    A cache that is missing, damaged, read-only or full costs time only. Must run on the owner thread. Raises
    ModuleError where wasmtime refuses the module.
    """
    import wasmtime

    key = _key(configuration, data)
    module = _memory.get(key)
    if module is not None:
        _memory.move_to_end(key)
        return module
    path = cache_folder() / "code" / key
    code = _read(path)
    if code is not None:
        with contextlib.suppress(wasmtime.WasmtimeError):
            module = wasmtime.Module.deserialize(engine, code)
    if module is None:
        try:
            module = wasmtime.Module(engine, data)
        except wasmtime.WasmtimeError as error:
            reason = " ".join(str(error).split())
            raise ModuleError(
                f"the module cannot be compiled: {reason}",
                do="build it again, without features that wasmtime does not know",
            ) from None
        _write(path, bytes(module.serialize()))
    _memory[key] = module
    while len(_memory) > KEPT_IN_MEMORY:
        _memory.popitem(last=False)
    return module


@lru_cache(maxsize=KEPT_IN_MEMORY)
def _key(configuration: str, data: bytes) -> str:
    about = f"{version('wasmtime')} {configuration} {platform.system()} {platform.machine()}"
    return hashlib.sha256(about.encode() + b"\0" + data).hexdigest()


def cache_folder() -> Path:
    """Where caches lie: ``WASMHUB_CACHE``, else ``wasmhub`` in the user's cache folder."""
    chosen = os.environ.get("WASMHUB_CACHE")
    if chosen:
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "wasmhub"


def _read(path: Path) -> bytes | None:
    """What was kept, if it is whole: wasmtime would trust damaged code."""
    try:
        raw = path.read_bytes()
    except OSError:
        return None
    head = len(FORMAT)
    code = raw[head + 32 :]
    if raw[:head] != FORMAT or hashlib.sha256(code).digest() != raw[head : head + 32]:
        return None
    return code


def _write(path: Path, code: bytes) -> None:
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, partial = tempfile.mkstemp(dir=path.parent, prefix=".")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(FORMAT + hashlib.sha256(code).digest() + code)
            Path(partial).replace(path)
        except BaseException:
            Path(partial).unlink(missing_ok=True)
            raise
        _prune(path.parent)


def _prune(folder: Path) -> None:
    entries = sorted(_ages(folder))
    for _, path in entries[: max(0, len(entries) - KEPT_ON_DISK)]:
        path.unlink(missing_ok=True)


def _ages(folder: Path) -> Iterator[tuple[float, Path]]:
    for path in folder.iterdir():
        with contextlib.suppress(OSError):
            yield path.stat().st_mtime, path
