"""What moving and finding images costs, beside bare HTTP with the same bytes."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any

import wasmtime
from plain_client import (
    get,
    get_checked,
    get_image,
    get_library,
    put,
    put_checked,
    put_image,
    put_library,
)

from wasmhub_magics.hub import Entry, pull, push, search
from wasmhub_magics.hub.index import Index
from wasmhub_magics.hub.layout import pack
from wasmhub_magics.module import Module

SIZE = 20_000_000
ROUNDS = 15
HOST = "registry.example"
WORDS = "auth token header rate limit cache trace log metric route retry canary shadow cors jwt".split()  # noqa: SIM905


@dataclass(frozen=True)
class Moved:
    """Medians in seconds of what was done in turns.

    ``bare`` is a PUT or a GET of the large blob by a client that looks at nothing, the leanest that Python
    has (``http.client``, the body in one call); ``library`` is the same by ``requests``, as one writes it.
    ``checked`` is the leanest with one digest of every byte; ``whole`` is the least that an image takes: all
    its requests, and two digests, of the layer and of what is in it. Those hash in threads of their own while
    the bytes move. ``used`` is ``ours`` and the module's own digest, which a pull leaves to whoever needs it.
    """

    ours: float
    bare: float
    library: float
    checked: float
    whole: float
    used: float

    @property
    def ratio(self) -> float:
        return self.ours / self.bare


@contextlib.contextmanager
def registry() -> Iterator[str]:
    """Debian's registry on loopback; gives its address."""
    command = shutil.which("docker-registry")
    if command is None:
        raise SystemExit("hub.push and hub.pull need a real registry: .ci/debian docker-registry")
    with tempfile.TemporaryDirectory() as folder, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        config = Path(folder, "config.yml")
        config.write_text(
            f"version: 0.1\nlog: {{level: error}}\n"
            f"storage: {{filesystem: {{rootdirectory: {folder}/data}}}}\n"
            f"http: {{addr: 127.0.0.1:{port}}}\n"
        )
        with Path(folder, "log").open("w") as log:
            server = subprocess.Popen([command, "serve", config], stdout=log, stderr=log)
            try:
                until = time.monotonic() + 30
                while time.monotonic() < until:
                    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                        break
                    time.sleep(0.02)
                yield f"127.0.0.1:{port}"
            finally:
                server.terminate()
                server.wait(20)


@cache
def moved() -> tuple[Moved, Moved]:
    """A push and a pull of a 20 MB module, each in turns with bare requests that move as many bytes."""
    with registry() as address, own_cache():
        turns = [one_turn(address, number) for number in range(ROUNDS + 1)][1:]  # the first is for the caches
    ups, downs = zip(*turns, strict=True)
    return figure(ups), figure(downs)


def figure(turns: Iterable[list[float]]) -> Moved:
    return Moved(*(median(each) for each in zip(*turns, strict=True)))


def one_turn(address: str, number: int) -> tuple[list[float], list[float]]:
    """Seconds of all the ways up and of all the ways down, in one order and then in the other."""
    names = [f"{address}/bench/r{uuid.uuid4().hex}" for _ in range(6)]
    module, again = big_module(number), big_module(5000 + number)
    _ = module.digest, again.digest  # a build has told it already
    images = [pack(big_module(n * 1000 + number), name="bench") for n in (1, 2, 3, 4)]
    _ = [blob.data for packed in images for blob in packed.blobs]  # whole, as plain clients want them
    up: list[Callable[[], object]] = [
        lambda: push(module, f"{names[0]}:v1"),
        lambda: put(names[1], images[0].blobs[0]),
        lambda: put_library(names[2], images[1].blobs[0]),
        lambda: put_checked(names[3], images[2].blobs[0]),
        lambda: put_image(names[4], images[3]),
        lambda: push(again, f"{names[5]}:v1").module_digest,
    ]
    down: list[Callable[[], object]] = [
        lambda: pull(f"{names[0]}:v1"),
        lambda: get(names[1], images[0].blobs[0]),
        lambda: get_library(names[2], images[1].blobs[0]),
        lambda: get_checked(names[3], images[2].blobs[0]),
        lambda: get_image(names[4], images[3].blobs[0]),
        lambda: pull(f"{names[5]}:v1")[0].digest,
    ]
    return in_order(up, number % 2 == 0), in_order(down, number % 2 == 0)


def in_order(tasks: list[Callable[[], object]], forward: bool) -> list[float]:
    return [timed(task) for task in tasks] if forward else [timed(task) for task in tasks[::-1]][::-1]


@contextlib.contextmanager
def own_cache() -> Iterator[None]:
    """A cache that holds nothing of the user's, and is gone afterwards."""
    before = os.environ.get("WASMHUB_CACHE")
    with tempfile.TemporaryDirectory(prefix="wasmhub-bench-") as folder:
        os.environ["WASMHUB_CACHE"] = folder
        try:
            yield
        finally:
            os.environ.pop("WASMHUB_CACHE")
            os.environ |= {"WASMHUB_CACHE": before} if before else {}


def big_module(seed: int) -> Module:
    """A module of 20 MB that no compressor makes smaller."""
    head = bytes(wasmtime.wat2wasm('(module (func (export "proxy_abi_version_0_2_1")))'))
    count = SIZE - len(head) - 5
    length = bytes([count & 127 | 128, count >> 7 & 127 | 128, count >> 14 & 127 | 128, count >> 21])
    return Module(head + b"\0" + length + b"\1x" + seed.to_bytes(4, "big") + noise(count - 6))


@cache
def noise(count: int) -> bytes:
    return random.Random(1).randbytes(count)


def searched(count: int = 10_000) -> tuple[float, float]:
    """Milliseconds of a search among as many images: the median and the slowest of many kinds."""
    with own_cache():
        with Index() as index:
            index.replace(HOST, "team", [("m", entry(number)) for number in range(count)])
            index.set_cursor(HOST, "catalogue")  # so nobody asks a registry
        kinds: list[dict[str, Any]] = [
            {}, {"text": "jwt"}, {"text": "rate lim", "language": "go"}, {"text": "token", "sort": "created"},
            {"text": "number 77"}, {"language": "rust", "sort": "size"},
            {"text": "header", "product": "istio"},
        ]  # fmt: skip
        times = [
            timed(lambda kind=kind: search(registries=[HOST], local=False, **kind)) * 1000
            for kind in kinds * 5
        ]
    return median(times), max(times)


def entry(number: int) -> Entry:
    return Entry(
        name=f"filter-{number}",
        origin=HOST,
        ref=f"{HOST}/team/r{number}:v1",
        language=("go", "rust", "python")[number % 3],
        description=f"{WORDS[number % 15]} {WORDS[number % 7]} number {number}",
        products=("Istio", "Envoy Gateway"),
        size=number,
        readme=" ".join(WORDS[(number + n) % 15] for n in range(200)),
    )


def timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
