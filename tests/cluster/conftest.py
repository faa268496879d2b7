"""A real API server with the products' own definitions, a real registry, and filters in WAT."""

from __future__ import annotations

import shutil
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from servers import crds
from servers.apiserver import ApiServer, api_server
from servers.kubelet import Kubelet, kubelet
from servers.registry import docker_registry

from wasmhub_magics.deploy import forget
from wasmhub_magics.plugin import Plugin


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """The API server with all definitions."""
    with api_server(tmp_path_factory.mktemp("apiserver")) as running:
        running.load(crds.products())
        yield running


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real registry."""
    with docker_registry(tmp_path_factory.mktemp("registry")) as address:
        yield address


@pytest.fixture(scope="session")
def node(server: ApiServer) -> Iterator[Kubelet]:
    """A node of the cluster on this machine."""
    with kubelet(server, "127.0.0.1") as running:
        yield running


@pytest.fixture
def where(server: ApiServer) -> dict[str, str]:
    """A fresh namespace, as the options that name it."""
    namespace = server.namespace(f"t{uuid.uuid4().hex[:10]}")
    return {"kubeconfig": str(server.kubeconfig), "namespace": namespace}


@pytest.fixture
def pushed(registry: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Push a filter to the registry; its reference."""
    monkeypatch.setenv("WASMHUB_STORE", str(tmp_path / "store"))
    folder = f"{registry}/team/r{uuid.uuid4().hex[:10]}"

    def push(plugin: Plugin, tag: str = "v1") -> str:
        from wasmhub_magics.hub import push as hub_push

        reference = f"{folder}/{plugin.name.lower()}:{tag}"
        hub_push(plugin.module, reference, name=plugin.name)
        return reference

    yield push
    shutil.rmtree(tmp_path / "store", ignore_errors=True)


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """What a test leaves in its cluster must not be looked for by tests without one."""
    yield
    forget()
