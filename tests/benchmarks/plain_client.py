"""Clients of a registry that do the least: what push and pull are measured against."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit

import requests

from wasmhub_magics.hub.layout import Packed
from wasmhub_magics.hub.manifest import MANIFEST, Blob

__all__ = [
    "get",
    "get_checked",
    "get_image",
    "get_library",
    "put",
    "put_checked",
    "put_image",
    "put_library",
]

PIECE = 1 << 20


class Connection:
    """One connection to a registry, for requests to one repository."""

    def __init__(self, name: str) -> None:
        host, _, self.repository = name.partition("/")
        self.http = http.client.HTTPConnection(host, timeout=60, blocksize=PIECE)

    def send(
        self, method: str, path: str, body: bytes = b"", kind: str = "application/octet-stream"
    ) -> http.client.HTTPResponse:
        """The answer to a request, whose body is not read yet."""
        address = path if path.startswith("/") else f"/v2/{self.repository}/{path}"
        self.http.request(method, address, body, {"Accept": MANIFEST, "Content-Type": kind})
        answer = self.http.getresponse()
        if answer.status not in (200, 201, 202):
            raise SystemExit(f"a plain {method} failed: {answer.status}")
        return answer

    def ask(
        self, method: str, path: str, body: bytes = b"", kind: str = "application/octet-stream"
    ) -> http.client.HTTPResponse:
        """The answer to a request, read."""
        answer = self.send(method, path, body, kind)
        answer.read()
        return answer

    def begin(self) -> str:
        """The address of a new upload, to which a query can be added."""
        return place(self.ask("POST", "blobs/uploads/"))


def place(answer: http.client.HTTPResponse) -> str:
    found = urlsplit(answer.headers["Location"])
    return f"{found.path}?{found.query}"


@contextlib.contextmanager
def connected(name: str) -> Iterator[Connection]:
    made = Connection(name)
    with contextlib.closing(made.http):
        yield made


class Hashing:
    """A digest that follows bytes while they arrive, in a thread of its own."""

    def __init__(self, data: memoryview[int]) -> None:
        self._data, self._there, self._more = data, 0, threading.Semaphore(0)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def come(self, count: int) -> None:
        """Tell that so many bytes are there."""
        self._there = count
        self._more.release()

    def result(self) -> str:
        """The digest, as images name it."""
        self._thread.join()
        return f"sha256:{self._digest.hexdigest()}"

    def _run(self) -> None:
        self._digest, done = hashlib.sha256(), 0
        while done < len(self._data):
            self._more.acquire()
            there = self._there
            self._digest.update(self._data[done:there])
            done = there


def put(name: str, blob: Blob) -> None:
    """The two requests that a registry cannot do without."""
    with connected(name) as registry:
        registry.ask("PUT", f"{registry.begin()}&digest={blob.digest}", blob.data)


def get(name: str, blob: Blob) -> None:
    """The bytes, of which nobody looks whether they are the right ones."""
    with connected(name) as registry:
        registry.ask("GET", f"blobs/{blob.digest}")


def put_library(name: str, blob: Blob) -> None:
    """The same two requests by ``requests``, on which oras and this package stand."""
    host, _, repository = name.partition("/")
    begun = requests.post(f"http://{host}/v2/{repository}/blobs/uploads/", timeout=60)
    address = f"{begun.headers['Location']}&digest={blob.digest}"
    sent = requests.put(address, blob.data, headers={"Content-Type": "application/octet-stream"}, timeout=60)
    if sent.status_code != 201:
        raise SystemExit(f"a PUT by requests failed: {sent.status_code}")


def get_library(name: str, blob: Blob) -> None:
    """The bytes in memory by ``requests``, which nobody looks at."""
    host, _, repository = name.partition("/")
    answer = requests.get(f"http://{host}/v2/{repository}/blobs/{blob.digest}", timeout=60)
    if len(answer.content) != blob.size:
        raise SystemExit(f"a GET by requests failed: {answer.status_code}")


def put_checked(name: str, layer: Blob, digests: int = 1) -> None:
    """The bytes, hashed so many times while they go."""
    with connected(name) as registry:
        hashing = [Hashing(memoryview(layer.data)) for _ in range(digests)]
        for each in hashing:
            each.come(layer.size)
        address = place(registry.ask("PATCH", registry.begin(), layer.data))
        for digest in [each.result() for each in hashing][:1]:
            registry.ask("PUT", f"{address}&digest={digest}")


def put_image(name: str, packed: Packed) -> None:
    """All of an image: the large blob with two digests, and then the small ones and the manifest."""
    layer, *others = packed.blobs
    put_checked(name, layer, 2)
    with connected(name) as registry:
        for blob in others:
            registry.ask("PUT", f"{registry.begin()}&digest={blob.digest}", blob.data)
        registry.ask("PUT", "manifests/v1", packed.manifest.data, MANIFEST)


def get_checked(name: str, blob: Blob, digests: int = 1) -> None:
    """The bytes, hashed so many times while they arrive."""
    with connected(name) as registry:
        answer = registry.send("GET", f"blobs/{blob.digest}")
        data = memoryview(bytearray(blob.size))
        hashing = [Hashing(data) for _ in range(digests)]
        there = 0
        while count := answer.readinto(data[there : there + PIECE]):
            there += count
            for each in hashing:
                each.come(there)
        if any(each.result() != blob.digest for each in hashing):
            raise SystemExit("a plain GET gave other bytes")


def get_image(name: str, blob: Blob) -> None:
    """The manifest, and the bytes with two digests."""
    with connected(name) as registry:
        registry.ask("GET", "manifests/v1")
    get_checked(name, blob, 2)
