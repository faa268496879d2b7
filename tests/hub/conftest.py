"""Real registries and deliberately bad ones, all on loopback, each with a store and logins of its own."""

from __future__ import annotations

import base64
import http.server
import json
import re
import shutil
import socket
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import bcrypt
import pytest
import requests
import trustme
import wasmtime

from tests.hub.peers import process, program, served_store
from wasmhub_magics.module import Module

USER, PASSWORD = "ada", "s3cret-W0rd/+"

GREETER = """(module
  (memory (export "memory") 1)
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 1024))
  (data (i32.const 16) "%s"))"""


@dataclass
class Served:
    """A registry that runs: its address, and a fresh repository in it for each test."""

    address: str
    log: Path
    ca: str = ""

    def fresh(self, tag: str = "v1") -> str:
        return f"{self.address}/team/r{uuid.uuid4().hex[:12]}:{tag}"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def docker_registry(folder: Path, auth: str = "", tls: str = "") -> Iterator[Served]:
    port = free_port()
    address = f"127.0.0.1:{port}"
    config = folder / "registry.yml"
    config.write_text(
        "version: 0.1\nlog: {level: warn}\n"
        f"storage: {{filesystem: {{rootdirectory: {folder / 'data'}}}, delete: {{enabled: true}}}}\n"
        f"{auth}\nhttp: {{addr: {address}{tls}}}\n"
    )
    log = folder / "registry.log"
    with process([program("docker-registry"), "serve", config], log, port):
        yield Served(address, log)


@pytest.fixture(autouse=True)
def own_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WASMHUB_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    monkeypatch.setenv("WASMHUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setattr("wasmhub_magics.hub.transport._SPOKEN", {})
    for name in ("REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR", "WASMHUB_POLICY", "WASMHUB_QUOTA",
                 "WASMHUB_REGISTRIES", "COSIGN_PASSWORD"):  # fmt: skip
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """The method and the path of every request."""
    seen: list[tuple[str, str]] = []
    plain = requests.Session.request

    def watched(self: requests.Session, method: str, url: str, **options: Any) -> requests.Response:
        seen.append((method, re.sub(r"^https?://[^/]+|\?.*", "", url)))
        return plain(self, method, url, **options)

    monkeypatch.setattr(requests.Session, "request", watched)
    return seen


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with docker_registry(tmp_path_factory.mktemp("plain")) as served:
        yield served


@pytest.fixture(scope="session")
def crane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("crane")
    port = free_port()
    address = f"127.0.0.1:{port}"
    command = [program("crane"), "registry", "serve", "--address", address, "--disk", folder / "data"]
    (folder / "data").mkdir()
    with process(command, folder / "log", port):
        yield Served(address, folder / "log")


@pytest.fixture(scope="session")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A served store of ours, in a process of its own."""
    folder = tmp_path_factory.mktemp("hub")
    port = free_port()
    with process(served_store(folder / "store", port), folder / "log", port):
        yield Served(f"127.0.0.1:{port}", folder / "log")


@pytest.fixture(params=["registry", "hub", "crane"])
def anywhere(request: pytest.FixtureRequest) -> Served:
    """Each registry that takes anything from anybody, in turn."""
    served: Served = request.getfixturevalue(request.param)
    return served


@pytest.fixture(scope="session")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("secured")
    hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(5, prefix=b"2a")).decode()
    (folder / "htpasswd").write_text(f"{USER}:{hashed}\n")
    auth = f"auth: {{htpasswd: {{realm: team, path: {folder / 'htpasswd'}}}}}"
    with docker_registry(folder, auth) as served:
        yield served


@pytest.fixture(scope="session")
def encrypted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    issued = authority.issue_cert("127.0.0.1", "localhost")
    issued.private_key_pem.write_to_path(folder / "key.pem")
    for part in issued.cert_chain_pems:
        part.write_to_path(folder / "cert.pem", append=True)
    tls = f", tls: {{certificate: {folder / 'cert.pem'}, key: {folder / 'key.pem'}}}"
    with docker_registry(folder, tls=tls) as served:
        served.ca = str(folder / "ca.pem")
        yield served


@dataclass
class TokenServer:
    """Signs tokens for those who know the password, and remembers which scopes were asked for."""

    folder: Path
    lifetime: int = 300
    scopes: list[str] = field(default_factory=list)
    address: str = ""

    def start(self) -> http.server.ThreadingHTTPServer:
        from cryptography.hazmat.primitives.asymmetric import padding
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
        from cryptography.x509 import load_pem_x509_certificate

        issued = trustme.CA(key_type=trustme.KeyType.RSA).issue_cert("token", key_type=trustme.KeyType.RSA)
        certificate = load_pem_x509_certificate(issued.cert_chain_pems[0].bytes())
        key = load_pem_private_key(issued.private_key_pem.bytes(), None)
        issued.cert_chain_pems[0].write_to_path(self.folder / "bundle.pem")
        chain = [base64.b64encode(certificate.public_bytes(Encoding.DER)).decode()]
        owner = self

        def part(value: bytes) -> str:
            return base64.urlsafe_b64encode(value).rstrip(b"=").decode()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                query = parse_qs(urlsplit(self.path).query)
                given = base64.b64decode(self.headers.get("Authorization", "").removeprefix("Basic "))
                known = given == f"{USER}:{PASSWORD}".encode()
                if given and not known:
                    self.reply(401, {"errors": [{"code": "UNAUTHORIZED"}]})
                    return
                owner.scopes += query.get("scope", [])
                access = []
                for scope in query.get("scope", []):
                    kind, name, actions = scope.rsplit(":", 2)
                    allowed = [a for a in actions.split(",") if known or (a == "pull" and "public" in name)]
                    if kind == "registry":
                        allowed = []  # nobody may list the repositories
                    access.append({"type": kind, "name": name, "actions": allowed})
                now = int(time.time())
                claims = {
                    "iss": "tests", "sub": "ada" if known else "", "aud": query["service"][0], "iat": now,
                    "nbf": now - 120, "exp": now + owner.lifetime, "jti": uuid.uuid4().hex, "access": access,
                }  # fmt: skip
                head = part(json.dumps({"typ": "JWT", "alg": "RS256", "x5c": chain}).encode())
                signed = f"{head}.{part(json.dumps(claims).encode())}"
                signature = part(key.sign(signed.encode(), padding.PKCS1v15(), SHA256()))
                self.reply(200, {"token": f"{signed}.{signature}"})

            def reply(self, status: int, value: object) -> None:
                body = json.dumps(value).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{server.server_address[1]}"
        return server


@pytest.fixture(scope="session")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, TokenServer]]:
    folder = tmp_path_factory.mktemp("token")
    owner = TokenServer(folder)
    server = owner.start()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    auth = (
        f"auth: {{token: {{realm: 'http://{owner.address}/token', service: hub, issuer: tests, "
        f"rootcertbundle: {folder / 'bundle.pem'}}}}}"
    )
    try:
        with docker_registry(folder, auth) as served:
            yield served, owner
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


@pytest.fixture
def listen() -> Iterator[Callable[[Callable[[socket.socket], None]], str]]:
    """Start a server whose every connection a function answers; gives its address."""
    with ExitStack() as stack:

        def start(answer: Callable[[socket.socket], None]) -> str:
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            open_connections: list[socket.socket] = []
            threads: list[threading.Thread] = []

            def one(connection: socket.socket) -> None:
                with connection, suppress(OSError):
                    answer(connection)

            def serve() -> None:
                with suppress(OSError):
                    while True:
                        connection, _ = listener.accept()
                        connection.settimeout(20)
                        open_connections.append(connection)
                        threads.append(threading.Thread(target=one, args=(connection,)))
                        threads[-1].start()

            def stop() -> None:
                for each in (listener, *open_connections):
                    with suppress(OSError):
                        each.shutdown(socket.SHUT_RDWR)
                accepting.join(30)
                for thread in threads:
                    thread.join(30)

            accepting = threading.Thread(target=serve)
            accepting.start()
            stack.callback(stop)
            return f"127.0.0.1:{listener.getsockname()[1]}"

        yield start


@pytest.fixture
def module() -> Module:
    return make_module("hello")


@pytest.fixture
def make() -> Callable[[str], Module]:
    return make_module


def make_module(text: str) -> Module:
    return Module(wasmtime.wat2wasm(GREETER % text))


@pytest.fixture
def skopeo() -> Callable[..., str]:
    """Run skopeo; gives what it prints."""

    def run(*words: str) -> str:
        command = shutil.which("skopeo")
        if command is None:
            pytest.fail("these tests read images with another tool: apt-get install skopeo")
        done = subprocess.run([command, *words], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run
