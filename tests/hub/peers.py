"""Other programs that read and write images: they judge what is written here, and write what is read here."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PEERS = ROOT / ".make" / "peers" / "usr" / "bin"


def program(name: str) -> str:
    """The path of a program; those of other distributions are where .ci/peers puts them."""
    found = shutil.which(name, path=f"{PEERS}{os.pathsep}{os.environ['PATH']}")
    if found is None:
        pytest.fail(f"these tests need {name}: run .ci/peers {name}, or .ci/debian {name}")
    return found


def run(name: str, *words: object, env: dict[str, str] | None = None, ok: bool = True,
        cwd: Path | None = None) -> str:  # fmt: skip
    """What a program prints."""
    done = subprocess.run(
        [program(name), *map(str, words)], capture_output=True, text=True, timeout=120, check=False,
        env=os.environ | (env or {}), cwd=cwd,
    )  # fmt: skip
    assert (done.returncode == 0) is ok, done.stdout + done.stderr
    return done.stdout + done.stderr


def wait_for(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 30
    while True:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        if server.poll() is not None or time.monotonic() > deadline:
            pytest.fail(f"a registry did not start: {log.read_text()}")
        time.sleep(0.02)


@contextmanager
def process(command: list[object], log: Path, port: int, env: dict[str, str] | None = None) -> Iterator[int]:
    """A server that runs until the block ends; gives its process id."""
    with log.open("w") as output:
        server = subprocess.Popen(
            [str(each) for each in command], stdout=output, stderr=output, start_new_session=True,
            env=os.environ | (env or {}),
        )  # fmt: skip
    try:
        wait_for(port, server, log)
        yield server.pid
    finally:
        server.terminate()
        server.wait(20)


def served_store(store: Path, port: int) -> list[object]:
    """The command that serves a store."""
    code = (
        "import sys; from wasmhub_magics.hub import Store, serve\n"
        "serve(Store(sys.argv[1]), port=int(sys.argv[2])).wait()"
    )
    return [sys.executable, "-c", code, store, port]
