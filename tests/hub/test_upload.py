"""A push that broke off goes on where it was, and what moves is told."""

from __future__ import annotations

import hashlib
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest

from wasmhub_magics.errors import HubError, RegistryUnreachable
from wasmhub_magics.hub import pull, push
from wasmhub_magics.hub.upload import PIECE
from wasmhub_magics.module import Module
from wasmhub_magics.paths import cache_root

SIZE = 20_000_000
RESET = struct.pack("ii", 1, 0)
"""A connection that is closed with this is cut, whatever was not read yet."""


class Cutter:
    """Stands before a registry, counts what goes up, and cuts every connection once enough of it did."""

    def __init__(self, target: str) -> None:
        host, port = target.split(":")
        self.target = (host, int(port))
        self.limit: int | None = None
        self.sent = 0
        self._stack = ExitStack()
        self._open: list[socket.socket] = []
        self._listener = self._stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()

    def close(self) -> None:
        for each in (self._listener, *self._open):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._stack.close()

    def _accept(self) -> None:
        threads = []
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self.target)
                self._open += (client, server)
                for source, sink, up in ((client, server, True), (server, client, False)):
                    threads.append(threading.Thread(target=self._pump, args=(source, sink, up)))
                    threads[-1].start()
        for thread in threads:
            thread.join()
        for each in self._open:
            each.close()

    def _pump(self, source: socket.socket, sink: socket.socket, up: bool) -> None:
        try:
            while data := source.recv(1 << 16):
                if up:
                    self.sent += len(data)
                    if self.limit is not None and self.sent > self.limit:
                        source.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                        source.close()
                        raise ConnectionAbortedError
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            for each in (source, sink):
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def cutter(hub: Any) -> Iterator[Cutter]:
    made = Cutter(hub.address)
    yield made
    made.close()


@pytest.fixture(scope="module")
def big() -> Module:
    return big_module(0)


def big_module(seed: int) -> Module:
    import wasmtime

    from tests.hub.conftest import GREETER

    content = b"\1x" + hashlib.shake_128(bytes([seed])).digest(SIZE)
    count = len(content)
    length = bytes([count & 127 | 128, count >> 7 & 127 | 128, count >> 14 & 127 | 128, count >> 21])
    return Module(bytes(wasmtime.wat2wasm(GREETER % "big")) + b"\0" + length + content)


def test_a_repeated_push_sends_the_rest_only(cutter: Cutter, big: Module) -> None:
    reference = f"{cutter.address}/team/big{cutter.target[1]}:v1"
    cutter.limit = 13_000_000  # in the middle of the second piece
    with pytest.raises(RegistryUnreachable, match="broke off"):
        push(big, reference, index=False)
    cutter.limit, cutter.sent = None, 0
    push(big, reference, index=False)
    assert cutter.sent < SIZE - 5_000_000
    assert pull(reference)[0] == big
    assert list((cache_root() / "uploads").iterdir()) == []


def test_debians_registry_keeps_the_pieces_before_the_one_that_was_not_sent(
    registry: Any, big: Module
) -> None:
    """It forgets an upload that was cut in the middle of a piece, whatever the client does."""
    cutter = Cutter(registry.address)
    reference = f"{cutter.address}/team/big:v1"

    def interrupt(_: str, done: int, total: int) -> None:
        if total > SIZE and done > PIECE:
            raise KeyboardInterrupt

    try:
        with pytest.raises(KeyboardInterrupt):
            push(big, reference, moved=interrupt)
        cutter.sent = 0
        push(big, reference)
        assert cutter.sent < SIZE - 5_000_000
        assert pull(reference)[0] == big
    finally:
        cutter.close()


KILLED = """
import sys
from tests.hub.test_upload import big_module
from wasmhub_magics.hub import push
def tell(what, done, total):
    if done > 12_000_000:
        print("half", flush=True)
push(big_module(int(sys.argv[2])), sys.argv[1], moved=tell, index=False)
"""


def test_a_push_that_was_killed_is_taken_up_by_another_process(cutter: Cutter) -> None:
    seed = cutter.target[1] % 251 + 1
    reference = f"{cutter.address}/team/killed{cutter.target[1]}:v1"
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, reference, str(seed)], stdout=subprocess.PIPE, text=True,
        start_new_session=True, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "half\n"
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=30)
    cutter.sent = 0
    push(big_module(seed), reference, index=False)
    assert cutter.sent < SIZE - 5_000_000
    assert pull(reference)[0] == big_module(seed)


def test_an_upload_that_the_registry_forgot_starts_anew(hub: Any) -> None:
    big = big_module(252)
    reference = hub.fresh()
    cutter = Cutter(hub.address)
    try:
        cutter.limit = 13_000_000
        there = reference.replace(hub.address, cutter.address)
        with pytest.raises(HubError):
            push(big, there)
        for upload in (hub.log.parent / "store" / ".staging").glob("up-*"):
            upload.unlink()
        cutter.limit = None
        push(big, there)
    finally:
        cutter.close()
    assert pull(reference)[0] == big


def test_what_moves_is_told_in_bytes_both_ways(anywhere: Any, make: Any) -> None:
    reference = anywhere.fresh()
    for move in (
        lambda tell: push(big_module(7), reference, moved=tell),
        lambda tell: pull(reference, moved=tell),
    ):
        told: list[tuple[str, int, int]] = []
        move(lambda *words, told=told: told.append(words))
        large = [(done, total) for _, done, total in told if total > SIZE]
        assert len(large) > 10
        assert [done for done, _ in large] == sorted(done for done, _ in large)
        assert large[-1][0] == large[-1][1]


def test_notes_of_uploads_are_for_the_user_alone(hub: Any, big: Module) -> None:
    cutter = Cutter(hub.address)
    try:
        cutter.limit = 13_000_000
        with pytest.raises(HubError):
            push(big_module(9), f"{cutter.address}/team/noted:v1")
    finally:
        cutter.close()
    (note,) = (cache_root() / "uploads").iterdir()
    assert note.stat().st_mode & 0o077 == 0
