"""Istio's own control plane over a real API server, and a gateway of its agent with the real Envoy.

istiod and the agent are those of Istio's module; what Istio's own build of Envoy has beyond the released one
(telemetry and ALPN between its proxies) is switched off. The agent runs in a file system of its own: it
keeps modules under ``/var/lib/istio/data``.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import trustme
import yaml

from wasmhub_magics.envoy import find_envoy

from . import crds
from .apiserver import ApiServer
from .child import spawn
from .gateway import POD_ADDRESS, install
from .kubelet import Kubelet
from .programs import module, program, tool

SYSTEM = "istio-system"
ISTIO = ("istio.io/istio", "v0.0.0-20260827124520-eed52ebb66ad")
READY = 18080
CREDENTIALS = "var/run/secrets/workload-spiffe-credentials"


@contextlib.contextmanager
def istiod(server: ApiServer, folder: Path) -> Iterator[Path]:
    """Start istiod, which serves its proxies in the clear; what it says."""
    binary = program("pilot-discovery")
    server.load(crds.istio(()))
    server.namespace(SYSTEM)
    mesh, log = folder / "mesh.yaml", folder / "istiod.log"
    mesh.write_text(
        yaml.safe_dump(
            {"defaultConfig": _proxy_config(), "enablePrometheusMerge": False, "defaultProviders": {}}
        )
    )
    command = [str(binary), "discovery", "--kubeconfig", str(server.kubeconfig), "--meshConfig", str(mesh)]
    child = spawn(
        [*command, "--httpAddr", f"127.0.0.1:{READY}"],
        log,
        {
            "POD_NAMESPACE": SYSTEM,
            "POD_NAME": "istiod",
            "HOME": str(folder),
            "ENABLE_CA_SERVER": "false",
            "PILOT_CERT_PROVIDER": "none",
            "PILOT_ENABLE_METADATA_EXCHANGE": "false",
            "PILOT_ENABLE_ALPN_FILTER": "false",
        },
    )
    try:
        deadline = time.monotonic() + 120
        while not _ready():
            if child.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(log.read_text()[-3000:])
            time.sleep(0.1)
        yield log
    finally:
        child.kill()
        child.wait()


@contextlib.contextmanager
def gateway(node: Kubelet, folder: Path, namespace: str, labels: dict[str, str]) -> Iterator[Path]:
    """Run Istio's agent as a gateway with these labels, and its Envoy; what they say."""
    root, log = folder / "root", folder / "agent.log"
    for part in ("etc/istio/proxy", "var/lib/istio/data", CREDENTIALS, "tmp", "dev", "proc"):
        (root / part).mkdir(parents=True)
    for part in ("dev/null", "dev/stdout", "dev/stderr"):
        (root / part).touch()
    (root / "etc/hosts").write_text("127.0.0.1 localhost\n")
    shutil.copy(module(*ISTIO) / "tools/packaging/common/envoy_bootstrap.json", root / "bootstrap.json")
    shutil.copy(program("pilot-agent"), root / "pilot-agent")
    install(find_envoy().path, root)
    ca = trustme.CA()
    made = ca.issue_cert(f"gateway.{namespace}")
    ca.cert_pem.write_to_path(str(root / CREDENTIALS / "root-cert.pem"))
    made.private_key_pem.write_to_path(str(root / CREDENTIALS / "key.pem"))
    (root / CREDENTIALS / "cert-chain.pem").write_bytes(
        b"".join(each.bytes() for each in made.cert_chain_pems)
    )
    environment = {
        "POD_NAMESPACE": namespace,
        "POD_NAME": "gateway-1",
        "INSTANCE_IP": POD_ADDRESS,
        "SERVICE_ACCOUNT": "default",
        "ISTIO_META_CLUSTER_ID": "Kubernetes",
        "ISTIO_METAJSON_LABELS": json.dumps(labels),
        "PROXY_CONFIG": json.dumps(_proxy_config()),
        "ISTIO_BOOTSTRAP": "/bootstrap.json",
        "ENVOY_PATH": "/envoy",
        "WASM_INSECURE_REGISTRIES": "*",
        "HOME": "/tmp",
    }
    # the agent's Envoy would outlive an agent that is killed: with their process namespace both end
    alone = [tool("unshare", "apt-get install util-linux"), "--pid", "--fork", "--kill-child"]
    chroot = [tool("chroot", "install coreutils"), str(root), "/pilot-agent", "proxy", "router"]
    command = [*alone, *chroot, "--domain", f"{namespace}.svc.cluster.local", "--concurrency", "1"]
    child = spawn(command, log, environment)
    container = {"name": "istio-proxy", "image": "docker.io/istio/proxyv2:1.32.0"}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "gateway-1", "labels": labels},
        "spec": {"containers": [container]},
    }
    try:
        node.run(pod, namespace, "istio-proxy", root / "dev/stdout", log)
        yield log
    finally:
        child.kill()
        child.wait()


def _proxy_config() -> dict[str, object]:
    return {
        "discoveryAddress": "127.0.0.1:15010",
        "controlPlaneAuthPolicy": "NONE",
        "binaryPath": "/envoy",
        "configPath": "/etc/istio/proxy",
        "terminationDrainDuration": "0s",
    }


def _ready() -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", READY, timeout=5)
    try:
        connection.request("GET", "/ready")
        return connection.getresponse().status == http.client.OK
    except OSError:
        return False
    finally:
        connection.close()
