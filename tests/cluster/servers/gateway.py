"""Envoy Gateway's own control plane over a real API server, and the Envoy that its controller asks for.

There is no kubelet: what it would do with the Deployment that the controller makes is done here, with the
real Envoy. Envoy Gateway listens on every interface at fixed ports, so all of it runs in a network namespace
of its own (``isolate``).
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import functools
import os
import re
import shutil
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from wasmhub_magics.envoy import find_envoy

from . import crds
from .apiserver import ADMIN, ApiServer
from .child import spawn
from .kubelet import Kubelet
from .programs import program, tool

Json = dict[str, Any]
SYSTEM = "envoy-gateway-system"
POD_ADDRESS = "10.99.0.1"
"""An address of the namespace's own loopback: endpoints in 127.0.0.0/8 are refused by the API."""
SIOCSIFADDR, SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8916, 0x8913, 0x8914, 1


def isolate() -> None:
    """Bring up the loopback of a fresh network namespace, with one more address on it.

    Raises RuntimeError where this is not such a namespace.
    """
    if [name for _, name in socket.if_nameindex()] != ["lo"]:
        raise RuntimeError("these tests run in a network namespace of their own: make test-cluster")
    with socket.socket() as handle:
        flags = struct.unpack("16sh14x", fcntl.ioctl(handle, SIOCGIFFLAGS, struct.pack("16sh14x", b"lo", 0)))[
            1
        ]
        fcntl.ioctl(handle, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | IFF_UP))
        address = struct.pack("16sH2x4s8x", b"lo:1", socket.AF_INET, socket.inet_aton(POD_ADDRESS))
        fcntl.ioctl(handle, SIOCSIFADDR, address)


@dataclass
class Control:
    """A running controller; ``root`` is its file system, ``log`` what it says."""

    server: ApiServer
    root: Path
    log: Path
    child: subprocess.Popen[bytes]


class Proxy:
    """A running proxy."""

    def __init__(self, command: list[str], log: Path) -> None:
        self.command, self.log = command, log
        self.restart()

    def restart(self) -> None:
        """End it, if it runs, and start it anew."""
        self.end()
        self.child = spawn(self.command, self.log)

    def end(self) -> None:
        if hasattr(self, "child"):
            self.child.kill()
            self.child.wait()


@contextlib.contextmanager
def control_plane(server: ApiServer, folder: Path) -> Iterator[Control]:
    """Start Envoy Gateway with its Kubernetes provider; it ends with the block."""
    binary = program("envoy-gateway")
    server.load([*crds.gateway_api((), "experimental"), *crds.envoy_gateway()])
    server.namespace(SYSTEM)
    root = folder / "root"
    for part in ("certs", "var/lib/eg/wasm", "tmp", "etc"):
        (root / part).mkdir(parents=True)
    (root / "etc/hosts").write_text("127.0.0.1 localhost envoy-gateway\n")
    kubeconfig = yaml.safe_load(server.kubeconfig.read_text())
    ca = (server.folder / "certs/apiserver.crt").read_bytes()
    kubeconfig["clusters"][0]["cluster"] = {
        "server": server.url,
        "certificate-authority-data": base64.b64encode(ca).decode(),
    }
    (root / "kubeconfig").write_text(yaml.safe_dump(kubeconfig))
    (root / "config.yaml").write_text(
        yaml.safe_dump(
            {
                "apiVersion": "gateway.envoyproxy.io/v1alpha1",
                "kind": "EnvoyGateway",
                "gateway": {"controllerName": "gateway.envoyproxy.io/gatewayclass-controller"},
                # these ports are the proxy's own, and here both share one loopback
                "admin": {"address": {"host": "127.0.0.1", "port": 19100}},
                "telemetry": {"metrics": {"prometheus": {"disable": True}}},
                "provider": {
                    "type": "Kubernetes",
                    "kubernetes": {
                        "leaderElection": {"disable": True},
                        "topologyInjector": {"disable": True},
                    },
                },
            }
        )
    )
    shutil.copy(binary, root / "envoy-gateway")
    environment = {"PATH": os.environ["PATH"], "ENVOY_GATEWAY_NAMESPACE": SYSTEM, "HOME": "/tmp"}
    subprocess.run(
        [str(binary), "certgen", "--disable-topology-injector"],
        env={**environment, "KUBECONFIG": str(root / "kubeconfig"), "HOME": str(folder)},
        check=True,
        capture_output=True,
    )
    for key, value in _secret(server, "envoy-gateway").items():
        (root / "certs" / key).write_bytes(value)
    log = folder / "envoy-gateway.log"
    chroot = [tool("chroot", "install coreutils"), str(root), "/envoy-gateway"]
    command = [*chroot, "server", "--config-path", "/config.yaml"]
    child = spawn(command, log, {**environment, "KUBECONFIG": "/kubeconfig"})
    try:
        yield Control(server, root, log, child)
    finally:
        child.kill()
        child.wait()


@contextlib.contextmanager
def proxy(control: Control, node: Kubelet, folder: Path) -> Iterator[Proxy]:
    """Run the Envoy of the Deployment that the controller has made, as a kubelet would."""
    deployment = _deployment(control)
    container = next(
        c
        for c in deployment["spec"]["template"]["spec"]["containers"]
        if "--config-yaml" in " ".join(c["args"])
    )
    root = folder / "root"
    for part in ("certs", "sds", "tmp", "etc", "dev"):
        (root / part).mkdir(parents=True)
    for part in ("dev/null", "dev/stdout", "dev/stderr"):
        (root / part).touch()
    host = f"envoy-gateway.{SYSTEM}.svc.cluster.local"
    (root / "etc/hosts").write_text(f"127.0.0.1 localhost envoy-gateway {host} {host}.\n")
    for key, value in _secret(control.server, "envoy").items():
        (root / "certs" / key).write_bytes(value)
    for each in control.server.ask("GET", f"/api/v1/namespaces/{SYSTEM}/configmaps")["items"]:
        for name, text in (each.get("data") or {}).items():
            if name.endswith(".json"):
                (root / "sds" / name).write_text(text)
    install(find_envoy().path, root)
    names = {"$(ENVOY_POD_NAME)": "proxy", "$(ENVOY_POD_NAMESPACE)": SYSTEM, "$(ENVOY_SERVICE_ZONE)": "zone"}
    names[f"{host}."] = "127.0.0.1"  # there is no name server
    arguments = [
        functools.reduce(lambda text, pair: text.replace(*pair), names.items(), argument)
        for argument in container["args"]
    ]
    command = [tool("chroot", "install coreutils"), str(root), "/envoy", *arguments]
    running = Proxy([*command, "--concurrency", "1", "--disable-hot-restart"], folder / "envoy.log")
    try:
        node.run(_pod(deployment), SYSTEM, "envoy", root / "dev/stdout", folder / "envoy.log")
        yield running
    finally:
        running.end()


def _pod(deployment: Json) -> Json:
    """The pod that a Deployment asks for."""
    template = deployment["spec"]["template"]
    containers = [{"name": c["name"], "image": c["image"]} for c in template["spec"]["containers"]]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "proxy", "labels": template["metadata"]["labels"]},
        "spec": {"containers": containers},
    }


def install(binary: Path, root: Path) -> None:
    """Copy a program and the libraries it needs."""
    shutil.copy(binary, root / "envoy")
    listed = subprocess.run(["ldd", str(binary)], capture_output=True, text=True, check=True).stdout
    for library in re.findall(r"(/\S+) \(", listed):
        place = root / library.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(library, place)


def _deployment(control: Control) -> Json:
    deadline = time.monotonic() + 120
    path = f"/apis/apps/v1/namespaces/{SYSTEM}/deployments"
    while True:
        for each in control.server.ask("GET", path)["items"]:
            if "gateway.envoyproxy.io/owning-gateway-name" in (each["metadata"].get("labels") or {}):
                return dict(each)
        if control.child.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"no proxy was asked for: {control.log.read_text()[-3000:]}")
        time.sleep(0.1)


def _secret(server: ApiServer, name: str) -> dict[str, bytes]:
    data = server.ask("GET", f"/api/v1/namespaces/{SYSTEM}/secrets/{name}")["data"]
    return {key: base64.b64decode(value) for key, value in data.items()}


__all__ = ["ADMIN", "POD_ADDRESS", "Control", "Proxy", "control_plane", "install", "isolate", "proxy"]
