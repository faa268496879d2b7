"""A filter from a cell through the registry and Envoy Gateway's controller into the real Envoy."""

import contextlib
import http.client
import threading

import pytest
from servers.gateway import Control

from tests.control_plane.asking import ask as ask_at
from tests.control_plane.asking import until as until_at
from tests.control_plane.conftest import PORT
from wasmhub_magics import build
from wasmhub_magics import deploy as wasmhub_deploy
from wasmhub_magics.deploy import rollback, status, undeploy
from wasmhub_magics.errors import Refused

SOURCE = """
def on_request_headers(ctx):
    if ctx.request.path == "/teapot":
        ctx.respond(418, body="short and stout")

def on_response_headers(ctx):
    ctx.response.headers["x-greeting"] = ctx.config["greeting"]
"""


def ask(path="/"):
    return ask_at(PORT, path)


def until(control: Control, wanted, path="/"):
    return until_at(PORT, control.log, wanted, path)


@pytest.fixture
def where(gateway, envoy):
    return {"kubeconfig": str(gateway.server.kubeconfig), "namespace": "shop", "on": "Gateway/eg"}


def place(where):
    return {key: value for key, value in where.items() if key != "on"}


@pytest.fixture
def clients(envoy):
    """Two clients that ask all the time, one on a connection that it keeps; what they got."""
    stop, seen = threading.Event(), []

    def fresh():
        while not stop.is_set():
            status_code, headers, _ = ask()
            seen.append((status_code, headers.get("x-greeting")))

    def kept():
        connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=10)
        while not stop.is_set():
            connection.request("GET", "/")
            answer = connection.getresponse()
            answer.read()
            seen.append((answer.status, answer.headers["x-greeting"]))
        connection.close()

    threads = [threading.Thread(target=each) for each in (fresh, kept)]

    @contextlib.contextmanager
    def running():
        for thread in threads:
            thread.start()
        try:
            yield seen
        finally:
            stop.set()
            for thread in threads:
                thread.join()

    return running


def pushed(registry, tag, source=SOURCE, **config):
    """A filter in the registry, and its reference."""
    greeter = build(source, name="greeter").configure(config=config)
    greeter.push(f"{registry}/shop/greeter:{tag}")
    return greeter, f"{registry}/shop/greeter:{tag}"


def test_a_cell_changes_what_the_gateway_answers_is_updated_and_goes_back_without_a_lost_request(
    gateway, registry, where, clients
):
    until(gateway, lambda a: a[0] == 200 and a[2] == b"from the upstream\n")
    greeter, reference = pushed(registry, "v1", greeting="hello")
    made = greeter.deploy("envoy-gateway", image=reference, wait=60, **where)
    assert made.state == "accepted"
    assert [str(c) for c in made.conditions if c.type == "Accepted"]
    status_code, headers, body = until(gateway, lambda a: "x-greeting" in a[1])
    assert (status_code, headers["x-greeting"], body) == (200, "hello", b"from the upstream\n")
    assert ask("/teapot")[::2] == (418, b"short and stout")
    (told,) = status("envoy-gateway", **place(where))
    assert (told.state, [each.digest for each in told.serving]) == ("accepted", [greeter.module.digest])

    with clients() as seen:
        # other code with another configuration, which the old code does not know
        source = SOURCE.replace('ctx.config["greeting"]', 'ctx.config.get("words", "no words")')
        second, reference = pushed(registry, "v2", source, words="hello again")
        made = second.deploy("envoy-gateway", image=reference, wait=60, **where)
        assert made.version == 2
        until(gateway, lambda a: a[1].get("x-greeting") == "hello again")
        # a layout that the controller does not read: told by a trial, before anything serves it
        unread = f"{registry}/shop/greeter:unread"
        build(SOURCE + "# other\n", name="greeter").push(unread, layout="cncf")
        with pytest.raises(Refused, match="Envoy Gateway refuses it") as caught:
            wasmhub_deploy(unread, "envoy-gateway", image=unread, lossy=True, wait=60, **where)
        assert "nothing has changed" in caught.value.do
        back = rollback("greeter", target="envoy-gateway", wait=60, **place(where))
        assert (back.version, back.digest) == (3, greeter.module.digest)
        until(gateway, lambda a: a[1].get("x-greeting") == "hello")
    assert set(seen) == {(200, "hello"), (200, "hello again")}

    undeploy("greeter", "envoy-gateway", **place(where))
    until(gateway, lambda a: a[0] == 200 and "x-greeting" not in a[1])


def test_a_proxy_that_began_with_a_filter_takes_the_next_one_in_its_place(gateway, envoy, registry, where):
    _, reference = first = pushed(registry, "v3", greeting="third")
    first[0].deploy("envoy-gateway", image=reference, wait=60, **where)
    envoy.restart()
    until(gateway, lambda a: a[1].get("x-greeting") == "third")
    fourth, reference = pushed(registry, "v4", SOURCE.replace("teapot", "kettle"), greeting="third")
    fourth.deploy("envoy-gateway", image=reference, wait=60, **where)
    until(gateway, lambda a: a[0] == 418, "/kettle")
    undeploy("greeter", "envoy-gateway", **place(where))
    until(gateway, lambda a: a[0] == 200 and "x-greeting" not in a[1])
