"""Canaries through the products' own control planes: what the real Envoy notes of requests decides."""

import contextlib
import threading

import pytest

from tests.control_plane.asking import ask, until
from tests.control_plane.conftest import MESH_PORT, PORT
from wasmhub_magics import build
from wasmhub_magics.deploy import Rules, canary, history, logs, undeploy
from wasmhub_magics.deploy.istio import WASM_PLUGIN, Istio

SOURCE = """
def on_request_headers(ctx):
    log.warn("asked by", ctx.request.method)
    {}

def on_response_headers(ctx):
    ctx.response.headers["x-version"] = "{}"
"""
RULES = Rules(slower=1000)


@pytest.fixture
def place(request, server):
    """Target, port, log and options of a product."""
    if request.param == "envoy-gateway":
        log = request.getfixturevalue("gateway").log
        request.getfixturevalue("envoy")
        return request.param, PORT, log, {"namespace": "shop"}, {"on": "Gateway/eg"}
    if request.param == "wasmplugin":  # what a cluster before 1.30 is given
        request.getfixturevalue("monkeypatch").setattr(Istio, "kinds", (WASM_PLUGIN,))
    request.getfixturevalue("mesh")
    log = request.getfixturevalue("mesh_log")
    target = "istio" if request.param == "wasmplugin" else request.param
    return target, MESH_PORT, log, {"namespace": "mesh"}, {"labels": {"app": "gateway"}}


@contextlib.contextmanager
def load(port):
    """A client that asks all the time; statuses and versions that it got."""
    stop, seen = threading.Event(), []

    def client():
        while not stop.is_set():
            status, headers, _ = ask(port)
            seen.append((status, headers.get("x-version")))

    thread = threading.Thread(target=client)
    thread.start()
    try:
        yield seen
    finally:
        stop.set()
        thread.join()


@pytest.mark.parametrize("place", ["envoy-gateway", "istio", "wasmplugin", "envoyfilter"], indirect=True)
def test_a_failed_canary_goes_back_and_a_good_one_is_promoted(server, registry, place):
    target, port, log, space, on = place
    space = {"kubeconfig": str(server.kubeconfig), **space}

    def pushed(version, request="pass"):
        made = build(SOURCE.format(request, version), name="shares")
        reference = f"{registry}/{target}/shares:{version}"
        made.push(reference)
        return made, reference

    first, reference = pushed("one")
    first.deploy(target, image=reference, wait=60, **space, **on)
    until(port, log, lambda a: a[1].get("x-version") == "one")
    with load(port) as seen:
        bad, reference = pushed("two", "ctx.respond(503)")
        rolled = canary(bad, 30, target, seconds=600, rules=RULES, image=reference, **space, **on)
        assert not rolled.promoted, rolled
        assert "failed" in rolled.reason
        assert rolled.deployment.digest == first.module.digest
        until(port, log, lambda a: a[1].get("x-version") == "one")
        good, reference = pushed("three")
        rolled = canary(good, 30, target, seconds=5, rules=RULES, image=reference, wait=60, **space, **on)
        assert rolled.promoted, rolled
        share = rolled.canary.requests / (rolled.canary.requests + rolled.stable.requests)
        assert 0.15 < share < 0.45
        until(port, log, lambda a: a[1].get("x-version") == "three")
    # not one that no filter saw; answers of the filter itself bear its version, too
    assert {version for _, version in seen} == {"one", "two", "three"}
    assert {status for status, version in seen if version != "two"} == {200}
    assert [v.digest for v in history("shares", target, **space)] == [
        first.module.digest,
        good.module.digest,
    ]
    assert "asked by GET" in repr(logs("shares", target, **space))
    undeploy("shares", target, **space)
    until(port, log, lambda a: a[0] == 200 and "x-version" not in a[1])
