"""What a Python that is killed leaves in a cluster, and who tells it afterwards."""

import contextlib
import subprocess
import sys
import time
from pathlib import Path

import pytest
from servers.filters import make

from wasmhub_magics.deploy import deploy, status, undeploy
from wasmhub_magics.errors import DeployError

HERE = Path(__file__).parent


@contextlib.contextmanager
def killed_after(script, happened):
    """A Python that runs a script and is killed once something has happened."""
    head = f"import sys; sys.path[:0] = [{str(HERE)!r}]\nfrom servers.filters import make\n"
    head += "from wasmhub_magics.deploy import canary, deploy\n"
    with subprocess.Popen([sys.executable, "-c", head + script], stderr=subprocess.PIPE) as process:
        while not happened():
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.05)
        process.kill()
        process.wait()
        yield


def test_what_a_python_that_is_killed_made_for_a_time_is_gone_after_undeploying(server, where, pushed):
    def routes():
        path = f"/apis/gateway.networking.k8s.io/v1/namespaces/{where['namespace']}/httproutes"
        return [each["metadata"]["name"] for each in server.ask("GET", path)["items"]]

    options = {"image": pushed(make("one")), "on": "Gateway/eg", "wait": 600, **where}
    script = f"deploy(make('one'), 'envoy-gateway', **{options!r})"  # nobody answers here, so it waits
    with killed_after(script, routes):
        assert [name[:14] for name in routes()] == ["wasmhub-fetch-"]
        assert len(status("envoy-gateway", **where)) == 0  # it came no further
    with pytest.raises(DeployError, match="no filter is deployed as 'greeter'"):
        undeploy("greeter", "envoy-gateway", **where)
    assert routes() == []


def test_a_canary_of_a_python_that_is_killed_is_told_and_ended_by_undeploying(
    server, where, pushed, node, tmp_path
):
    def canaries():
        path = f"/apis/networking.istio.io/v1alpha3/namespaces/{where['namespace']}/envoyfilters"
        return [each["metadata"]["name"] for each in server.ask("GET", path)["items"]]

    labels = {"app": "shop"}
    deploy(make("one"), "istio", image=pushed(make("one")), labels=labels, **where)
    (log := tmp_path / "log").touch()
    container = {"name": "istio-proxy", "image": "docker.io/istio/proxyv2:1.32.0"}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "proxy", "labels": labels},
           "spec": {"containers": [container]}}  # fmt: skip
    node.run(pod, where["namespace"], "istio-proxy", log)
    options = {"image": pushed(make("two"), "v2"), "labels": labels, "seconds": 600, **where}
    with killed_after(f"canary(make('two'), 10, 'istio', **{options!r})", canaries):
        (told,) = status("istio", **where)
        assert "a canary takes a share of the requests (EnvoyFilter wasmhub-canary-greeter)" in told.notes[0]
    undeploy("greeter", "istio", **where)
    assert canaries() == []
