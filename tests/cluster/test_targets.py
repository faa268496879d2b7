"""What each target emits, taken by the products' own schemas in a real API server."""

import pytest
from servers.filters import make

from wasmhub_magics.deploy import deploy, history, plan, rollback, status, undeploy
from wasmhub_magics.errors import Conflict, DeployError, Inexpressible, Refused
from wasmhub_magics.hub import pull

PATHS = {
    "istio": ("extensions.istio.io/v1alpha1", "trafficextensions"),
    "envoyfilter": ("networking.istio.io/v1alpha3", "envoyfilters"),
    "envoy-gateway": ("gateway.envoyproxy.io/v1alpha1", "envoyextensionpolicies"),
    "higress": ("extensions.higress.io/v1alpha1", "wasmplugins"),
    "gloo": ("gateway.solo.io/v1", "gateways"),
}
NEEDS = {"envoy-gateway": {"on": "Gateway/eg"}, "gloo": {"on": "Gateway/gateway-proxy"}}
# Gloo and Envoy Gateway answer in the object's status; nobody does here, so nobody is waited for.
QUICK = {"wait": 0.0}


def listed(server, target, where):
    version, plural = PATHS[target]
    return server.ask("GET", f"/apis/{version}/namespaces/{where['namespace']}/{plural}")["items"]


def gloo_gateway(server, where, filters=()):
    spec = {"bindPort": 8080, "httpGateway": {"options": {"wasm": {"filters": list(filters)}}}}
    if not filters:
        spec["httpGateway"] = {}
    server.create(
        {"apiVersion": "gateway.solo.io/v1", "kind": "Gateway", "metadata": {"name": "gateway-proxy"},
         "spec": spec},
        "gateways", where["namespace"],
    )  # fmt: skip


@pytest.mark.parametrize("target", PATHS)
def test_a_filter_is_taken_by_the_schema_and_pinned_with_the_hash_that_the_product_compares(
    server, where, pushed, target
):
    if target == "gloo":
        gloo_gateway(server, where)
    plugin = make("one", configuration=b'{"greeting": "hi"}', root_id="root")
    reference = pushed(plugin)
    digest = pull(reference)[1].digest
    made = deploy(plugin, target, image=reference, **where, **QUICK, **NEEDS.get(target, {}))
    (live,) = listed(server, target, where)
    text = str(live["spec"])
    assert reference.rpartition(":")[0] in text
    assert "root" in text
    assert "greeting" in text
    if target != "gloo":  # names images by tag, and the note says so
        assert digest.removeprefix("sha256:") in text
    assert made.version == 1
    assert made.digest == plugin.module.digest
    assert made.state in ("applied", "waiting")


@pytest.mark.parametrize("target", PATHS)
def test_undeploying_leaves_no_trace(server, where, pushed, target):
    if target == "gloo":
        gloo_gateway(server, where)
    before = [each["spec"] for each in listed(server, target, where)]
    plugin = make("one")
    deploy(plugin, target, image=pushed(plugin), **where, **QUICK, **NEEDS.get(target, {}))
    gone = undeploy("greeter", target, **where)
    assert gone.state == "undeployed"
    after = listed(server, target, where)
    assert [each["spec"] for each in after] == before
    for each in after:
        assert "wasmhub" not in str(each["metadata"])
    assert len(status(target, **where)) == 0


@pytest.mark.parametrize("target", PATHS)
def test_a_rollback_brings_the_former_version_back_and_the_history_tells_it(server, where, pushed, target):
    if target == "gloo":
        gloo_gateway(server, where)
    one, two = make("one"), make("two")
    deploy(one, target, image=pushed(one, "v1"), **where, **QUICK, **NEEDS.get(target, {}))
    first = [each["spec"] for each in listed(server, target, where)]
    deploy(two, target, image=pushed(two, "v2"), **where, **QUICK, **NEEDS.get(target, {}))
    assert [each["spec"] for each in listed(server, target, where)] != first
    back = rollback("greeter", target=target, **where, **QUICK)
    assert [each["spec"] for each in listed(server, target, where)] == first
    assert (back.version, back.digest) == (3, one.module.digest)
    versions = list(history("greeter", target, **where))
    assert [v.version for v in versions] == [1, 2, 3]
    assert versions[-1].note == "rollback to version 1"
    with pytest.raises(DeployError, match="no version 9"):
        rollback("greeter", 9, target, **where)


@pytest.mark.parametrize("target", PATHS)
def test_a_plan_shows_the_difference_and_changes_nothing(server, where, pushed, target):
    if target == "gloo":
        gloo_gateway(server, where)
    one, two = make("one"), make("two")
    options = {**where, **NEEDS.get(target, {})}
    reference = pushed(one, "v1")
    before = listed(server, target, where)
    told = plan(one, target, image=reference, **options)
    assert listed(server, target, where) == before
    assert any(change.before is None for change in told.changes)
    deploy(one, target, image=reference, **options, **QUICK)
    assert plan(one, target, image=reference, **options).changes == ()
    told = plan(two, target, image=pushed(two, "v2"), **options)
    assert any(c.before and c.after and c.before != c.after for c in told.changes)
    assert "v2" in repr(told)


def test_istio_gets_a_wasm_plugin_where_the_cluster_serves_no_traffic_extension(server, where, pushed):
    from servers import crds

    plugin = make("one", configuration=b'{"a": 1}', failure_policy="reload")
    definition = next(d for d in crds.istio() if d["spec"]["names"]["kind"] == "TrafficExtension")
    server.unload(definition["metadata"]["name"])
    try:
        deploy(plugin, "istio", image=pushed(plugin), **where)
        base = f"/apis/extensions.istio.io/v1alpha1/namespaces/{where['namespace']}"
        (live,) = server.ask("GET", f"{base}/wasmplugins")["items"]
        assert live["spec"]["pluginConfig"] == {"a": 1}
        assert live["spec"]["failStrategy"] == "FAIL_RELOAD"
        undeploy("greeter", "istio", **where)
    finally:
        server.load([definition])


def test_all_that_istio_can_say_is_taken(server, where, pushed):
    plugin = make("one", failure_policy="open", environment=(("A", "1"),))
    deploy(
        plugin, "istio", image=pushed(plugin), labels={"app": "shop"}, phase="authz", priority=7,
        side="server", ports=(8080,), pull_always=True, host_env=("POD_NAME",), **where,
    )  # fmt: skip
    (live,) = listed(server, "istio", where)
    spec = live["spec"]
    assert spec["selector"] == {"matchLabels": {"app": "shop"}}
    assert (spec["phase"], spec["priority"]) == ("AUTHZ", 7)
    assert spec["match"] == [{"mode": "SERVER", "ports": [{"number": 8080}]}]
    assert spec["wasm"]["failStrategy"] == "FAIL_OPEN"
    env = [{"name": "A", "value": "1"}, {"name": "POD_NAME", "valueFrom": "HOST"}]
    assert spec["wasm"]["vmConfig"]["env"] == env


GAPS = [
    ("istio", {"vm_configuration": b"x"}, {}, "VM configuration"),
    ("istio", {"configuration": b"plain text"}, {}, "configuration"),
    ("istio", {"allow_on_headers_stop_iteration": True}, {}, "allow_on_headers_stop_iteration"),
    ("istio", {}, {"on": "HTTPRoute/a"}, "attachment"),
    ("istio", {}, {"domains": ("a.test",)}, "domains"),
    ("envoyfilter", {}, {"phase": "authn"}, "phase"),
    ("envoyfilter", {}, {"pull_secret": "login"}, "pull secret"),
    ("envoy-gateway", {"environment": (("A", "1"),)}, {"on": "Gateway/eg"}, "environment"),
    ("envoy-gateway", {"failure_policy": "reload"}, {"on": "Gateway/eg"}, "failure policy"),
    ("envoy-gateway", {}, {"on": "Gateway/eg", "labels": {"a": "b"}}, "workload labels"),
    ("gloo", {"environment": (("A", "1"),)}, {}, "environment"),
    ("gloo", {}, {"phase": "stats"}, "phase"),
    ("higress", {"failure_policy": "reload"}, {}, "failure policy"),
    ("higress", {}, {"labels": {"a": "b"}}, "workload labels"),
]


@pytest.mark.parametrize("asked", GAPS, ids=lambda asked: f"{asked[0]} {asked[3]}")
def test_what_a_target_cannot_say_is_refused_before_anything_is_applied(server, where, asked):
    target, settings, options, setting = asked
    with pytest.raises(Inexpressible) as caught:
        # not even the image is asked for: there is none
        deploy(make("one", **settings), target, image="127.0.0.1:1/no/where:v1", **options, **where)
    assert setting in [gap.setting for gap in caught.value.gaps]
    assert setting in str(caught.value)
    assert listed(server, target, where) == []


def test_a_user_may_go_without_what_cannot_be_said(server, where, pushed):
    plugin = make("one", environment=(("A", "1"),), failure_policy="reload")
    deploy(plugin, "envoy-gateway", image=pushed(plugin), on="Gateway/eg", lossy=True, **where, **QUICK)
    (live,) = listed(server, "envoy-gateway", where)
    assert "env" not in live["spec"]["wasm"][0]
    told = plan(plugin, "envoy-gateway", image=pushed(plugin), on="Gateway/eg", **where)
    assert [gap.setting for gap in told.gaps] == ["environment", "failure policy"]


def test_an_older_definition_that_lacks_a_field_is_named(server, where, pushed):
    plugin = make("one", failure_policy="open")  # this Higress has no failStrategy
    with pytest.raises(Refused, match=r"no field \.spec\.failStrategy.*older"):
        deploy(plugin, "higress", image=pushed(plugin), **where)
    assert listed(server, "higress", where) == []


def test_filters_on_one_gateway_share_its_policy_in_the_order_of_their_priority(server, where, pushed):
    options = {"on": "Gateway/eg", **where, **QUICK}
    for name, priority in (("last", 0), ("first", 9), ("middle", 5)):
        plugin = make("one", name)
        deploy(plugin, "envoy-gateway", image=pushed(plugin), priority=priority, **options)
    plugin = make("two", "middle")
    deploy(plugin, "envoy-gateway", image=pushed(plugin, "v2"), priority=5, **options)
    (live,) = listed(server, "envoy-gateway", where)
    assert [entry["name"] for entry in live["spec"]["wasm"]] == ["first", "middle", "last"]
    undeploy("middle", "envoy-gateway", **where)
    (live,) = listed(server, "envoy-gateway", where)
    assert [entry["name"] for entry in live["spec"]["wasm"]] == ["first", "last"]
    assert [d.name for d in status("envoy-gateway", **where)] == ["first", "last"]
    rollback_target = deploy(make("three", "first"), "envoy-gateway",
                             image=pushed(make("three", "first"), "v3"), priority=9, **options)  # fmt: skip
    assert rollback_target.version == 2
    rollback("first", target="envoy-gateway", **where, **QUICK)
    (live,) = listed(server, "envoy-gateway", where)
    assert [entry["name"] for entry in live["spec"]["wasm"]] == ["first", "last"]
    for name in ("first", "last"):
        undeploy(name, "envoy-gateway", **where)
    assert listed(server, "envoy-gateway", where) == []


def test_a_filter_of_somebody_else_in_gloos_list_is_kept_and_its_owner_named(server, where, pushed):
    gloo_gateway(server, where, [{"name": "theirs", "image": "registry.test/theirs:v1"}])
    plugin = make("one")
    options = {"image": pushed(plugin), **where, **QUICK}
    with pytest.raises(Conflict, match="filters") as caught:
        deploy(plugin, "gloo", **options)
    assert list(caught.value.owners)
    deploy(plugin, "gloo", adopt=True, **options)
    (live,) = listed(server, "gloo", where)
    names = [entry["name"] for entry in live["spec"]["httpGateway"]["options"]["wasm"]["filters"]]
    assert names == ["theirs", "greeter"]
    assert live["spec"]["bindPort"] == 8080
    undeploy("greeter", "gloo", **where)
    (live,) = listed(server, "gloo", where)
    names = [entry["name"] for entry in live["spec"]["httpGateway"]["options"]["wasm"]["filters"]]
    assert names == ["theirs"]


def test_a_gateway_that_gloo_does_not_have_is_named_with_those_it_has(server, where, pushed):
    gloo_gateway(server, where)
    plugin = make("one")
    with pytest.raises(DeployError, match="no Gateway named 'other'") as caught:
        deploy(plugin, "gloo", image=pushed(plugin), on="Gateway/other", **where)
    assert "gateway-proxy" in caught.value.do


def test_who_may_make_no_route_is_told_that_proxies_may_keep_their_code(server, where, pushed):
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "filters"}
    server.create(
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "filters"},
         "rules": [{"apiGroups": ["gateway.envoyproxy.io"], "resources": ["*"], "verbs": ["*"]}]},
        "roles", where["namespace"],
    )  # fmt: skip
    server.create(
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "filters"},
         "roleRef": role, "subjects": [{"kind": "Group", "name": "readers",
                                        "apiGroup": "rbac.authorization.k8s.io"}]},
        "rolebindings", where["namespace"],
    )  # fmt: skip
    plugin = make("one")
    options = {"on": "Gateway/eg", "wait": 0.1, "context": "reader", **where}
    made = deploy(plugin, "envoy-gateway", image=pushed(plugin), **options)
    assert any("not fetched ahead" in note for note in made.notes)
    assert [each["metadata"]["name"] for each in listed(server, "envoy-gateway", where)] == [
        "wasmhub-gateway-eg"
    ]
