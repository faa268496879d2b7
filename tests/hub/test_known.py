"""A registry that did what it was asked is known: it is not asked what it is before the next image."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import pytest

from tests.hub.test_faults import REGISTRY, answer, head
from wasmhub_magics.errors import HubError, ImageNotFound, NotARegistry, RegistryUnreachable
from wasmhub_magics.hub import pull, push
from wasmhub_magics.hub.layout import Packed, pack
from wasmhub_magics.module import Module

Listen = Callable[[Callable[[socket.socket], None]], str]


class Changing:
    """A server that is a registry with one image until it becomes something else."""

    def __init__(self, packed: Packed) -> None:
        self._packed = packed
        self.other: Callable[[socket.socket, str], object] | None = None
        self.paths: list[str] = []

    def __call__(self, connection: socket.socket) -> None:
        while True:
            _, path = head(connection)
            self.paths.append(path)
            if self.other:
                self.other(connection, path)
            elif path == "/v2/":
                connection.sendall(REGISTRY)
            else:
                blob = self._packed.manifest if "/manifests/" in path else self._packed.blobs[0]
                connection.sendall(answer("200 OK", blob.data, f"Content-Type: {blob.media_type}"))


@pytest.fixture
def changing(module: Module) -> Changing:
    return Changing(pack(module, name="g"))


def test_what_is_known_to_be_a_registry_is_not_asked_again(
    anywhere: Any, module: Module, sent: list[tuple[str, str]]
) -> None:
    reference = anywhere.fresh()
    push(module, reference)
    assert [path for _, path in sent].count("/v2/") == 1
    sent.clear()
    assert pull(reference)[0] == module
    assert [path for _, path in sent if path == "/v2/"] == []
    assert len(sent) == 2


def test_one_that_failed_is_asked_again(listen: Listen, changing: Changing) -> None:
    address = listen(changing)
    changing.other = lambda connection, _: connection.sendall(answer("503 Service Unavailable"))
    with pytest.raises(HubError, match="503"):
        pull(f"{address}/greeter")
    changing.other = None
    changing.paths.clear()
    pull(f"{address}/greeter")
    assert changing.paths[0] == "/v2/"


@pytest.mark.parametrize(
    ("other", "kind"),
    [
        (lambda connection, _: connection.sendall(answer("404 Not Found", b"<html>")), NotARegistry),
        (lambda connection, _: connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n"), NotARegistry),
        (lambda connection, _: connection.shutdown(socket.SHUT_RDWR), RegistryUnreachable),
    ],
)
def test_what_has_become_something_else_is_told_for_what_it_is(
    listen: Listen, changing: Changing, other: Callable[[socket.socket, str], object], kind: type[HubError]
) -> None:
    name = f"{listen(changing)}/greeter"
    pull(name)
    changing.other = other
    for _ in range(2):
        with pytest.raises(HubError) as caught:
            pull(name)
        assert type(caught.value) is kind


def test_a_known_registry_that_lacks_an_image_is_still_one(listen: Listen, changing: Changing) -> None:
    name = f"{listen(changing)}/greeter"
    pull(name)

    def empty(connection: socket.socket, path: str) -> None:
        connection.sendall(REGISTRY if path == "/v2/" else answer("404 Not Found", b"{}"))

    changing.other = empty
    with pytest.raises(ImageNotFound):
        pull(name)
    changing.other = None
    pull(name)
