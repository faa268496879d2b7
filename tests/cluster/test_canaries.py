"""Canaries that are refused before anything is applied."""

import pytest
from servers.filters import make

from wasmhub_magics.deploy import canary, deploy, history
from wasmhub_magics.errors import DeployError

ON = {"istio": {"labels": {"app": "shop"}}, "envoy-gateway": {"on": "Gateway/eg"}}


def route(server, where, name, parent="eg"):
    server.create(
        {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": {"name": name},
         "spec": {"parentRefs": [{"name": parent}]}}, "httproutes", where["namespace"],
    )  # fmt: skip


@pytest.mark.parametrize("target", ON)
def test_a_canary_that_nobody_can_watch_or_compare_is_refused_and_leaves_nothing(
    server, where, pushed, target
):
    one, two = make("one"), make("two")
    options = {"image": pushed(one), **where, **ON[target]}
    with pytest.raises(DeployError, match="nothing to compare it with"):
        canary(one, 10, target, **options)
    first = deploy(one, target, wait=0, **options)
    if target == "envoy-gateway":
        with pytest.raises(DeployError, match="1 to 16 HTTPRoutes that meet the filter, and there are 0"):
            canary(one, 10, target, **options)
        route(server, where, "other", "somewhere-else")
        route(server, where, "all")
    options["image"] = pushed(two, "v2")
    with pytest.raises(DeployError, match="nobody can tell how a canary does: no pod has labels"):
        canary(two, 10, target, **options)
    with pytest.raises(DeployError, match="100 per cent is no share"):
        canary(two, 100, target, **options)
    assert [v.digest for v in history("greeter", target, **where)] == [first.digest]
    for path in (
        ("networking.istio.io/v1alpha3", "envoyfilters"),
        ("gateway.networking.k8s.io/v1", "httproutes"),
    ):
        found = server.ask("GET", f"/apis/{path[0]}/namespaces/{where['namespace']}/{path[1]}")["items"]
        assert not [each for each in found if "canary" in each["metadata"]["name"]]


def test_a_route_with_a_login_of_its_own_is_not_copied_without_it(server, where, pushed):
    options = {"image": pushed(make("one")), **where, "on": "Gateway/eg"}
    deploy(make("one"), "envoy-gateway", wait=0, **options)
    route(server, where, "all")
    ref = {"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "name": "all"}
    server.create(
        {"apiVersion": "gateway.envoyproxy.io/v1alpha1", "kind": "SecurityPolicy",
         "metadata": {"name": "login"}, "spec": {"targetRefs": [ref]}}, "securitypolicies",
        where["namespace"],
    )  # fmt: skip
    with pytest.raises(DeployError, match="HTTPRoute all has a SecurityPolicy of its own"):
        canary(make("one"), 10, "envoy-gateway", **options)
