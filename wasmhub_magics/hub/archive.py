"""Archives, as images and web servers hold modules: written the same everywhere, read within limits."""

from __future__ import annotations

import gzip
import io
import tarfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from ..errors import NotAFilter
from .manifest import LARGEST_BLOB
from .pieces import Source
from .stored import HEAD, unstored

__all__ = ["PLUGIN", "RUNTIME", "Boxed", "Mixed", "boxed", "gzipped", "tarred", "unboxed", "unpacked"]

PLUGIN = "plugin.wasm"
RUNTIME = "runtime-config.json"

_LIMIT = LARGEST_BLOB + (16 << 20)
"""Bytes that an archive may unpack to."""
_ERRORS = (tarfile.TarError, OSError, EOFError, zlib.error, ValueError, OverflowError)


class Mixed(Exception):
    """A layer is written partly as ``stored`` does and partly otherwise, so it is needed whole."""


@dataclass(frozen=True)
class Boxed:
    """What a layer holds: a module and a runtime configuration."""

    module: bytes
    runtime: bytes


def tarred(files: Mapping[str, bytes]) -> tuple[bytes, ...]:
    """A tar archive without times and owners, in parts."""
    parts: list[bytes] = []
    for name, data in files.items():
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode, entry.mtime, entry.uid, entry.gid = len(data), 0o644, 0, 0, 0
        parts += [entry.tobuf(tarfile.USTAR_FORMAT), data, bytes(-len(data) % tarfile.BLOCKSIZE)]
    parts.append(bytes(2 * tarfile.BLOCKSIZE))
    parts.append(bytes(-sum(map(len, parts)) % tarfile.RECORDSIZE))
    return tuple(parts)


def gzipped(parts: Sequence[bytes]) -> bytes:
    """A compressed gzip file without a time; how it is compressed depends on the machine's zlib."""
    buffer = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=buffer, compresslevel=6, mtime=0) as file:
        file.writelines(parts)
    return buffer.getvalue()


def boxed(pieces: Iterator[bytes], where: str) -> Boxed:
    """The module and the runtime configuration (empty if none) of a layer, by base name as Istio has it.

    One that was written here is unpacked while it arrives. Raises Mixed where it begins like one
    and is none, NotAFilter where it cannot be unpacked or holds no module.
    """
    start = b""
    while len(start) < HEAD + tarfile.BLOCKSIZE and (piece := next(pieces, b"")):
        start += piece
    entry = _first_entry(start)
    if entry is None:
        return unpacked(b"".join([start, *pieces]), where)
    source = Source(unstored(chain([start], pieces)))
    try:
        source.take(tarfile.BLOCKSIZE)
        module = io.BytesIO(bytes(entry.size))  # whose value is then no copy
        module.writelines(source.parts(entry.size))
        source.take(-entry.size % tarfile.BLOCKSIZE)
        runtime = _files(b"".join(source), (RUNTIME,)).get(RUNTIME, b"")
    except _ERRORS as error:
        raise Mixed(str(error)) from None
    return Boxed(module.getvalue(), runtime)


def unpacked(data: bytes, where: str) -> Boxed:
    """The same of a whole layer, whoever wrote it."""
    try:
        found = _files(_gunzip(data), (PLUGIN, RUNTIME))
    except _ERRORS as error:
        raise NotAFilter(
            f"the last layer of the image cannot be unpacked: {error}", where=where, do="push the image again"
        ) from None
    if PLUGIN not in found:
        raise NotAFilter(
            f"the last layer of the image holds no {PLUGIN}",
            where=where,
            do=f"check the reference; if you built the image, let its last COPY bring {PLUGIN}",
        )
    return Boxed(found[PLUGIN], found.get(RUNTIME, b""))


def unboxed(data: bytes, where: str) -> bytes:
    """The module that a plain download is or holds: bare, or in gzip, tar or both, its first file then.

    These are the forms that Istio's agent takes over HTTP (``pkg/wasm/httpfetcher.go``). Raises NotAFilter.
    """
    try:
        plain = _gunzip(data) if data[:2] == b"\x1f\x8b" else data
        if plain.startswith(b"\0asm"):
            return plain
        found = _files(plain, ())
    except _ERRORS:
        found = {}
    if not found:
        raise NotAFilter(
            "what the server gave is neither a module nor an archive with one",
            where=where,
            do="check the address: it must give the .wasm file, or that in .tar, .gz or .tar.gz",
        )
    return next(iter(found.values()))


def _first_entry(start: bytes) -> tarfile.TarInfo | None:
    """The entry of the module in the beginning of a layer that was written here; None in any other."""
    try:
        plain = Source(unstored([start])).take(tarfile.BLOCKSIZE)
        entry = tarfile.TarInfo.frombuf(plain, "utf-8", "strict")
    except (ValueError, tarfile.TarError):
        return None
    return entry if entry.name == PLUGIN and entry.isreg() and entry.size <= LARGEST_BLOB else None


def _gunzip(data: bytes) -> bytes:
    """What is in a gzip file, bounded; all its members."""
    limit = _LIMIT
    parts = []
    while data:
        member = zlib.decompressobj(31)
        parts.append(member.decompress(data, limit + 1))
        limit -= len(parts[-1])
        if limit < 0 or member.unconsumed_tail:
            raise ValueError(f"more than {_LIMIT:,} bytes")
        if not member.eof:
            raise EOFError("it ends too early")
        data = member.unused_data.lstrip(b"\0")
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _files(data: bytes, wanted: tuple[str, ...]) -> dict[str, bytes]:
    """Files of an archive by base name, the first of each name; just the first file where none is named."""
    found: dict[str, bytes] = {}
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
        for entry in archive:
            base = entry.name.rsplit("/", 1)[-1]
            if not entry.isreg() or base in found or (wanted and base not in wanted):
                continue
            if entry.size > LARGEST_BLOB:
                raise tarfile.ReadError(f"{base} has {entry.size:,} bytes")
            file = archive.extractfile(entry)
            found[base] = file.read() if file else b""
            if not wanted:
                break
    return found
