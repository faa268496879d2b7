"""Which module each proxy serves, asked of a real Envoy in a pod through the API server's port-forward."""

import tempfile
from pathlib import Path

import pytest
from servers.filters import make

from wasmhub_magics.deploy import deploy, status
from wasmhub_magics.deploy.snippet import wasm
from wasmhub_magics.envoy import config, find_envoy
from wasmhub_magics.envoy.process import EnvoyProcess

ADMIN = 15000


@pytest.fixture
def envoy(tmp_path):
    """Start an Envoy with a filter in a file whose name Istio's agent would give it; its admin port."""
    started = []

    def start(plugin, name):
        code = tmp_path / f"{plugin.module.digest.removeprefix('sha256:')}.wasm"
        code.write_bytes(plugin.module.data)
        entry = {"name": name, "typed_config": wasm(plugin.replace(name=name), path=str(code))}
        bootstrap = config.bootstrap([entry], config.cluster("127.0.0.1", 1))
        process = EnvoyProcess(find_envoy(), bootstrap, Path(tempfile.mkdtemp(dir=tmp_path)))
        started.append(process)
        return process.admin_port

    yield start
    for each in started:
        each.stop()


def pod(name):
    container = {"name": "istio-proxy", "image": "docker.io/istio/proxyv2:1.32.0"}
    labels = {"app": "shop"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": labels},
            "spec": {"containers": [container]}}  # fmt: skip


def test_the_status_tells_which_module_each_pod_serves_and_why_it_cannot(where, pushed, node, envoy):
    space, (one, two) = where["namespace"], (make("one"), make("two"))
    deploy(one, "istio", image=pushed(one), labels={"app": "shop"}, **where)
    made = deploy(two, "istio", image=pushed(two, "v2"), labels={"app": "shop"}, **where)
    (told,) = status("istio", **where)
    assert [str(each) for each in told.serving] == [
        "not known what the proxies serve: no pod has labels app=shop"
    ]
    for name, plugin in (("behind", one), ("current", two), ("other", make("three")), ("gone", None)):
        node.run(pod(name), space, "istio-proxy")
        port = envoy(plugin, f"{space}.greeter") if plugin else 1
        node.ports[space, name, ADMIN] = port
    (told,) = status("istio", **where)
    served = {each.proxy.rpartition("/")[2]: each for each in told.serving}
    assert [each.why for each in served.values() if not each.proxy.endswith("gone")] == ["", "", ""]
    assert (served["behind"].digest, served["behind"].version) == (one.module.digest, 1)
    assert (served["current"].digest, served["current"].version) == (made.digest, 2)
    assert f"{space}/other serves another module" in str(served["other"])
    assert "port 15000 of gone does not answer: " in served["gone"].why
    assert f"{space}/behind serves {one.module.digest[:19]}, the module of version 1" in repr(told)


def test_who_may_not_forward_ports_is_told_so(server, where, pushed, node):
    space, one = where["namespace"], make("one")
    deploy(one, "istio", image=pushed(one), labels={"app": "shop"}, **where)
    node.run(pod("proxy"), space, "istio-proxy")
    base = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{space}"
    rule = {"apiGroups": ["*"], "resources": ["pods", "trafficextensions", "wasmplugins"],
            "verbs": ["get", "list"]}  # fmt: skip
    server.ask("POST", f"{base}/roles", {"metadata": {"name": "look"}, "rules": [rule]})
    server.ask("POST", f"{base}/rolebindings", {
        "metadata": {"name": "look"}, "subjects": [{"kind": "Group", "name": "readers"}],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "look"},
    })  # fmt: skip
    (told,) = status("istio", context="reader", **where)
    assert 'User "reader" cannot' in told.serving[0].why
    assert "pods/portforward" in told.serving[0].why
