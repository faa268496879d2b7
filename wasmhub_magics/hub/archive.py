"""Archives, as images and web servers hold modules: written the same everywhere, read within limits."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import zlib
from collections.abc import Mapping

from ..errors import NotAFilter
from .manifest import LARGEST_BLOB

__all__ = ["PLUGIN", "RUNTIME", "boxed", "gzipped", "tarred", "unboxed"]

PLUGIN = "plugin.wasm"
RUNTIME = "runtime-config.json"

_GZIP_HEAD = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
_STORED = 0xFFFF
"""Bytes of a stored block (RFC 1951 section 3.2.4)."""
_LIMIT = LARGEST_BLOB + (16 << 20)
"""Bytes that an archive may unpack to."""


def tarred(files: Mapping[str, bytes]) -> bytes:
    """A tar archive without times and owners."""
    parts: list[bytes] = []
    for name, data in files.items():
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode, entry.mtime, entry.uid, entry.gid = len(data), 0o644, 0, 0, 0
        parts += [entry.tobuf(tarfile.USTAR_FORMAT), data, bytes(-len(data) % tarfile.BLOCKSIZE)]
    parts.append(bytes(2 * tarfile.BLOCKSIZE))
    parts.append(bytes(-sum(map(len, parts)) % tarfile.RECORDSIZE))
    return b"".join(parts)


def gzipped(data: bytes, compress: bool = False) -> bytes:
    """A gzip member (RFC 1952) of the data.

    By default it is stored, not compressed: these bytes are the same on every machine, where those of a
    compressor differ from one zlib to the next.
    """
    if compress:
        buffer = io.BytesIO()
        with gzip.GzipFile(filename="", mode="wb", fileobj=buffer, compresslevel=6, mtime=0) as file:
            file.write(data)
        return buffer.getvalue()
    view = memoryview(data)
    parts: list[bytes | memoryview] = [_GZIP_HEAD]
    for start in range(0, max(len(data), 1), _STORED):
        piece = view[start : start + _STORED]
        last = start + _STORED >= len(data)
        parts += [struct.pack("<BHH", last, len(piece), len(piece) ^ 0xFFFF), piece]
    parts.append(struct.pack("<II", zlib.crc32(data), len(data) & 0xFFFFFFFF))
    return b"".join(parts)


def boxed(data: bytes, where: str) -> tuple[bytes, bytes]:
    """The module and the runtime configuration (empty if none) of a layer, by base name as Istio has it.

    Raises NotAFilter where the layer cannot be unpacked or holds no module.
    """
    try:
        found = _files(_gunzip(data), (PLUGIN, RUNTIME))
    except (tarfile.TarError, OSError, EOFError, zlib.error, ValueError, OverflowError) as error:
        raise NotAFilter(
            f"the last layer of the image cannot be unpacked: {error}", where=where, do="push the image again"
        ) from None
    if PLUGIN not in found:
        raise NotAFilter(
            f"the last layer of the image holds no {PLUGIN}",
            where=where,
            do=f"check the reference; if you built the image, let its last COPY bring {PLUGIN}",
        )
    return found[PLUGIN], found.get(RUNTIME, b"")


def unboxed(data: bytes, where: str) -> bytes:
    """The module that a plain download is or holds: bare, or in gzip, tar or both, its first file then.

    These are the forms that Istio's agent takes over HTTP (``pkg/wasm/httpfetcher.go``). Raises NotAFilter.
    """
    try:
        plain = _gunzip(data) if data[:2] == b"\x1f\x8b" else data
        if plain.startswith(b"\0asm"):
            return plain
        found = _files(plain, ())
    except (tarfile.TarError, OSError, EOFError, zlib.error, ValueError, OverflowError):
        found = {}
    if not found:
        raise NotAFilter(
            "what the server gave is neither a module nor an archive with one",
            where=where,
            do="check the address: it must give the .wasm file, or that in .tar, .gz or .tar.gz",
        )
    return next(iter(found.values()))


def _gunzip(data: bytes) -> bytes:
    """What is in a gzip file, bounded; all its members."""
    stored = _stored(data)
    if stored is not None:
        return stored
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


def _stored(data: bytes) -> bytes | None:
    """What ``gzipped`` stored, without a decompressor; None where it is anything else.

    The sum at the end is not looked at: the digest of the whole was.
    """
    if data[: len(_GZIP_HEAD)] != _GZIP_HEAD:
        return None
    view, place = memoryview(data), len(_GZIP_HEAD)
    parts = []
    while place + 5 <= len(data):
        last, size, inverted = struct.unpack_from("<BHH", data, place)
        if last > 1 or size != inverted ^ 0xFFFF:
            return None
        parts.append(view[place + 5 : place + 5 + size])
        place += 5 + size
        if last:
            return b"".join(parts) if place + 8 == len(data) else None
    return None


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
