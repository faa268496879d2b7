"""A filter from a cell through the registry, istiod and Istio's agent into the real Envoy."""

import pytest

from tests.control_plane.asking import ask
from tests.control_plane.asking import until as until_at
from tests.control_plane.conftest import MESH_PORT
from wasmhub_magics import build
from wasmhub_magics.deploy import rollback, status, undeploy

SOURCE = """
def on_response_headers(ctx):
    ctx.response.headers["x-greeting"] = "{} " + ctx.config["name"]
"""


@pytest.fixture
def where(mesh):
    return {"kubeconfig": str(mesh.kubeconfig), "namespace": "mesh"}


def test_a_cell_changes_what_a_gateway_of_istio_answers_is_updated_and_goes_back(
    mesh, mesh_log, registry, where
):
    def until(greeting):
        return until_at(MESH_PORT, mesh_log, lambda a: (a[0], a[1].get("x-greeting")) == (200, greeting))

    until(None)
    for word in ("hello", "good day"):
        greeter = build(SOURCE.format(word), name="greeter").configure(config={"name": "ada"})
        reference = f"{registry}/mesh/greeter:{word.replace(' ', '-')}"
        greeter.push(reference)
        greeter.deploy("istio", image=reference, labels={"app": "gateway"}, **where)
        until(f"{word} ada")
        (told,) = status("istio", **where)
        assert [each.digest for each in told.serving] == [greeter.module.digest]
    assert ask(MESH_PORT)[2] == b"from the upstream\n"
    rollback("greeter", target="istio", **where)
    until("hello ada")
    undeploy("greeter", "istio", **where)
    until(None)
