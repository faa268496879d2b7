"""Filters in an Envoy that runs in a container of a real Docker daemon."""

import io
import os
import re
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import docker
import pytest

from tests.deploy.conftest import BROKEN, make
from tests.deploy.test_canary import load
from tests.deploy.test_deploy_envoy import ask
from tests.dockerd import dockerd
from wasmhub_magics.deploy import Rules, canary, deploy, history, logs, rollback, status, undeploy
from wasmhub_magics.envoy import find_envoy
from wasmhub_magics.errors import DeployError, EnvoyRejected
from wasmhub_magics.http import Response

IMAGE = "tests/envoy:1"


@pytest.fixture(scope="module")
def client():
    """A client of a daemon that has an image of Envoy, made of the one that is here."""
    binary = find_envoy().path
    listed = subprocess.run(["ldd", binary], capture_output=True, text=True, check=True).stdout
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", dereference=True) as archive:
        archive.add(binary, "envoy")
        for library in re.findall(r"(/\S+) \(", listed):
            archive.add(library, library.lstrip("/"))
        folder = tarfile.TarInfo("tmp")
        folder.type, folder.mode = tarfile.DIRTYPE, 0o777
        archive.addfile(folder)
    with dockerd():
        made = docker.from_env()
        made.api.import_image_from_data(
            packed.getvalue(), repository="tests/envoy", tag="1", changes=['ENTRYPOINT ["/envoy"]']
        )
        yield made
        made.close()


def containers(client):
    return client.containers.list(all=True, filters={"label": "wasmhub=envoy"}, ignore_removed=True)


def test_filters_serve_in_a_container_are_swapped_go_back_and_leave_nothing(plugin, client, tmp_path):
    made = deploy(plugin("one"), "container", image=IMAGE, upstream=Response(203, body="fixed"))
    assert (made.state, made.version) == ("serving", 1)
    assert ask(made.url) == (203, ["one"], b"fixed")
    url = deploy(plugin("two", "second"), "container").url
    assert (url, ask(url)[1]) == (made.url, ["two", "one"])
    assert deploy(plugin("three"), "container").version == 2
    assert ask(url)[1] == ["two", "three"]
    with pytest.raises(EnvoyRejected):
        deploy(plugin("four", configure="unreachable"), "container")
    assert ask(url)[1] == ["two", "three"]
    assert rollback("greeter").version == 3
    assert ask(url)[1] == ["two", "one"]
    assert [v.version for v in history("greeter")] == [1, 2, 3]
    assert [(d.name, d.state) for d in status()] == [("greeter", "serving"), ("second", "serving")]
    deadline = time.monotonic() + 20
    while "x-version" not in repr(logs("greeter")):
        assert time.monotonic() < deadline
    undeploy("greeter")
    assert ask(url)[1] == ["two"]
    (container,) = containers(client)
    container.kill()
    assert status()["second"].state == "stopped"
    undeploy("second")
    assert containers(client) == []
    assert [each.name for each in tmp_path.iterdir()] == []


def test_a_share_of_the_requests_meets_a_new_version_in_a_container(plugin, client):
    deploy(plugin("above", "first"), "container", image=IMAGE)
    with pytest.raises(DeployError, match="nothing to compare it with"):
        canary(plugin("two"), 10, "container")
    url = deploy(plugin("one"), "container").url
    with load(url) as seen:
        failed = canary(plugin("two", request=BROKEN), 30, "container", seconds=600)
        assert (failed.promoted, failed.deployment.version) == (False, 1)
        assert "failed" in failed.reason
        good = canary(plugin("three"), 30, "container", seconds=2, rules=Rules(slower=50))
    assert good.promoted, good
    assert 0.1 < good.canary.requests / (good.canary.requests + good.stable.requests) < 0.5
    assert {code for code, version in seen if "two" not in version} == {200}
    assert [v.note for v in history("greeter")] == ["", "canary at 30 %"]
    assert ask(url)[1] == ["three", "above"]


def test_a_container_ends_with_a_python_that_is_killed(client, tmp_path):
    script = (
        f"import sys, tempfile; sys.path.insert(0, {str(Path(__file__).parents[2])!r})\n"
        f"tempfile.tempdir = {str(tmp_path)!r}\n"
        "from tests.deploy.conftest import make\n"
        "from wasmhub_magics.deploy import deploy\n"
        f"print(deploy(make('one'), 'container', image={IMAGE!r}).url, flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**os.environ},
    ) as process:  # fmt: skip
        assert ask(process.stdout.readline().strip())[1] == ["one"]
        process.kill()
        process.wait()
    deadline = time.monotonic() + 60
    while containers(client) or list(tmp_path.iterdir()):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_what_is_missing_for_a_container_is_told(client, monkeypatch):
    with pytest.raises(DeployError, match="no image tests/nothing:1"):
        deploy(make("one"), "container", image="tests/nothing:1")
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere")
    with pytest.raises(DeployError, match="no Docker daemon answers"):
        deploy(make("one"), "container", image=IMAGE)
    assert len(status()) == 0
