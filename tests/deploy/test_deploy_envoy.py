"""Filters at work in the local Envoy."""

import http.client
import http.server
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import wasmtime

from wasmhub_magics.deploy import Deployment, deploy, history, local, rollback, status, undeploy
from wasmhub_magics.envoy.server import replace_file
from wasmhub_magics.errors import DeployError, EnvoyError, EnvoyRejected, LinkError
from wasmhub_magics.http import Response
from wasmhub_magics.module import Module
from wasmhub_magics.plugin import Plugin


def ask(url, body=None, path="/"):
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
    try:
        connection.request("POST" if body else "GET", path, body=body)
        response = connection.getresponse()
        return response.status, response.headers.get_all("x-version"), response.read()
    finally:
        connection.close()


def envoys():
    """Directories of running Envoys; each goes with its process."""
    return set(Path(tempfile.gettempdir()).glob("wasmhub-envoy-*"))


def test_a_deployed_filter_serves_and_echoes_without_an_upstream(plugin):
    deployment = deploy(plugin("one"))
    assert ask(deployment.url) == (200, ["one"], b"hello from the upstream\n")
    assert ask(deployment.url, body=b"x" * 200_000) == (200, ["one"], b"x" * 200_000)
    assert deployment.state == "serving"
    assert deployment.digest == plugin("one").module.digest
    assert deployment.seconds >= deployment.swap_seconds > 0


def test_a_second_deployment_of_a_name_replaces_the_first_at_the_same_address(plugin):
    first = deploy(plugin("one"))
    second = deploy(plugin("two"))
    assert (first.version, second.version) == (1, 2)
    assert first.url == second.url
    assert ask(second.url)[1] == ["two"]
    assert len(status()) == 1


def test_filters_of_several_names_share_one_envoy_in_the_order_of_deployment(plugin):
    deploy(plugin("one", "first"))
    url = deploy(plugin("two", "second")).url
    assert ask(url)[1] == ["two", "one"]  # responses pass the filters in reverse
    deploy(plugin("three", "first"))
    assert ask(url)[1] == ["two", "three"]
    assert [d.name for d in status()] == ["first", "second"]
    assert undeploy("first").state == "undeployed"
    assert ask(url)[1] == ["two"]


def test_undeploying_the_last_filter_leaves_no_process_and_no_file(plugin):
    before = envoys()
    url = deploy(plugin("one")).url
    assert len(envoys() - before) == 1
    undeploy("greeter")
    assert envoys() == before
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", urlsplit(url).port), timeout=5)
    assert len(status()) == 0


def test_the_status_counts_requests_and_errors_since_the_deployment(plugin):
    url = deploy(plugin("one"), upstream=Response(500, body="broken")).url
    ask(url)
    ask(url)
    row = status()["greeter"]
    assert (row.requests, row.errors) == (2, 2)
    deploy(plugin("two"))
    assert status()["greeter"].requests == 0
    ask(url)
    assert status()["greeter"].requests == 1


def test_the_log_of_a_deployment_holds_what_the_filter_logged(plugin):
    deployment = deploy(plugin("one"))
    ask(deployment.url)
    deadline = time.monotonic() + 10
    while not deployment.log:
        assert time.monotonic() < deadline
    assert [(line.level, line.message) for line in deployment.log] == [("info", "x-version")]


def test_a_module_that_cannot_link_is_refused_and_the_old_one_keeps_serving(plugin):
    url = deploy(plugin("one")).url
    wrong = Plugin(Module(bytes(wasmtime.wat2wasm('(module (import "env" "nope" (func)))'))), name="greeter")
    with pytest.raises(LinkError, match="nope"):
        deploy(wrong)
    assert ask(url)[1] == ["one"]
    assert status()["greeter"].version == 1


@pytest.mark.parametrize(
    ("configure", "reason"),
    [("(i32.const 0)", "refused the configuration"), ("unreachable", "proxy_on_configure trapped")],
)
def test_a_filter_that_does_not_start_is_refused_and_the_old_one_keeps_serving(plugin, configure, reason):
    url = deploy(plugin("one")).url
    with pytest.raises(EnvoyRejected, match=reason):
        deploy(plugin("two", configure=configure))
    assert ask(url)[1] == ["one"]
    assert status()["greeter"].digest == plugin("one").module.digest


def test_a_first_deployment_that_is_refused_starts_nothing(plugin):
    before = envoys()
    with pytest.raises(EnvoyRejected):
        deploy(plugin("one", configure="unreachable"))
    assert envoys() == before
    assert len(status()) == 0


def test_no_request_fails_while_a_filter_is_deployed_again(plugin):
    url = deploy(plugin("0")).url
    stop, wrong, answers = threading.Event(), [], []

    def client():
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
        while not stop.is_set():
            connection.request("GET", "/")
            response = connection.getresponse()
            response.read()
            answers.append(response.headers["x-version"])
            if response.status != 200:
                wrong.append(response.status)
        connection.close()

    threads = [threading.Thread(target=client) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(1, 6):
        deploy(plugin(str(number)))
        assert ask(url)[1] == [str(number)]
    stop.set()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert {"0", "5"} <= set(answers) <= set("012345")
    assert status()["greeter"].errors == 0


def test_an_upstream_is_forgotten_with_the_last_filter(plugin):
    deploy(plugin("one"), upstream=Response(500))
    undeploy("greeter")
    assert ask(deploy(plugin("one")).url)[0] == 200


def test_an_upstream_by_address_gets_the_requests(plugin):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(202)
            self.end_headers()
            self.wfile.write(self.path.encode())

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        deployment = deploy(plugin("one"), upstream=f"http://127.0.0.1:{server.server_port}")
        assert ask(deployment.url, path="/over/there") == (202, ["one"], b"/over/there")
        undeploy("greeter")
        server.shutdown()


def test_a_function_or_a_response_may_be_the_upstream(plugin):
    url = deploy(plugin("one"), upstream=lambda request: Response(200, body=request.path)).url
    assert ask(url, path="/where") == (200, ["one"], b"/where")
    undeploy("greeter")
    fixed = Response(203, [("set-cookie", "a=1"), ("set-cookie", "b=2")], 'quote " and \\ and \x00')
    url = deploy(plugin("one"), upstream=fixed).url
    assert ask(url, body=b"swallowed") == (203, ["one"], b'quote " and \\ and \x00')


@pytest.mark.parametrize(
    "upstream",
    ["https://example.org", "http://user:secret@host:1", "ftp://x", "http://h:port", "http://h/path"],
)
def test_an_upstream_that_is_no_plain_address_is_refused(plugin, upstream):
    with pytest.raises(DeployError, match="upstream"):
        deploy(plugin("one"), upstream=upstream)
    assert len(status()) == 0


def test_a_port_in_use_is_named(plugin):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(DeployError, match=f"port {port} is in use"):
            deploy(plugin("one"), port=port)
    assert len(status()) == 0
    assert deploy(plugin("one"), port=port).url.endswith(f":{port}")


def test_another_port_or_upstream_than_that_of_the_running_envoy_is_refused(plugin):
    deploy(plugin("one"))
    with pytest.raises(DeployError, match="not on 9"):
        deploy(plugin("two"), port=9)
    with pytest.raises(DeployError, match="another upstream"):
        deploy(plugin("two"), upstream="http://127.0.0.1:9")
    assert status()["greeter"].version == 1


def test_an_unknown_target_is_refused_with_the_known_ones(plugin):
    with pytest.raises(DeployError, match="no target 'nowhere'") as caught:
        deploy(plugin("one"), "nowhere")
    assert "envoy" in caught.value.do
    assert "istio" in caught.value.do


def test_an_unknown_name_is_refused_with_the_known_ones(plugin):
    deploy(plugin("one"))
    with pytest.raises(DeployError) as caught:
        undeploy("grreeter")
    assert "greeter" in caught.value.do


def test_the_seventeenth_filter_is_refused_with_a_remedy(plugin):
    from wasmhub_magics.deploy.envoy import LocalEnvoy

    target = LocalEnvoy()
    try:
        for number in range(16):
            target.deploy(plugin("one", f"filter-{number}"))
        with pytest.raises(DeployError, match="room for 16"):
            target.deploy(plugin("one", "one-more"))
    finally:
        for deployment in target.status():
            target.undeploy(deployment.name)


def test_an_envoy_that_died_shows_in_the_status_and_comes_back_with_all_filters(plugin):
    from wasmhub_magics.deploy.envoy import LocalEnvoy

    target = LocalEnvoy()
    try:
        target.deploy(plugin("one", "first"))
        url = target.deploy(plugin("two", "second")).url
        os.kill(target._server.process.pid, signal.SIGKILL)
        while target._server.running:
            time.sleep(0.01)
        assert {d.state for d in target.status()} == {"stopped"}
        assert target.deploy(plugin("three", "second")).url == url
        assert ask(url)[1] == ["three", "one"]
    finally:
        for deployment in target.status():
            target.undeploy(deployment.name)


def test_an_envoy_that_is_killed_in_the_middle_of_a_swap_comes_back_with_what_served_before(
    plugin, monkeypatch
):
    url = deploy(plugin("one")).url
    deploy(plugin("other", "second"))
    pid = local.pid

    def replace_and_kill(path, data):
        replace_file(path, data)
        os.kill(pid, signal.SIGKILL)

    with monkeypatch.context() as patched:
        patched.setattr("wasmhub_magics.envoy.server.replace_file", replace_and_kill)
        with pytest.raises(EnvoyError):
            deploy(plugin("two"))
    assert {d.state for d in status()} == {"stopped"}
    assert local.start() == url
    assert ask(url)[1] == ["other", "one"]
    assert [v.version for v in history("greeter")] == [1]
    local.stop()


def test_a_deployed_envoy_ends_with_the_python_process(tmp_path):
    script = (
        f"import sys, tempfile; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        f"tempfile.tempdir = {str(tmp_path)!r}\n"
        "from conftest import make\n"
        "from wasmhub_magics.deploy import deploy\n"
        "print(deploy(make('one')).url, flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        url = process.stdout.readline().strip()
        assert ask(url)[1] == ["one"]
        process.kill()
        process.wait()
    deadline = time.monotonic() + 20
    while list(tmp_path.iterdir()):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_deployments_and_the_status_have_readable_forms(plugin):
    assert repr(status()) == "nothing is deployed"
    deployment = deploy(plugin("one", "<b>&"))
    assert isinstance(deployment, Deployment)
    assert "version 1 serving on envoy at http://127.0.0.1:" in repr(deployment)
    assert "<b>&" in repr(status())
    for page in (deployment._repr_html_(), status()._repr_html_()):
        assert "&lt;b&gt;&amp;" in page
        assert page.count("<b>") == page.count("</b>") <= 1


def test_a_rollback_swaps_the_former_version_in_again(plugin):
    url = deploy(plugin("one")).url
    with pytest.raises(DeployError, match="nothing to go back to"):
        rollback("greeter")
    deploy(plugin("two"))
    assert ask(url)[1] == ["two"]
    back = rollback("greeter")
    assert ask(url)[1] == ["one"]
    assert (back.version, back.digest) == (3, plugin("one").module.digest)
    assert [v.note for v in history("greeter")] == ["", "", "rollback to version 1"]
    assert rollback("greeter", 2).digest == plugin("two").module.digest
    with pytest.raises(DeployError, match="no version 9"):
        rollback("greeter", 9)
    undeploy("greeter")
    with pytest.raises(DeployError, match="no filter is deployed"):
        history("greeter")
