"""An upload of a large layer is begun while it is hashed, and given up where the layer is there already."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import pytest

from tests.hub.test_faults import REGISTRY, answer, head
from tests.hub.test_upload import big_module
from wasmhub_magics.errors import HubError, Unauthorized
from wasmhub_magics.hub import parse_reference, pull, push
from wasmhub_magics.hub.layout import pack
from wasmhub_magics.hub.registry import Registry
from wasmhub_magics.hub.session import PIECE
from wasmhub_magics.hub.stored import Stored
from wasmhub_magics.paths import cache_root

Listen = Callable[[Callable[[socket.socket], None]], str]


def test_an_upload_is_asked_for_before_the_digest_is_known(
    anywhere: Any, sent: list[tuple[str, str]]
) -> None:
    big, reference = big_module(20), anywhere.fresh()
    push(big, reference)
    methods = [method for method, path in sent if "/uploads/" in path]
    assert methods.count("POST") == 2
    assert [method for method, _ in sent][:2] == ["GET", "POST"]
    assert pull(reference)[0] == big


def test_the_first_piece_goes_before_the_digest_is_known(
    hub: Any, sent: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = threading.Event()
    plain = Stored.digest.func

    def late(file: Stored) -> str:
        assert gone.wait(20), "nothing was sent before the digest was known"
        return str(plain(file))

    def tell(what: str, done: int, total: int) -> None:
        if done >= PIECE:
            gone.set()

    monkeypatch.setattr(Stored, "digest", property(late))
    big, reference = big_module(25), hub.fresh()
    push(big, reference, moved=tell)
    assert [method for method, path in sent if "/uploads/" in path][:2] == ["POST", "PATCH"]
    assert pull(reference)[0] == big


def test_a_registry_that_takes_no_pieces_gets_a_layer_whole_that_was_begun_ahead(
    listen: Listen, sent: list[tuple[str, str]]
) -> None:
    kept: dict[str, bytes] = {}
    with pytest.raises(HubError, match=r"missing|read back"):  # it keeps no bytes
        push(big_module(26), f"{listen(keeping(kept, pieces=False))}/greeter")
    layer = pack(big_module(26), name="greeter").blobs[0].digest
    assert layer in kept
    assert [method for method, path in sent if "/uploads/" in path].count("PATCH") == 1


def test_an_upload_that_was_begun_ahead_and_is_not_needed_is_given_up(
    anywhere: Any, sent: list[tuple[str, str]]
) -> None:
    big, reference = big_module(21), anywhere.fresh()
    first = push(big, reference)
    sent.clear()
    assert push(big, reference).digest == first.digest
    uploads = [method for method, path in sent if "/uploads/" in path]
    assert uploads[0] == "POST"
    assert uploads[-1] == "DELETE"
    assert uploads.count("POST") == 1
    assert [method for method, path in sent if "/manifests/" in path].count("PUT") == 1
    assert list((cache_root() / "uploads").iterdir()) == []


def keeping(kept: dict[str, bytes], *, blobs: bool = True, pieces: bool = True) -> Callable[[Any], None]:
    """A registry for one repository, which keeps blobs and takes them in pieces, or does not."""

    def serve(connection: socket.socket) -> None:
        while True:
            method, path = head(connection)
            name = unquote(path.partition("digest=")[2] or path.rpartition("/")[2])
            if path == "/v2/":
                connection.sendall(REGISTRY)
            elif method == "POST" or (method == "PATCH" and pieces):
                connection.sendall(answer("202 Accepted", b"", "Location: /v2/greeter/blobs/uploads/1"))
            elif method == "PUT":
                if blobs or "/manifests/" in path:
                    kept[name] = b""
                connection.sendall(answer("201 Created"))
            elif method == "HEAD" and name in kept:
                connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                return
            else:
                connection.sendall(answer("404 Not Found", b"" if method == "HEAD" else b"{}"))

    return serve


def test_what_a_registry_takes_and_then_has_not_is_told(listen: Listen) -> None:
    kept: dict[str, bytes] = {}
    with pytest.raises(HubError) as caught:
        push(big_module(22), f"{listen(keeping(kept, blobs=False))}/greeter")
    assert kept
    assert re.search(r"sha256:[0-9a-f]{12} is missing|cannot be read back", caught.value.what)
    assert "push again" in caught.value.do


def test_a_registry_that_takes_no_pieces_gets_the_layer_whole(listen: Listen) -> None:
    kept: dict[str, bytes] = {}
    packed = pack(big_module(24), name="greeter")
    with Registry(listen(keeping(kept, pieces=False))) as registry:
        registry.write(parse_reference(f"{registry.host}/greeter"), packed)
    assert kept.keys() == {"latest", *(blob.digest for blob in packed.blobs)}


@pytest.mark.parametrize(
    ("status", "kind"), [("403 Forbidden", Unauthorized), ("507 Insufficient Storage", HubError)]
)
def test_a_registry_that_refuses_a_large_layer_is_asked_once(
    listen: Listen, sent: list[tuple[str, str]], status: str, kind: type[HubError]
) -> None:
    def refuse(connection: socket.socket) -> None:
        while True:
            method, path = head(connection)
            if path == "/v2/":
                connection.sendall(REGISTRY)
            elif method == "HEAD":
                connection.sendall(answer("404 Not Found"))
            elif method == "POST":
                connection.sendall(answer("202 Accepted", b"", "Location: /v2/greeter/blobs/uploads/1"))
            else:
                connection.sendall(answer(status, b'{"errors":[{"message":"no room"}]}'))

    with pytest.raises(kind, match="no room"):
        push(big_module(23), f"{listen(refuse)}/greeter")
    layers = [path for method, path in sent if method in ("PATCH", "PUT")]
    assert len(layers) <= 2  # the layer, and perhaps the configuration beside it
