"""New versions that meet a share of the requests, and are promoted or taken back by what they do."""

import http.client
import threading
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest

from tests.deploy.conftest import BROKEN, SLOW
from wasmhub_magics.deploy import Rules, canary, deploy, history, status
from wasmhub_magics.errors import DeployError, EnvoyRejected


@contextmanager
def load(url, clients=3):
    """Clients that ask all the time; statuses and versions that they got."""
    stop, seen = threading.Event(), []

    def client():
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
        while not stop.is_set():
            connection.request("GET", "/")
            response = connection.getresponse()
            response.read()
            seen.append((response.status, response.headers["x-version"]))
        connection.close()

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_a_good_version_is_promoted_and_no_request_fails(plugin):
    deploy(plugin("above", "first"))
    url = deploy(plugin("one")).url
    with load(url) as seen:
        rollout = canary(plugin("two"), 30, seconds=3, rules=Rules(slower=50))
    assert rollout.promoted
    assert rollout.deployment.version == 2
    assert {code for code, _ in seen} == {200}
    versions = {version for _, version in seen}
    assert {"one, above", "two, above"} <= versions or {"one", "two"} <= versions
    share = rollout.canary.requests / (rollout.canary.requests + rollout.stable.requests)
    assert 0.1 < share < 0.5
    assert history("greeter").versions[-1].note == "canary at 30 %"
    assert "promoted" in repr(rollout)
    assert rollout._repr_html_().count("<polyline") == 4


def test_a_version_that_fails_is_taken_back_before_its_time_is_over(plugin):
    url = deploy(plugin("one")).url
    with load(url) as seen:
        rollout = canary(plugin("two", request=BROKEN), 20, seconds=600)
        before = len(seen)
        while len(seen) < before + 50:
            pass
        after = [code for code, _ in seen[before + 6 :]]
    assert not rollout.promoted
    assert "failed" in rollout.reason
    assert "<circle" in rollout._repr_html_()  # also where it ended at the first look
    assert rollout.seconds < 300
    assert set(after) == {200}
    assert status()["greeter"].digest == plugin("one").module.digest
    assert (rollout.deployment.version, len(history("greeter"))) == (1, 1)


def test_a_version_that_is_slow_is_taken_back(plugin):
    url = deploy(plugin("one")).url
    # one client: where requests wait for each other, both versions are slow
    with load(url, clients=1) as seen:
        rollout = canary(plugin("two", request=SLOW), 50, seconds=3)
    assert not rollout.promoted
    assert "median latency" in rollout.reason
    assert {code for code, _ in seen} == {200}


def test_without_requests_nothing_is_promoted(plugin):
    deploy(plugin("one"))
    rollout = canary(plugin("two"), 10, seconds=0.5)
    assert not rollout.promoted
    assert "50 are needed" in rollout.reason


def test_a_canary_that_envoy_refuses_changes_nothing(plugin):
    deploy(plugin("one"))
    with pytest.raises(EnvoyRejected):
        canary(plugin("two", configure="unreachable"), 10, seconds=0.5)
    assert status()["greeter"].version == 1
    with pytest.raises(DeployError, match="nothing to compare it with"):
        canary(plugin("two", "other"), 10)
    with pytest.raises(DeployError, match="no share"):
        canary(plugin("two"), 100)
    for target in ("gloo", "higress"):
        with pytest.raises(DeployError, match="has no way to give a share"):
            canary(plugin("two"), 10, target)
    with pytest.raises(DeployError, match="no place for a second version"):
        canary(plugin("two"), 10, "directory")
