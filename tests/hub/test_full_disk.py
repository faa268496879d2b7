"""A disk that is full is told as such, shows nothing half, and what was sent to it is not sent again."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.hub.conftest import free_port
from tests.hub.peers import process, program, served_store
from tests.hub.test_upload import SIZE, Cutter, big_module
from wasmhub_magics.errors import HubError, ImageNotFound
from wasmhub_magics.hub import pull, push

NAMESPACE = ("--map-root-user", "--mount")
MOUNT = 'mount -t tmpfs -o size=12m none "$0" && exec "$@"'
"""In a namespace of its own a process has a small disk that nobody else sees."""


@dataclass
class Small:
    """A served store on a disk of 12 MB."""

    pid: int
    store: Path
    address: str

    def grow(self) -> None:
        """Give the disk room for everything."""
        subprocess.run(
            [program("nsenter"), "--preserve-credentials", "--user", "--mount", f"--target={self.pid}",
             program("mount"), "-o", "remount,size=64m", str(self.store)], check=True, timeout=30,
        )  # fmt: skip


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Small]:
    store, port = tmp_path / "small", free_port()
    store.mkdir()
    command = [program("unshare"), *NAMESPACE, "sh", "-c", MOUNT, store, *served_store(store, port)]
    with process(command, tmp_path / "log", port) as pid:
        yield Small(pid, store, f"127.0.0.1:{port}")


def test_a_push_to_a_full_disk_is_told_and_goes_on_once_there_is_room(small: Small) -> None:
    cutter = Cutter(small.address)
    reference, module = f"{cutter.address}/team/big:v1", big_module(small.pid % 256)
    try:
        for _ in range(2):
            with pytest.raises(HubError, match="507 Insufficient Storage") as caught:
                push(module, reference)
            assert "No space left on device" in caught.value.what
            assert "make room" in caught.value.do
            with pytest.raises(ImageNotFound):
                pull(reference)
        small.grow()
        cutter.sent = 0
        push(module, reference)
        assert cutter.sent < SIZE - 8_000_000
    finally:
        cutter.close()
    assert pull(f"{small.address}/team/big:v1")[0] == module


LOCAL = """
import sys
from tests.hub.test_upload import big_module
from wasmhub_magics.errors import StoreFull
from wasmhub_magics.hub import Store, push
from wasmhub_magics.module import Module
push(Module(big_module(1).data[:100]), "team/small:v1", abi="0.2.1")
try:
    push(big_module(1), "team/big:v1")
except StoreFull as error:
    print(error)
print([str(image.reference) for image in Store().list()], list((Store().path / ".partial").iterdir()))
"""


def test_a_full_local_store_is_told_and_stays_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    done = subprocess.run(
        [program("unshare"), *NAMESPACE, "sh", "-c", MOUNT, tmp_path / "store", sys.executable, "-c", LOCAL],
        capture_output=True, text=True, timeout=60, check=False, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert "the local store cannot be written: No space left on device" in done.stdout, done.stderr
    assert "free some space" in done.stdout
    assert done.stdout.endswith("['team/small:v1'] []\n")
