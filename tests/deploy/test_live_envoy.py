"""What the local Envoy tells while it serves, the order of its filters, and an Envoy of somebody else."""

import json
import os
import signal
import time

import pytest

from tests.deploy.test_deploy_envoy import ask
from wasmhub_magics.deploy import Adopted, adopt, deploy, local, logs, status, undeploy
from wasmhub_magics.errors import DeployError
from wasmhub_magics.http import Response

TRAP = "(nop)" * 100 + "unreachable"  # at a place that only this module has


def test_the_counters_of_each_filter_the_requests_and_the_log_level_are_told(plugin):
    assert local.live().state == "none"
    with pytest.raises(DeployError, match="no local Envoy runs"):
        local.running()
    url = deploy(plugin("one", "quiet")).url
    deploy(plugin("two", "loud", request=TRAP).replace(failure_policy="reload", reload_seconds=0.05))
    while (ask(url, path="/a?b=1")[0], local.live().filters[1].reloads) < (503, 1):
        time.sleep(0.01)
    now = local.live(last=3)
    quiet, loud = now.filters
    assert (quiet.name, quiet.traps, quiet.reloads) == ("quiet", 0, 0)
    assert loud.name == "loud"
    assert loud.traps >= 2
    assert loud.reloads >= 1
    assert now.requests == now.errors >= 2
    assert now.machines > 0
    last = now.access[-1]
    assert (last.method, last.path, last.status) == ("GET", "/a?b=1", 503)
    assert last.details
    assert "/a?b=1" in repr(now)
    assert "/a?b=1" in now._repr_html_()
    assert [line.level for line in logs("loud")][:1] == ["error"]
    assert "proxy_on_request_headers" in repr(logs("loud", last=1))
    assert {line.level for line in logs("quiet")} == {"info"}
    deploy(plugin("one", "twin", request=TRAP))
    undeploy("quiet")
    before = local.live()
    ask(url)
    while (after := local.live()).unclear == before.unclear:  # the same place in two modules
        time.sleep(0.01)
    assert "fit several filters" in repr(after)


def test_the_log_level_the_statistics_and_the_configuration_can_be_asked_and_set(plugin):
    deploy(plugin("one"))
    envoy = local.running()
    assert envoy.log_level() == "info"
    assert envoy.log_level("debug") == "debug"
    assert local.live().log_level == "debug"
    with pytest.raises(DeployError, match="no log level 'loud'"):
        envoy.log_level("loud")
    with pytest.raises(DeployError, match="no component 'nothing'"):
        envoy.log_level(component="nothing")
    assert envoy.stats("^server.live$") == {"server.live": 1}
    assert plugin("one").module.digest.removeprefix("sha256:") in json.dumps(envoy.config())


def test_the_order_of_filters_is_changed_and_no_request_goes_without_one(plugin):
    for name in ("first", "second", "third"):
        url = deploy(plugin(name, name)).url
    assert ask(url)[1] == ["third", "second", "first"]  # responses pass them in reverse
    assert [d.name for d in local.order("third", "first")] == ["third", "first", "second"]
    assert ask(url)[1] == ["second", "first", "third"]
    assert [d.name for d in status()] == ["third", "first", "second"]
    deploy(plugin("fourth", "first"))
    assert ask(url)[1] == ["second", "fourth", "third"]
    with pytest.raises(DeployError, match="no filter is deployed as 'fifth'"):
        local.order("fifth")


def test_an_envoy_that_was_killed_is_told_and_refuses_no_question(plugin):
    deploy(plugin("one"))
    os.kill(local.pid, signal.SIGKILL)
    while local.live().state == "serving":
        time.sleep(0.01)
    assert repr(local.live()) == "the local Envoy has stopped"
    assert status()["greeter"].state == "stopped"
    undeploy("greeter")
    assert local.live().state == "none"


def test_the_local_envoy_is_started_without_a_filter_and_stopped_with_some_and_loses_none(plugin):
    url = local.start(upstream=Response(204))
    assert local.start() == url  # it goes on
    assert ask(url)[:2] == (204, None)
    try:
        assert deploy(plugin("one")).url == url
        assert ask(url)[1] == ["one"]
        assert status()["greeter"].requests == 1
        assert [(d.name, d.state) for d in local.stop()] == [("greeter", "stopped")]
        assert local.live().state == "stopped"
        with pytest.raises(DeployError, match="no local Envoy runs"):
            local.stop()
        assert local.start() == url
        assert ask(url)[:2] == (204, ["one"])
        assert (status()["greeter"].state, status()["greeter"].requests) == ("serving", 1)
        with pytest.raises(DeployError, match="another upstream already"):
            local.start(upstream=Response(200))
        undeploy("greeter")
        assert ask(url)[:2] == (204, None)  # it was started by hand, so it stays
    finally:
        local.stop()
    assert local.live().state == "none"


def test_an_envoy_of_somebody_else_is_followed_with_its_filters_and_their_failures(plugin, proxy):
    there = Adopted(f"127.0.0.1:{proxy.admin_port}")
    trapping = plugin("one", request=TRAP).replace(failure_policy="reload", reload_seconds=0.05)
    deploy(trapping, "directory", admin=there.running().place)
    url = f"http://127.0.0.1:{proxy.ports['main']}"
    while (ask(url)[0], there.live().filters[0].reloads) < (503, 1):
        time.sleep(0.01)
    now = there.live()
    assert (now.state, now.filters[0].name, now.log_level) == ("serving", "greeter", "info")
    assert now.requests == now.errors >= 2
    assert "greeter" in repr(there)
    undeploy("greeter")
    proxy.stop()
    assert repr(there) == f"the Envoy with admin interface {there.running().place} does not answer"


def test_a_proxy_of_somebody_else_is_adopted_by_its_admin_interface(plugin, proxy):
    admin = f"127.0.0.1:{proxy.admin_port}"
    envoy = adopt(admin)
    made = deploy(plugin("one"), "directory", admin=admin)  # where it reads filters is in its configuration
    assert (made.state, made.place) == ("serving", str(proxy.folder))
    assert ask(f"http://127.0.0.1:{proxy.ports['main']}")[1] == ["one"]
    assert envoy.log_level("error") == "error"
    (state,) = envoy.filters()
    assert (state.name, state.refused) == ("greeter", 0)
    assert state.taken >= 1
    assert "greeter" in repr(envoy)
    with pytest.raises(DeployError, match="reads no filter other from a directory"):
        deploy(plugin("one", "other"), "directory", admin=admin)
    with pytest.raises(DeployError, match="where its proxy runs"):
        logs("greeter")
    undeploy("greeter")


def test_what_is_no_admin_interface_is_told(plugin):
    url = deploy(plugin("one")).url
    with pytest.raises(DeployError, match="no Envoy's admin interface"):
        adopt(url)
    with pytest.raises(DeployError, match="does not answer"):
        adopt("127.0.0.1:1")
