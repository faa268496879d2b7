"""What moving and finding images costs, beside bare HTTP with the same bytes."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import random
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlsplit

import wasmtime

from wasmhub_magics.hub import Entry, pull, push, search
from wasmhub_magics.hub.index import Index
from wasmhub_magics.hub.layout import Packed, pack
from wasmhub_magics.hub.manifest import MANIFEST, Blob
from wasmhub_magics.module import Module

SIZE = 20_000_000
ROUNDS = 15
HOST = "registry.example"
WORDS = "auth token header rate limit cache trace log metric route retry canary shadow cors jwt".split()  # noqa: SIM905


@dataclass(frozen=True)
class Moved:
    """Medians in seconds of what was done in turns.

    ``bare`` is the request for the large blob alone. ``floor`` is what no client of a registry is below: the
    requests for all of an image, one after the other, and the two digests of as many bytes that it must
    compute, each in a thread of its own.
    """

    ours: float
    bare: float
    floor: float

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
    ours, bare, whole = (f"{address}/bench/r{uuid.uuid4().hex}" for _ in range(3))
    module = big_module(number)
    _ = module.digest  # a build has told it already
    one, other = (pack(big_module(n * 1000 + number), name="bench") for n in (1, 2))
    layer = one.blobs[0]
    _ = [blob.data for packed in (one, other) for blob in packed.blobs]  # whole, as bare requests want them
    up: list[Callable[[], object]] = [
        lambda: push(module, f"{ours}:v1"),
        lambda: put(bare, layer),
        lambda: (digests(layer.data), put_image(whole, other)),
    ]
    down: list[Callable[[], object]] = [
        lambda: pull(f"{ours}:v1"),
        lambda: get(bare, layer),
        lambda: (get_image(whole, other), digests(layer.data)),
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


def digests(data: bytes) -> None:
    """The digests of a layer and of what it holds, which are of as many bytes."""
    beside = threading.Thread(target=hashlib.sha256, args=(data,))
    beside.start()
    hashlib.sha256(data)
    beside.join()


def put(name: str, blob: Blob) -> None:
    """The two requests that a registry cannot do without."""
    answer = request(name, "POST", "blobs/uploads/")
    place = urlsplit(answer.headers["Location"])
    request(name, "PUT", f"{place.path}?{place.query}&digest={blob.digest}", blob)


def put_image(name: str, packed: Packed) -> None:
    """The requests for all that makes an image."""
    for blob in packed.blobs:
        put(name, blob)
    request(name, "PUT", "manifests/v1", packed.manifest)


def get(name: str, blob: Blob) -> None:
    request(name, "GET", f"blobs/{blob.digest}")


def get_image(name: str, packed: Packed) -> None:
    request(name, "GET", "manifests/v1")
    get(name, packed.blobs[0])


def request(name: str, method: str, path: str, blob: Blob | None = None) -> http.client.HTTPResponse:
    """One request to a repository, its answer read."""
    host, _, repository = name.partition("/")
    headers = {"Accept": MANIFEST} | ({"Content-Type": blob.media_type} if blob else {})
    with contextlib.closing(http.client.HTTPConnection(host, timeout=60)) as connection:
        address = path if path.startswith("/") else f"/v2/{repository}/{path}"
        connection.request(method, address, blob.data if blob else b"", headers)
        answer = connection.getresponse()
        answer.read()
    if answer.status not in (200, 201, 202):
        raise SystemExit(f"a bare {method} failed: {answer.status}")
    return answer


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
