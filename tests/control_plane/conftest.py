"""Envoy Gateway's control plane, the real Envoy, a registry and an upstream, in a network namespace."""

from __future__ import annotations

import http.server
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "cluster"))

from servers.apiserver import ApiServer, api_server
from servers.gateway import POD_ADDRESS, Control, Proxy, control_plane, isolate, proxy
from servers.istio import gateway as istio_gateway
from servers.istio import istiod
from servers.kubelet import Kubelet, kubelet
from servers.registry import docker_registry

CLASS = {
    "apiVersion": "gateway.networking.k8s.io/v1",
    "kind": "GatewayClass",
    "metadata": {"name": "eg"},
    "spec": {"controllerName": "gateway.envoyproxy.io/gatewayclass-controller"},
}
PORT, MESH_PORT = 8888, 8889


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """An API server."""
    isolate()
    with api_server(tmp_path_factory.mktemp("apiserver")) as running:
        yield running


@pytest.fixture(scope="session")
def node(server: ApiServer) -> Iterator[Kubelet]:
    """The node on which the proxies run."""
    with kubelet(server, POD_ADDRESS) as running:
        yield running


@pytest.fixture(scope="session")
def registry(server: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real registry in the namespace."""
    with docker_registry(tmp_path_factory.mktemp("registry")) as address:
        yield address


@pytest.fixture(scope="session")
def upstream(server: ApiServer) -> Iterator[int]:
    """A server behind the gateway; its port."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b"from the upstream\n"
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer((POD_ADDRESS, 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running.server_port
        running.shutdown()


@pytest.fixture(scope="session")
def gateway(server: ApiServer, upstream: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Control]:
    """A Gateway named eg in namespace shop that serves on PORT, with its controller."""
    with control_plane(server, tmp_path_factory.mktemp("control")) as control:
        server.create(CLASS, "gatewayclasses")
        shop = server.namespace("shop")
        server.create(
            {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "back"},
             "spec": {"ports": [{"port": 80, "targetPort": upstream, "name": "http"}]}}, "services", shop,
        )  # fmt: skip
        server.create(
            {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
             "metadata": {"name": "back-1", "labels": {"kubernetes.io/service-name": "back"}},
             "addressType": "IPv4", "ports": [{"name": "http", "port": upstream, "protocol": "TCP"}],
             "endpoints": [{"addresses": [POD_ADDRESS], "conditions": {"ready": True}}]},
            "endpointslices", shop,
        )  # fmt: skip
        version = "gateway.networking.k8s.io/v1"
        server.create(
            {"apiVersion": version, "kind": "Gateway", "metadata": {"name": "eg"},
             "spec": {"gatewayClassName": "eg",
                      "listeners": [{"name": "http", "port": PORT, "protocol": "HTTP"}]}}, "gateways", shop,
        )  # fmt: skip
        server.create(
            {"apiVersion": version, "kind": "HTTPRoute", "metadata": {"name": "all"},
             "spec": {"parentRefs": [{"name": "eg"}],
                      "rules": [{"backendRefs": [{"name": "back", "port": 80}]}]}}, "httproutes", shop,
        )  # fmt: skip
        yield control


@pytest.fixture(scope="session")
def envoy(gateway: Control, node: Kubelet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """The proxy that the controller has asked for."""
    with proxy(gateway, node, tmp_path_factory.mktemp("proxy")) as running:
        yield running


@pytest.fixture(scope="session")
def mesh(server: ApiServer, upstream: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """The API server with istiod, and a Gateway of Istio's in namespace mesh before the upstream."""
    with istiod(server, tmp_path_factory.mktemp("istiod")):
        space, version = server.namespace("mesh"), "networking.istio.io/v1"
        listener = {"port": {"number": MESH_PORT, "name": "http", "protocol": "HTTP"}, "hosts": ["*"]}
        server.create(
            {"apiVersion": version, "kind": "Gateway", "metadata": {"name": "edge"},
             "spec": {"selector": {"app": "gateway"}, "servers": [listener]}}, "gateways", space,
        )  # fmt: skip
        server.create(
            {"apiVersion": version, "kind": "ServiceEntry", "metadata": {"name": "back"},
             "spec": {"hosts": ["back.test"], "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}],
                      "location": "MESH_EXTERNAL", "resolution": "STATIC",
                      "endpoints": [{"address": POD_ADDRESS, "ports": {"http": upstream}}]}},
            "serviceentries", space,
        )  # fmt: skip
        to = {"destination": {"host": "back.test", "port": {"number": 80}}}
        server.create(
            {"apiVersion": version, "kind": "VirtualService", "metadata": {"name": "all"},
             "spec": {"hosts": ["*"], "gateways": ["edge"], "http": [{"route": [to]}]}},
            "virtualservices", space,
        )  # fmt: skip
        yield server


@pytest.fixture(scope="session")
def mesh_log(mesh: ApiServer, node: Kubelet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """What the gateway of the mesh says, which runs as long."""
    with istio_gateway(node, tmp_path_factory.mktemp("agent"), "mesh", {"app": "gateway"}) as log:
        yield log
