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
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

import wasmtime

from wasmhub_magics.hub import Entry, Query, pull, push
from wasmhub_magics.hub.index import Index
from wasmhub_magics.module import Module

SIZE = 20_000_000
ROUNDS = 9
WORDS = "auth token header rate limit cache trace log metric route retry canary shadow cors jwt".split()  # noqa: SIM905


@dataclass(frozen=True)
class Moved:
    """Seconds of a push or pull and of the bare request, in turns; medians and the ratio of the medians."""

    ours: float
    bare: float
    ratio: float


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
    """A push and a pull of a 20 MB module, each beside a bare PUT and GET of as many bytes."""
    os.environ["WASMHUB_CACHE"] = tempfile.mkdtemp(prefix="wasmhub-bench-")
    ours_up, bare_up, ours_down, bare_down = [], [], [], []
    with registry() as address:
        for turn in range(ROUNDS + 1):
            module = big_module(turn)
            name = f"{address}/bench/r{uuid.uuid4().hex}"
            plain = big_module(1000 + turn).data
            digest = f"sha256:{hashlib.sha256(plain).hexdigest()}"
            _ = module.digest  # a build has told it already
            up = (
                timed(lambda module=module, name=name: push(module, f"{name}:v1", index=False)),
                timed(lambda name=name, plain=plain, digest=digest: put(name, plain, digest)),
            )
            down = (
                timed(lambda name=name: pull(f"{name}:v1")),
                timed(lambda name=name, digest=digest: get(name, digest)),
            )
            if turn:  # the first is for the caches
                ours_up.append(up[0])
                bare_up.append(up[1])
                ours_down.append(down[0])
                bare_down.append(down[1])
    shutil.rmtree(os.environ.pop("WASMHUB_CACHE"), ignore_errors=True)
    return figure(ours_up, bare_up), figure(ours_down, bare_down)


def figure(ours: list[float], bare: list[float]) -> Moved:
    return Moved(median(ours), median(bare), median(ours) / median(bare))


def put(name: str, data: bytes, digest: str) -> None:
    """The two requests that a registry cannot do without."""
    host, _, repository = name.partition("/")
    with contextlib.closing(http.client.HTTPConnection(host, timeout=60)) as connection:
        connection.request("POST", f"/v2/{repository}/blobs/uploads/")
        answer = connection.getresponse()
        answer.read()
        place = urlsplit(answer.headers["Location"])
        connection.request("PUT", f"{place.path}?{place.query}&digest={digest}", data,
                           {"Content-Type": "application/octet-stream"})  # fmt: skip
        answer = connection.getresponse()
        answer.read()
        if answer.status != 201:
            raise SystemExit(f"the bare upload failed: {answer.status}")


def get(name: str, digest: str) -> None:
    host, _, repository = name.partition("/")
    with contextlib.closing(http.client.HTTPConnection(host, timeout=60)) as connection:
        connection.request("GET", f"/v2/{repository}/blobs/{digest}")
        if len(connection.getresponse().read()) != SIZE:
            raise SystemExit("the bare download failed")


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
    with tempfile.TemporaryDirectory() as folder, Index(Path(folder, "index.sqlite")) as index:
        index.replace("local", "team", [("m", entry(number)) for number in range(count)])
        queries = [
            Query(), Query("jwt"), Query("rate lim", language="go"), Query("token", sort="created"),
            Query("number 77"), Query(language="rust", sort="size"), Query("header", product="istio"),
        ]  # fmt: skip
        times = [timed(lambda query=query: index.find(query)) * 1000 for query in queries * 5]
    return median(times), max(times)


def entry(number: int) -> Entry:
    return Entry(
        name=f"filter-{number}",
        origin="local",
        ref=f"team/r{number}:v1",
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
