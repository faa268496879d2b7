"""Whatever answers at a registry's address, or does not, is told at once and in words."""

from __future__ import annotations

import http.server
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.hub.test_upload import big_module
from wasmhub_magics.errors import (
    HubError,
    ImageNotFound,
    NotAFilter,
    NotARegistry,
    RegistryUnreachable,
    Unauthorized,
)
from wasmhub_magics.hub import Store, pull, push
from wasmhub_magics.hub.layout import Packed, pack
from wasmhub_magics.module import Module

Listen = Callable[[Callable[[socket.socket], None]], str]


def head(connection: socket.socket) -> tuple[str, str]:
    """The method and the path of the next request; its body is read as well."""
    text = b""
    while b"\r\n\r\n" not in text:
        piece = connection.recv(65536)
        if not piece:
            raise OSError("the client went away")
        text += piece
    top, _, body = text.partition(b"\r\n\r\n")
    lines = top.decode().split("\r\n")
    length = next((int(x.partition(":")[2]) for x in lines if x.lower().startswith("content-length:")), 0)
    while len(body) < length:
        body += connection.recv(65536)
    method, path, _ = lines[0].split(" ")
    return method, path


def answer(status: str, body: bytes = b"", *headers: str, length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    return "\r\n".join([f"HTTP/1.1 {status}", f"Content-Length: {size}", *headers, "", ""]).encode() + body


REGISTRY = answer("200 OK", b"{}", "Docker-Distribution-Api-Version: registry/2.0")


def both(module: Module, address: str, **options: Any) -> Iterator[HubError]:
    """The errors of a push to a registry and of a pull from it."""
    name = f"{address}/team/greeter:v1"
    for attempt in (lambda: push(module, name, **options), lambda: pull(name, **options)):
        with pytest.raises(HubError) as caught:
            attempt()
        assert caught.value.do
        yield caught.value


def test_where_nobody_listens_the_address_is_named(module: Module) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound but not listening: refused, and nobody else can get it
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        for error in both(module, address):
            assert isinstance(error, RegistryUnreachable)
            assert error.what == f"nobody listens at {address}"


def test_a_host_that_does_not_exist_is_named(module: Module, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "registry.invalid")  # so that the name is looked up here
    for error in both(module, "registry.invalid"):
        assert isinstance(error, RegistryUnreachable)
        assert error.what == "there is no host registry.invalid"


def test_a_host_that_drops_what_it_gets_is_given_up(module: Module) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, ExitStack() as stack:
        for _ in range(3):  # more than the queue holds: what comes next gets no answer
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        for error in both(module, f"127.0.0.1:{full.getsockname()[1]}", timeout=0.5):
            assert isinstance(error, RegistryUnreachable)
            assert "does not answer within 0.5 seconds" in error.what


def test_a_proxy_that_does_not_work_is_told_from_the_registry(
    module: Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    for error in both(module, "registry.example"):
        assert isinstance(error, RegistryUnreachable)
        assert "proxy" in error.what
        assert "HTTPS_PROXY" in error.do


def test_a_failure_is_not_tried_again(module: Module, listen: Listen) -> None:
    seen: list[str] = []

    def broken(connection: socket.socket) -> None:
        while True:
            seen.append(head(connection)[1])
            connection.sendall(
                answer("500 Internal Server Error", b'{"errors":[{"message":"out of cheese"}]}')
            )

    for error in both(module, listen(broken)):
        assert "500" in error.what
        assert "out of cheese" in error.what
    assert seen == ["/v2/", "/v2/"]


def test_an_ordinary_web_server_is_no_registry(module: Module, tmp_path: Path) -> None:
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args, directory=str(tmp_path))

        def log_message(self, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            address = f"127.0.0.1:{server.server_address[1]}"
            for error in both(module, address):
                assert isinstance(error, NotARegistry)
                assert "404" in error.what
            (tmp_path / "v2").mkdir()  # now it answers 200 with a page
            for error in both(module, address):
                assert isinstance(error, NotARegistry)
                assert "text/html" in error.what
        finally:
            server.shutdown()
            thread.join(10)


@pytest.mark.parametrize(
    "said",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"220 mail ESMTP\r\n",
        b"\x15\x03\x01\x00\x02\x02\x46",
        b"HTTP/1.1 abc\r\n\r\n",
    ],
)
def test_a_server_of_another_protocol_is_no_registry(module: Module, listen: Listen, said: bytes) -> None:
    def greet(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(said)

    for error in both(module, listen(greet)):
        assert isinstance(error, NotARegistry)
        assert "does not speak http" in error.what


@pytest.mark.parametrize("moment", ["before the probe", "after the probe"])
def test_a_registry_that_accepts_and_never_answers_is_given_up(
    module: Module, listen: Listen, moment: str
) -> None:
    def silent(connection: socket.socket) -> None:
        if moment == "after the probe":
            head(connection)
            connection.sendall(REGISTRY)
        while connection.recv(65536):
            pass

    for error in both(module, listen(silent), timeout=0.5):
        assert isinstance(error, RegistryUnreachable)
        assert "does not answer within 0.5 seconds" in error.what


def test_a_registry_that_hangs_up_is_reported(module: Module, listen: Listen) -> None:
    for error in both(module, listen(lambda connection: connection.recv(1) and None)):
        assert isinstance(error, RegistryUnreachable)
        assert "broke off" in error.what


def serving(packed: Packed, layer: Callable[[bytes], bytes]) -> Callable[[socket.socket], None]:
    """A registry with one image whose layer is answered as a test wants."""

    def serve(connection: socket.socket) -> None:
        while True:
            _, path = head(connection)
            if path == "/v2/":
                connection.sendall(REGISTRY)
            elif "/manifests/" in path:
                kind = f"Content-Type: {packed.manifest.media_type}"
                connection.sendall(answer("200 OK", packed.manifest.data, kind))
            else:
                connection.sendall(layer(packed.blobs[0].data))
                connection.shutdown(socket.SHUT_WR)

    return serve


@pytest.mark.parametrize(
    "layer",
    [
        lambda data: answer("200 OK", data[: len(data) // 2], length=len(data)),
        lambda data: answer("200 OK", b"", length=len(data)),
        lambda data: b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n40\r\n" + data[:20],
    ],
)
def test_a_transfer_that_breaks_off_in_the_middle_is_reported(
    module: Module, listen: Listen, layer: Callable[[bytes], bytes]
) -> None:
    address = listen(serving(pack(module, name="g"), layer))
    with pytest.raises(RegistryUnreachable, match="broke off"):
        pull(f"{address}/greeter")


@pytest.mark.parametrize(
    "layer",
    [
        lambda data: answer("200 OK", data[:-1] + b"?"),
        lambda data: answer("200 OK", data + b"more"),
        lambda data: answer("200 OK", data[:-4]),
        lambda data: answer("200 OK", b"<html>login page</html>"),
    ],
)
def test_other_bytes_than_the_digest_promises_are_refused(
    module: Module, listen: Listen, layer: Callable[[bytes], bytes]
) -> None:
    address = listen(serving(pack(module, name="g"), layer))
    with pytest.raises(NotAFilter, match="damaged"):
        pull(f"{address}/greeter")


def test_a_large_layer_that_lies_is_refused_whole(listen: Listen) -> None:
    packed = pack(big_module(41), name="g")
    for place in (20, 1 << 20, packed.blobs[0].size - 1):

        def lie(data: bytes, place: int = place) -> bytes:
            return answer("200 OK", data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])

        with pytest.raises(NotAFilter, match="damaged"):
            pull(f"{listen(serving(packed, lie))}/greeter")


def test_another_manifest_than_the_digest_of_the_reference_is_refused(module: Module, listen: Listen) -> None:
    address = listen(serving(pack(module, name="g"), lambda data: answer("200 OK", data)))
    with pytest.raises(NotAFilter, match="damaged"):
        pull(f"{address}/greeter@sha256:{'0' * 64}")


def test_a_body_without_end_is_not_read_to_its_end(module: Module, listen: Listen) -> None:
    packed = pack(module, name="g")

    def flood(connection: socket.socket) -> None:
        head(connection)
        connection.sendall(REGISTRY)
        head(connection)
        connection.sendall(
            answer("200 OK", b"", f"Content-Type: {packed.manifest.media_type}", length=1 << 50)
        )
        while True:
            connection.sendall(bytes(1 << 16))

    with pytest.raises(NotAFilter, match="no JSON"):
        pull(f"{listen(flood)}/greeter")


@pytest.mark.parametrize(
    ("status", "kind", "do"),
    [
        ("403 Forbidden", Unauthorized, "username"),
        ("404 Not Found", ImageNotFound, "repository"),
        ("405 Method Not Allowed", HubError, "elsewhere"),
        ("413 Payload Too Large", HubError, "try again"),
        ("429 Too Many Requests", HubError, "wait 7 seconds"),
        ("503 Service Unavailable", HubError, "later"),
    ],
)
def test_a_refused_upload_keeps_the_words_of_the_registry(
    module: Module, listen: Listen, status: str, kind: type[HubError], do: str
) -> None:
    def refuse(connection: socket.socket) -> None:
        while True:
            method, path = head(connection)
            if path == "/v2/":
                connection.sendall(REGISTRY)
            elif method == "HEAD":
                connection.sendall(answer("404 Not Found"))
            else:
                body = json.dumps({"errors": [{"code": "X", "message": "closed for\n cleaning"}]}).encode()
                connection.sendall(answer(status, body, "Retry-After: 7"))

    with pytest.raises(kind) as caught:
        push(module, f"{listen(refuse)}/greeter")
    assert type(caught.value) is kind
    assert "closed for cleaning" in caught.value.what
    assert do in caught.value.do


@pytest.mark.parametrize("refused", ["manifests", "blobs"])
@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("401 Unauthorized", (Unauthorized, "wants a login", "log in")),
        ("403 Forbidden", (Unauthorized, "wants a login", "log in")),
        ("429 Too Many Requests", (HubError, "429 Too Many Requests: slow down", "wait 7 seconds")),
        ("500 Internal Server Error", (HubError, "500 Internal Server Error: slow down", "look at its log")),
    ],
)
def test_a_refused_download_keeps_the_words_of_the_registry(
    module: Module, listen: Listen, refused: str, status: str, expected: tuple[type[HubError], str, str]
) -> None:
    packed = pack(module, name="g")
    kind, what, do = expected

    def refuse(connection: socket.socket) -> None:
        while True:
            _, path = head(connection)
            if path == "/v2/":
                connection.sendall(REGISTRY)
            elif f"/{refused}/" in path:
                connection.sendall(answer(status, b'{"errors":[{"message":"slow down"}]}', "Retry-After: 7"))
            else:
                told = f"Content-Type: {packed.manifest.media_type}"
                connection.sendall(answer("200 OK", packed.manifest.data, told))

    with pytest.raises(kind) as caught:
        pull(f"{listen(refuse)}/greeter")
    assert type(caught.value) is kind
    assert what in caught.value.what
    assert do in caught.value.do


def test_a_registry_that_repeats_the_password_does_not_get_it_into_our_texts(
    module: Module, listen: Listen
) -> None:
    def chatty(connection: socket.socket) -> None:
        while True:
            head(connection)
            body = b'{"errors":[{"message":"bad password hunter2hunter2, YWRhOmh1bnRlcjJodW50ZXIy"}]}'
            connection.sendall(answer("401 Unauthorized", body, 'WWW-Authenticate: Basic realm="x"'))

    errors = list(both(module, listen(chatty), username="ada", password="hunter2hunter2"))
    for error in errors:
        assert isinstance(error, Unauthorized)
        assert "hunter2" not in str(error)
        assert "YWRh" not in str(error)
    assert "bad password ***, ***" in str(errors[-1])


def test_a_password_is_not_sent_to_another_server_than_the_registry(module: Module, listen: Listen) -> None:
    seen: list[bytes] = []

    def elsewhere(connection: socket.socket) -> None:
        seen.append(connection.recv(65536))
        connection.sendall(answer("201 Created"))

    other = listen(elsewhere)

    def registry(connection: socket.socket) -> None:
        while True:
            text = connection.recv(65536)
            if not text:
                return
            if b"\r\nAuthorization: Basic" not in text:
                connection.sendall(answer("401 Unauthorized", b"", 'WWW-Authenticate: Basic realm="x"'))
            elif text.startswith(b"HEAD"):
                connection.sendall(answer("404 Not Found"))
            else:
                connection.sendall(answer("202 Accepted", b"", f"Location: http://{other}/upload?a=b"))

    with pytest.raises(HubError):
        push(module, f"{listen(registry)}/greeter", username="ada", password="hunter2hunter2")
    assert seen
    assert seen[0].startswith(b"PUT /upload?a=b&digest=sha256%3A")
    assert not any(b"uthorization" in text for text in seen)


@pytest.mark.parametrize(
    ("challenge", "kind"),
    [
        ('Bearer service="x"', NotARegistry),
        ('Bearer realm="ftp://127.0.0.1/token"', NotARegistry),
        ('Bearer realm="http://registry.example/token",service="x"', Unauthorized),
        ('Bearer realm="http://127.0.0.1:1/token",service="x"', RegistryUnreachable),
        ("Negotiate", Unauthorized),
    ],
)
def test_a_question_that_cannot_be_answered_safely_is_not_answered(
    module: Module, listen: Listen, challenge: str, kind: type[HubError]
) -> None:
    def ask(connection: socket.socket) -> None:
        while True:
            head(connection)
            connection.sendall(answer("401 Unauthorized", b"", f"WWW-Authenticate: {challenge}"))

    for error in both(module, listen(ask), username="ada", password="hunter2hunter2"):
        assert type(error) is kind
        assert "hunter2" not in str(error)


def test_https_is_spoken_to_a_host_that_is_not_this_machine(
    monkeypatch: pytest.MonkeyPatch, module: Module
) -> None:
    import requests

    asked: list[str] = []

    def refuse(self: requests.Session, method: str, url: str, **options: Any) -> requests.Response:
        asked.append(url)
        raise requests.ConnectionError(ConnectionRefusedError())

    monkeypatch.setattr(requests.Session, "request", refuse)
    for options in ({}, {"insecure": True}):
        with pytest.raises(RegistryUnreachable):
            push(module, "registry.example/greeter", **options)
    assert asked == ["https://registry.example/v2/", "http://registry.example/v2/"]


PUSH = """
import sys
from wasmhub_magics.hub import push
from wasmhub_magics.module import Module
print("ready", flush=True)
push(Module.read(sys.argv[1]), sys.argv[2], username="ada", password="hunter2hunter2")
"""


def test_interrupting_a_push_ends_it_at_once_and_shows_no_password(
    module: Module, listen: Listen, tmp_path: Path
) -> None:
    arrived = threading.Event()

    def slow(connection: socket.socket) -> None:
        head(connection)
        connection.sendall(REGISTRY)
        head(connection)
        arrived.set()
        while connection.recv(65536):
            pass

    (tmp_path / "greeter.wasm").write_bytes(module.data)
    push(module, "greeter")
    process = subprocess.Popen(
        [sys.executable, "-c", PUSH, tmp_path / "greeter.wasm", f"{listen(slow)}/greeter"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        assert arrived.wait(60)
        started = time.monotonic()
        os.kill(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=20)
    finally:
        process.kill()
        process.wait(10)
    assert time.monotonic() - started < 20
    assert process.returncode != 0
    assert "KeyboardInterrupt" in err
    assert "hunter2" not in out + err
    assert [image.name for image in Store().list()] == ["greeter"]
