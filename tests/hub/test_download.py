"""A module is taken from a plain web server as well, bare or packed, and never without a check."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import io
import socket
import tarfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from wasmhub_magics import load
from wasmhub_magics.errors import (
    HubError,
    ImageNotFound,
    NotAFilter,
    RegistryUnreachable,
    RequestError,
    Unauthorized,
)
from wasmhub_magics.filter import pull as pull_filter
from wasmhub_magics.hub import Policy, Rule, pull
from wasmhub_magics.module import Module


def tarred(data: bytes, mode: str = "w", name: str = "some/filter.wasm") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:  # type: ignore[call-overload]
        entry = tarfile.TarInfo(name)
        entry.size = len(data)
        archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


FORMS: dict[str, Callable[[bytes], bytes]] = {
    "greeter.wasm": lambda data: data,
    "greeter.wasm.gz": gzip.compress,
    "greeter.tar": tarred,
    "greeter.tar.gz": lambda data: tarred(data, "w:gz"),
}


@pytest.fixture
def web(tmp_path: Path) -> Iterator[str]:
    folder = tmp_path / "web"
    folder.mkdir()

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args, directory=str(folder))

        def log_message(self, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("file", FORMS)
def test_every_form_that_istio_takes_is_taken(web: str, tmp_path: Path, module: Module, file: str) -> None:
    (tmp_path / "web" / file).write_bytes(FORMS[file](module.data))
    seen: list[int] = []
    pulled, image = pull(
        f"{web}/{file}?v=1", moved=lambda _, done, total: seen.append(done * (done <= total))
    )
    assert pulled == module
    assert (image.layout, image.digest, image.module_digest) == ("file", "", module.digest)
    assert seen[-1] == len(FORMS[file](module.data))
    assert "not pinned" in image.remarks[0]
    assert pull(f"{web}/{file}", sha256=module.digest)[1].remarks == ()
    assert pull_filter(f"{web}/{file}").name == "greeter"
    assert load(pulled.data).module == module


def test_another_module_than_the_one_that_is_pinned_is_refused(
    web: str, tmp_path: Path, module: Module
) -> None:
    (tmp_path / "web" / "a.wasm").write_bytes(module.data)
    with pytest.raises(NotAFilter, match="not the one that was wanted") as caught:
        pull(f"{web}/a.wasm", sha256="0" * 64)
    assert hashlib.sha256(module.data).hexdigest() in caught.value.what
    with pytest.raises(RequestError, match="no sha256"):
        pull(f"{web}/a.wasm", sha256="abc")


@pytest.mark.parametrize(
    "content",
    [b"", b"<html>", b"\0asm\x0d\0\1\0", gzip.compress(b"hello"), gzip.compress(b"\0asm\1\0\0\0")[:-9],
     tarred(b"#!/bin/sh"), tarred(b"")],
)  # fmt: skip
def test_what_is_no_module_is_refused(web: str, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "web" / "a.wasm").write_bytes(content)
    with pytest.raises(NotAFilter) as caught:
        pull(f"{web}/a.wasm")
    assert web in caught.value.where
    assert caught.value.do


def test_what_is_not_there_and_who_is_not_there_is_told(web: str) -> None:
    with pytest.raises(ImageNotFound, match="404"):
        pull(f"{web}/none.wasm")
    with pytest.raises(RegistryUnreachable, match="nobody listens"):
        pull("http://127.0.0.1:1/a.wasm")
    for url in ("http://", "https:///a.wasm", "http://ada:secret@127.0.0.1/a.wasm"):
        with pytest.raises(RequestError) as caught:
            pull(url)
        assert "secret" not in str(caught.value)


def answering(text: bytes) -> Callable[[socket.socket], None]:
    def serve(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(text)

    return serve


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n\0asm", RegistryUnreachable, "broke off"),
        (b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n", Unauthorized, "401"),
        (b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n", Unauthorized, "403"),
        (b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", HubError, "500"),
        (b"SSH-2.0\r\n", HubError, "does not speak http"),
    ],
)
def test_a_server_that_fails_is_told(listen: Any, answer: bytes, kind: type[HubError], words: str) -> None:
    with pytest.raises(kind, match=words):
        pull(f"http://{listen(answering(answer))}/a.wasm", timeout=5)


def test_a_policy_covers_plain_files(web: str, tmp_path: Path, module: Module) -> None:
    (tmp_path / "web" / "a.wasm").write_bytes(module.data)
    wants = Policy((Rule("http://*", "digest"),))
    with pytest.raises(HubError, match="pinned"):
        pull(f"{web}/a.wasm", policy=wants)
    assert pull(f"{web}/a.wasm", policy=wants, sha256=module.digest)[0] == module
