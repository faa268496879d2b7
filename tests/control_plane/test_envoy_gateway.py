"""A filter from a cell through the registry and Envoy Gateway's controller into the real Envoy."""

import http.client
import time

import pytest
from servers.filters import make
from servers.gateway import Control

from tests.control_plane.conftest import PORT
from wasmhub_magics import build
from wasmhub_magics.deploy import deploy, rollback, status, undeploy
from wasmhub_magics.errors import Refused
from wasmhub_magics.hub import push

SOURCE = """
def on_request_headers(ctx):
    if ctx.request.path == "/teapot":
        ctx.respond(418, body="short and stout")

def on_response_headers(ctx):
    ctx.response.headers["x-greeting"] = ctx.config["greeting"]
"""


def ask(path="/"):
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=10)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    except OSError:
        return 0, {}, b""
    finally:
        connection.close()


def until(control: Control, wanted, path="/"):
    """Ask until the answer is as wanted: a controller and a proxy hear of changes a moment later."""
    deadline = time.monotonic() + 120
    while True:
        answer = ask(path)
        if wanted(answer):
            return answer
        if time.monotonic() > deadline:
            pytest.fail(f"{answer}\n{control.log.read_text()[-3000:]}")
        time.sleep(0.05)


@pytest.fixture
def where(gateway):
    return {"kubeconfig": str(gateway.server.kubeconfig), "namespace": "shop", "on": "Gateway/eg"}


def place(where):
    return {key: value for key, value in where.items() if key != "on"}


def test_a_cell_changes_what_the_gateway_answers_and_goes_without_a_trace(gateway, registry, where):
    until(gateway, lambda a: a[0] == 200 and a[2] == b"from the upstream\n")
    greeter = build(SOURCE, name="greeter").configure(config={"greeting": "hello"})
    reference = f"{registry}/shop/greeter:v1"
    greeter.push(reference)
    made = greeter.deploy("envoy-gateway", image=reference, wait=60, **where)
    assert made.state == "accepted"
    assert [str(c) for c in made.conditions if c.type == "Accepted"]
    status_code, headers, body = until(gateway, lambda a: "x-greeting" in a[1])
    assert (status_code, headers["x-greeting"], body) == (200, "hello", b"from the upstream\n")
    assert ask("/teapot")[::2] == (418, b"short and stout")
    assert [d.state for d in status("envoy-gateway", **place(where))] == ["accepted"]
    undeploy("greeter", "envoy-gateway", **place(where))
    until(gateway, lambda a: a[0] == 200 and "x-greeting" not in a[1])


def test_a_new_version_serves_and_a_rollback_brings_the_old_one_back(gateway, registry, where):
    for value in ("one", "two"):
        plugin = make(value, "versions")
        push(plugin.module, f"{registry}/shop/versions:{value}")
        deploy(plugin, "envoy-gateway", image=f"{registry}/shop/versions:{value}", wait=60, **where)
        until(gateway, lambda a, value=value: a[1].get("x-version") == value)
    back = rollback("versions", target="envoy-gateway", **place(where))
    assert (back.version, back.state) == (3, "accepted")
    until(gateway, lambda a: a[1].get("x-version") == "one")
    undeploy("versions", "envoy-gateway", **place(where))
    until(gateway, lambda a: "x-version" not in a[1])


def test_an_image_that_the_controller_cannot_pull_is_told_in_its_words_and_rolled_back(
    gateway, registry, where, tmp_path, monkeypatch
):
    good, gone = make("good", "pulled"), make("gone", "pulled")
    push(good.module, f"{registry}/shop/pulled:v1")
    deploy(good, "envoy-gateway", image=f"{registry}/shop/pulled:v1", wait=60, **where)
    until(gateway, lambda a: a[1].get("x-version") == "good")
    from servers.registry import docker_registry

    with docker_registry(tmp_path) as other:
        push(gone.module, f"{other}/shop/pulled:v2")
        from wasmhub_magics.deploy.preflight import source

        seen = source(gone, image=f"{other}/shop/pulled:v2", title="it")
    # the registry is gone between the check and the controller's own pull
    from wasmhub_magics.deploy import preflight

    monkeypatch.setattr(preflight, "source", lambda *_, **__: seen)
    with pytest.raises(Refused) as caught:
        deploy(gone, "envoy-gateway", image="any", wait=60, **where)
    assert "stays applied" in caught.value.do
    assert "Wasm" in caught.value.what or "wasm" in caught.value.what
    back = rollback("pulled", target="envoy-gateway", **place(where))
    assert back.state == "accepted"
    until(gateway, lambda a: a[1].get("x-version") == "good")
    undeploy("pulled", "envoy-gateway", **place(where))
    until(gateway, lambda a: "x-version" not in a[1])
