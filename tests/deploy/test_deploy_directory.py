"""Filters for an Envoy that somebody else runs: files in a directory that it reads, and text to paste."""

import http.client
import http.server
import json
import subprocess
import tempfile
import threading
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

from wasmhub_magics.deploy import deploy, history, plan, rollback, status, undeploy
from wasmhub_magics.envoy import config, find_envoy
from wasmhub_magics.envoy.process import EnvoyProcess
from wasmhub_magics.errors import DeployError, EnvoyRejected


def ask(process):
    connection = http.client.HTTPConnection("127.0.0.1", process.ports["main"], timeout=10)
    try:
        connection.request("GET", "/")
        return connection.getresponse().headers["x-version"]
    finally:
        connection.close()


def test_a_proxy_that_reads_a_directory_swaps_goes_back_and_forgets(plugin, proxy):
    where = {"path": proxy.folder, "admin": f"127.0.0.1:{proxy.admin_port}"}
    made = deploy(plugin("one"), "directory", **where)
    assert (made.state, made.version, ask(proxy)) == ("serving", 1, "one")
    assert deploy(plugin("two"), "directory", **where).version == 2
    assert ask(proxy) == "two"
    assert [d.name for d in status()] == ["greeter"]
    back = rollback("greeter")
    assert (back.version, back.state, ask(proxy)) == (3, "serving", "one")
    assert [v.version for v in history("greeter")] == [1, 2, 3]
    undeploy("greeter")
    while ask(proxy) is not None:
        pass
    assert [file.name for file in proxy.folder.iterdir()] == ["greeter.json"]


def test_the_module_of_a_filter_whose_name_begins_alike_is_left_alone(plugin, tmp_path):
    deploy(plugin("one", "greeter-b"), "directory", path=tmp_path)
    deploy(plugin("two"), "directory", path=tmp_path)
    undeploy("greeter")
    assert len(list(tmp_path.glob("greeter-b-*.wasm"))) == 1
    undeploy("greeter-b")
    assert not list(tmp_path.glob("*.wasm"))


def test_a_filter_that_the_proxy_refuses_is_told_and_the_former_one_put_back(plugin, proxy, tmp_path):
    where = {"path": proxy.folder, "admin": f"127.0.0.1:{proxy.admin_port}"}
    deploy(plugin("one"), "directory", **where)
    with pytest.raises(EnvoyRejected, match="proxy_on_configure trapped"):  # by the Envoy that is here
        deploy(plugin("two", configure="unreachable"), "directory", **where)
    # where the proxy sees another directory, the module that was found good here is not there
    with pytest.raises(EnvoyRejected, match="the proxy refuses greeter"):
        deploy(plugin("two"), "directory", proxy_path=str(tmp_path / "elsewhere"), **where)
    assert ask(proxy) == "one"
    assert len(history("greeter")) == 1
    undeploy("greeter")


def test_a_proxy_that_starts_with_a_snippet_fetches_the_module(plugin, tmp_path):
    one = plugin("one")

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=str(tmp_path))

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as code:
        threading.Thread(target=code.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{code.server_port}/one.wasm"
        (tmp_path / "one.wasm").write_bytes(one.module.data)
        told = plan(one, "snippet", url=url, port=0, bootstrap=True)
        written = yaml.safe_load(told.text)
        written["static_resources"]["clusters"][0] |= config.cluster(listener="upstream")
        written["static_resources"]["listeners"].append(config.echo_in_envoy())
        process = EnvoyProcess(find_envoy(), written, Path(tempfile.mkdtemp(dir=tmp_path)))
        assert ask(process) == "one"
        process.stop()
        code.shutdown()


def test_a_directory_or_a_proxy_that_is_not_there_is_named(plugin, tmp_path):
    with pytest.raises(DeployError, match="no such directory"):
        deploy(plugin("one"), "directory", path=tmp_path / "nowhere")
    with pytest.raises(DeployError, match="admin interface does not answer"):
        deploy(plugin("one"), "directory", path=tmp_path, admin="127.0.0.1:1")
    with pytest.raises(DeployError, match="cannot name a file"):
        deploy(plugin("one", "a/b"), "directory", path=tmp_path)
    assert deploy(plugin("one"), "directory", path=tmp_path).state == "written"
    undeploy("greeter")


@pytest.mark.parametrize("whole", [False, True])
def test_a_snippet_is_what_envoy_takes(plugin, tmp_path, whole):
    one = plugin("one").replace(configuration=b"some text")
    code = tmp_path / "one.wasm"
    code.write_bytes(one.module.data)
    told = plan(one, "snippet", path=str(code), bootstrap=whole)
    written = yaml.safe_load(told.text)
    if not whole:
        written = config.bootstrap([written], config.cluster("127.0.0.1", 1))
    (tmp_path / "envoy.json").write_text(json.dumps(written))
    done = subprocess.run(
        [str(find_envoy().path), "--mode", "validate", "-c", str(tmp_path / "envoy.json")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-500:]
    assert "some text" in told.text
    told = plan(one, "snippet", url="https://code.example.test/one.wasm", bootstrap=whole)
    assert one.module.digest.removeprefix("sha256:") in told.text
    with pytest.raises(DeployError, match="where the proxy finds the module"):
        plan(one, "snippet")
    with pytest.raises(DeployError, match="paste"):
        deploy(one, "snippet", path=str(code))
    assert urlsplit(told.place).path == "/one.wasm"
