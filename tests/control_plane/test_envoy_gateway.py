"""A filter from a cell through the registry and Envoy Gateway's controller into the real Envoy."""

import http.client
import time

import pytest
from servers.gateway import Control

from tests.control_plane.conftest import PORT
from wasmhub_magics import build
from wasmhub_magics.deploy import status, undeploy

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
