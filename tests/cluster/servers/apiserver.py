"""A real Kubernetes API server with etcd behind it."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from .child import spawn
from .programs import program, tool

Json = dict[str, Any]
HOST = "127.0.0.1"
ADMIN, READER = "admin-token", "reader-token"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


@dataclass
class ApiServer:
    """A running API server: ``kubeconfig`` has the contexts ``admin``, ``reader`` and ``stranger``."""

    folder: Path
    port: int
    child: subprocess.Popen[bytes]
    command: list[str]

    @property
    def url(self) -> str:
        return f"https://{HOST}:{self.port}"

    @property
    def kubeconfig(self) -> Path:
        return self.folder / "kubeconfig"

    def client(self, token: str = ADMIN) -> httpx2.Client:
        return httpx2.Client(
            base_url=self.url,
            verify=_context(self.folder / "certs/apiserver.crt"),
            headers={"authorization": f"Bearer {token}"},
            timeout=30,
        )

    def ask(self, method: str, path: str, body: Any = None, **options: Any) -> Json:
        with self.client() as client:
            answer = client.request(method, path, json=body, **options)
            answer.raise_for_status()
            found: Json = answer.json()
            return found

    def create(self, manifest: Json, plural: str, namespace: str = "") -> Json:
        version = manifest["apiVersion"]
        base = f"/apis/{version}" if "/" in version else f"/api/{version}"
        middle = f"/namespaces/{namespace}" if namespace else ""
        return self.ask("POST", f"{base}{middle}/{plural}", manifest)

    def namespace(self, name: str) -> str:
        self.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}, "namespaces")
        return name

    def load(self, definitions: Iterable[Json]) -> None:
        """Create definitions and wait until they are served."""
        path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
        names = []
        with self.client() as client:
            for each in definitions:
                answer = client.post(path, json=each)
                if answer.status_code != 409:
                    answer.raise_for_status()
                names.append((each["metadata"]["name"], each["spec"]))
            deadline = time.monotonic() + 60
            for name, spec in names:
                served = next(v["name"] for v in spec["versions"] if v["served"])
                group = f"/apis/{spec['group']}/{served}"
                where = f"{group}/{spec['names']['plural']}"
                while not all(client.get(each).status_code == 200 for each in (group, where)):
                    assert time.monotonic() < deadline, f"{name} is not served"
                    time.sleep(0.05)

    def unload(self, name: str) -> None:
        """Delete a definition and wait until it is gone."""
        path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}"
        with self.client() as client:
            client.delete(path)
            while client.get(path).status_code != 404:
                time.sleep(0.05)

    def kill(self) -> None:
        self.child.send_signal(signal.SIGKILL)
        self.child.wait()

    def start(self) -> None:
        """Start it again after a kill."""
        self.child = _spawn(self.command, self.folder / "apiserver.log")
        _wait(self)


@contextlib.contextmanager
def api_server(folder: Path) -> Iterator[ApiServer]:
    """Start etcd and the API server; both end with the block."""
    binary = program("kube-apiserver")
    etcd_binary = tool("etcd", "apt-get install etcd-server")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "certs").mkdir(exist_ok=True)
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    (folder / "sa.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
    )
    (folder / "tokens.csv").write_text(f"{ADMIN},admin,1,system:masters\n{READER},reader,2,readers\n")
    client_port, peer_port, port = free_port(), free_port(), free_port()
    at, peer = f"http://{HOST}:{client_port}", f"http://{HOST}:{peer_port}"
    etcd_command = [etcd_binary, "--data-dir", str(folder / "etcd"), "--listen-client-urls", at]
    etcd_command += ["--advertise-client-urls", at, "--listen-peer-urls", peer]
    etcd_command += ["--initial-advertise-peer-urls", peer, "--initial-cluster", f"default={peer}"]
    etcd_command += ["--unsafe-no-fsync"]
    command = [
        str(binary), f"--etcd-servers={at}", f"--bind-address={HOST}", f"--secure-port={port}",
        f"--advertise-address={HOST}", f"--cert-dir={folder / 'certs'}", "--authorization-mode=RBAC",
        f"--token-auth-file={folder / 'tokens.csv'}", "--service-cluster-ip-range=10.0.0.0/24",
        f"--service-account-key-file={folder / 'sa.key'}", "--endpoint-reconciler-type=none",
        f"--service-account-signing-key-file={folder / 'sa.key'}", "--anonymous-auth=false",
        "--service-account-issuer=https://kubernetes.default.svc", "--enable-priority-and-fairness=false",
        "--disable-admission-plugins=ServiceAccount", "--profiling=false",
    ]  # fmt: skip
    etcd = _spawn(etcd_command, folder / "etcd.log")
    server = None
    try:
        server = ApiServer(folder, port, _spawn(command, folder / "apiserver.log"), command)
        _wait(server)
        _write_kubeconfig(server)
        yield server
    finally:
        if server is not None:
            server.child.kill()
            server.child.wait()
        etcd.kill()
        etcd.wait()


def _write_kubeconfig(server: ApiServer) -> None:
    users = {"admin": ADMIN, "reader": READER, "stranger": "wrong-token"}
    server.kubeconfig.write_text(
        yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "admin",
                "clusters": [
                    {
                        "name": "test",
                        # a path beside this file, as kubectl resolves it
                        "cluster": {"server": server.url, "certificate-authority": "certs/apiserver.crt"},
                    }
                ],
                "users": [{"name": name, "user": {"token": token}} for name, token in users.items()],
                "contexts": [{"name": name, "context": {"cluster": "test", "user": name}} for name in users],
            }
        )
    )


def _wait(server: ApiServer) -> None:
    deadline = time.monotonic() + 120
    while True:
        if server.child.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError((server.folder / "apiserver.log").read_text()[-3000:])
        with contextlib.suppress(OSError, httpx2.HTTPError), server.client() as client:
            ready = client.get("/readyz").status_code == 200
            if ready and client.get("/api/v1/namespaces/default").status_code == 200:
                return
        time.sleep(0.05)


def _spawn(command: list[str], log: Path) -> subprocess.Popen[bytes]:
    return spawn(command, log, {"ETCD_UNSUPPORTED_ARCH": "", "HOME": str(log.parent)})


def _context(ca: Path) -> Any:
    import ssl

    return ssl.create_default_context(cafile=str(ca)) if ca.exists() else False
