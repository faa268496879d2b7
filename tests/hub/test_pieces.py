"""Layers are written without copies and read while they arrive, whoever wrote them and however they come."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
import zlib
from collections.abc import Iterator

import pytest

from tests.hub.test_layout import image, kept
from wasmhub_magics.errors import NotAFilter
from wasmhub_magics.hub import pull
from wasmhub_magics.hub.arrival import checked, together
from wasmhub_magics.hub.layout import LAYER, pack
from wasmhub_magics.hub.manifest import Blob
from wasmhub_magics.hub.stored import Stored, unstored
from wasmhub_magics.module import Module

BLOCK = 0xFFFF


def noise(size: int) -> bytes:
    return hashlib.shake_128(str(size).encode()).digest(size)


def cut(data: bytes, size: int) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


@pytest.mark.parametrize("size", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 300_000])
def test_what_is_stored_is_a_gzip_file_that_is_read_in_any_pieces(size: int) -> None:
    data = noise(size)
    made = Stored(tuple(cut(data, 1 + size // 3)))
    whole = b"".join(made.parts)
    assert made.size == len(whole)
    assert made.digest == f"sha256:{hashlib.sha256(whole).hexdigest()}"
    assert gzip.decompress(whole) == data
    for pieces in (7, BLOCK, BLOCK + 5, 1 << 20):
        assert b"".join(unstored(cut(whole, pieces))) == data


def test_nothing_but_one_whole_such_file_is_taken_for_one() -> None:
    whole = b"".join(Stored((noise(100_000),)).parts)
    for other in (b"", whole[:-1], whole[:50_000], whole + b"\0", whole + whole, gzip.compress(b"a" * 9999)):
        with pytest.raises(ValueError, match=r"early|compressed|member"):
            list(unstored(cut(other, 9999)))


def pulled(layer: bytes) -> Module:
    return pull(kept(image([Blob(LAYER, layer)])))[0]


def large(module: Module) -> Module:
    """A module that is read in threads, and that no compressor makes smaller."""
    content = b"\1x" + noise(1_000_000)
    size = len(content)
    return Module(
        module.data + b"\0" + bytes([size & 127 | 128, size >> 7 & 127 | 128, size >> 14]) + content
    )


def test_a_layer_of_stored_and_compressed_blocks_is_read(module: Module) -> None:
    """Go's compressor stores blocks that it cannot make smaller, and compresses the others."""
    made = large(module)
    layer = pack(made, name="g").blobs[0].data
    plain = gzip.decompress(layer)
    first = layer[: 10 + 5 + BLOCK]
    rest = zlib.compressobj(6, zlib.DEFLATED, -15)
    tail = zlib.crc32(plain).to_bytes(4, "little") + len(plain).to_bytes(4, "little")
    assert pulled(first + rest.compress(plain[BLOCK:]) + rest.flush() + tail) == made


def test_an_archive_of_another_order_or_name_is_read_as_istio_reads_it(module: Module) -> None:
    made = large(module)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in (
            ("runtime-config.json", b"{}"),
            ("a/plugin.wasm", made.data),
            ("plugin.wasm", b"x"),
        ):
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    read = pulled(b"".join(Stored((buffer.getvalue(),)).parts))
    assert read == made
    assert read.digest == made.digest


def test_an_archive_that_ends_in_the_module_is_damaged(module: Module) -> None:
    plain = gzip.decompress(pack(large(module), name="g").blobs[0].data)
    with pytest.raises(NotAFilter, match="cannot be unpacked"):
        pulled(b"".join(Stored((plain[:700_000],)).parts))


def test_other_bytes_than_the_digest_promises_are_told_before_what_is_made_of_them() -> None:
    good, bad = noise(1_000_000), noise(1_000_001)[1:]

    def work(pieces: Iterator[bytes]) -> bytes:
        raise ArithmeticError(sum(map(len, pieces)))

    with pytest.raises(NotAFilter, match="damaged"):
        checked(cut(bad, 1 << 18), Blob("x", good).descriptor, "here", work)
    with pytest.raises(ArithmeticError, match="1000000"):
        checked(cut(good, 1 << 18), Blob("x", good).descriptor, "here", work)


def test_bytes_that_the_work_does_not_want_count_too() -> None:
    good = noise(1_000_000)
    bad = good[:-1] + bytes([good[-1] ^ 1])

    def first(pieces: Iterator[bytes]) -> bytes:
        return next(pieces)

    assert checked(cut(good, 1 << 18), Blob("x", good).descriptor, "here", first) == good[: 1 << 18]
    for other in (bad, good[:-1], good + b"?"):
        with pytest.raises(NotAFilter, match="damaged"):
            checked(cut(other, 1 << 18), Blob("x", good).descriptor, "here", first)


def test_what_reading_ended_with_is_told_whatever_the_work_makes_of_it() -> None:
    good = noise(1_000_000)

    def broken() -> Iterator[bytes]:
        yield good[: 1 << 19]
        raise OSError("the cable")

    def content(pieces: Iterator[bytes]) -> bytes:
        try:
            return b"".join(pieces)
        except OSError:
            raise ArithmeticError from None

    def patient(pieces: Iterator[bytes]) -> bytes:
        try:
            return b"".join(pieces)
        except OSError:
            return good

    for work in (content, patient, b"".join):
        with pytest.raises(OSError, match="the cable"):
            checked(broken(), Blob("x", good).descriptor, "here", work)


def test_of_tasks_at_the_same_time_the_first_error_is_raised_and_the_rest_not_begun() -> None:
    done: list[int] = []

    def fail() -> None:
        raise ArithmeticError

    together([lambda: done.append(1), lambda: done.append(2)], 1)
    assert sorted(done) == [1, 2]
    with pytest.raises(ArithmeticError):
        together([fail, *[lambda: done.append(3)] * 5], 0)
    assert 3 not in done
    with pytest.raises(ArithmeticError):
        together([lambda: done.append(4), fail], 1)
    together([], 3)
