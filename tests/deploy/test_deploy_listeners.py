"""Filters for an Envoy that somebody else runs and that reads its listeners from a file."""

import http.client
import json
import os
import socket
import tempfile
import threading
from pathlib import Path

import pytest
import yaml

from wasmhub_magics.deploy import deploy, history, rollback, status, undeploy
from wasmhub_magics.deploy.chain_text import filters, put, take
from wasmhub_magics.envoy import config, find_envoy
from wasmhub_magics.envoy.process import EnvoyProcess
from wasmhub_magics.errors import Conflict, DeployError, EnvoyRejected

NETWORK = "type.googleapis.com/envoy.extensions.filters.network"
MANAGER = f"{NETWORK}.http_connection_manager.v3.HttpConnectionManager"
LISTENERS = """\
# kept by the platform team
version_info: "7"
resources:
- "@type": type.googleapis.com/envoy.config.listener.v3.Listener
  name: main      # the public one
  address: {{socket_address: {{address: 127.0.0.1, port_value: {port}}}}}
  filter_chains:
  - filters:
    - name: http
      typed_config:
        "@type": {manager}
        stat_prefix: main
        route_config:
          virtual_hosts:
          - name: all
            domains: ["*"]
            routes: [{{match: {{prefix: /}}, direct_response: {{status: 200}}}}]
        http_filters:
        - name: mutation
          typed_config:
            "@type": type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation
            mutations: {{response_mutations: [{{append: {{header: {{key: x-theirs, value: "yes"}}}}}}]}}
        # the router - always last
        -
          name: router
          typed_config: {{"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}
        access_log: []
# the end
"""


def listeners(port):
    return LISTENERS.format(port=port, manager=MANAGER)


@pytest.fixture
def foreign(tmp_path):
    """An Envoy with its listeners in a file; its port, file and the options that name it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    file = tmp_path / "etc" / "listeners.yaml"
    file.parent.mkdir()
    file.write_text(listeners(port))
    file.chmod(0o640)
    bootstrap = config.bootstrap([], config.cluster("127.0.0.1", 1))
    bootstrap["static_resources"]["listeners"] = []
    source = {"path_config_source": {"path": str(file)}, "resource_api_version": "V3"}
    bootstrap["dynamic_resources"] = {"lds_config": source}
    process = EnvoyProcess(find_envoy(), bootstrap, Path(tempfile.mkdtemp(dir=tmp_path)))
    process.port, process.file, process.where = port, file, {"admin": f"127.0.0.1:{process.admin_port}"}
    yield process
    process.stop()


def ask(foreign):
    connection = http.client.HTTPConnection("127.0.0.1", foreign.port, timeout=10)
    try:
        connection.request("GET", "/")
        answer = connection.getresponse()
        assert (answer.status, answer.headers["x-theirs"]) == (200, "yes")
        return answer.headers["x-version"]
    finally:
        connection.close()


def until(foreign, version):
    while ask(foreign) != version:  # connections of a listener that was replaced drain
        pass


def test_a_file_of_listeners_gets_the_filter_and_is_afterwards_what_it_was(plugin, foreign):
    before, mode = foreign.file.read_bytes(), foreign.file.stat().st_mode
    made = deploy(plugin("one"), "listeners", **foreign.where)
    assert (made.state, made.version, made.place) == ("serving", 1, str(foreign.file))
    until(foreign, "one")
    assert "# the router - always last" in foreign.file.read_text()
    assert foreign.file.stat().st_mode == mode
    deploy(plugin("two"), "listeners", **foreign.where)
    until(foreign, "two")
    told = status()["greeter"]
    assert (told.state, [str(s) for s in told.serving]) == (
        "serving",
        [f"{foreign.where['admin']} serves {told.digest[:19]}, the module of version 2"],
    )
    assert rollback("greeter").version == 3
    until(foreign, "one")
    assert [v.version for v in history("greeter", "listeners", path=foreign.file)] == [1, 2, 3]
    undeploy("greeter")
    until(foreign, None)
    assert foreign.file.read_bytes() == before
    assert [file.name for file in foreign.file.parent.iterdir()] == [foreign.file.name]


def test_what_others_change_meanwhile_stays_and_no_request_fails(plugin, foreign):
    stop, seen = threading.Event(), []

    def client():
        while not stop.is_set():
            seen.append(ask(foreign))

    deploy(plugin("one"), "listeners", **foreign.where)
    until(foreign, "one")
    thread = threading.Thread(target=client)
    thread.start()
    text = foreign.file.read_text().replace("stat_prefix: main", "stat_prefix: edge  # renamed")
    foreign.file.write_text(text)
    deploy(plugin("two"), "listeners", path=foreign.file, **foreign.where)
    until(foreign, "two")
    stop.set()
    thread.join()
    assert set(seen) == {"one", "two"}
    undeploy("greeter")
    theirs = listeners(foreign.port).replace("stat_prefix: main", "stat_prefix: edge  # renamed")
    assert foreign.file.read_text() == theirs


def test_what_the_proxy_refuses_leaves_the_file_as_it_was(plugin, foreign, tmp_path):
    deploy(plugin("one"), "listeners", **foreign.where)
    before = foreign.file.read_bytes()
    # where the proxy sees another directory, the module that was found good here is not there
    with pytest.raises(EnvoyRejected, match="the proxy refuses greeter"):
        deploy(plugin("two"), "listeners", proxy_path=str(tmp_path / "elsewhere"), **foreign.where)
    assert foreign.file.read_bytes() == before
    assert ask(foreign) == "one"
    assert len(history("greeter")) == 1
    assert len(list(foreign.file.parent.glob("*.wasm"))) == 1


def test_a_filter_of_somebody_else_is_not_replaced(plugin, foreign):
    with pytest.raises(Conflict, match="there is a filter mutation that was not deployed from here"):
        deploy(plugin("one", "mutation"), "listeners", **foreign.where)
    with pytest.raises(DeployError, match="no listener other there has HTTP filters"):
        deploy(plugin("one"), "listeners", listeners=("other",), **foreign.where)
    assert foreign.file.read_text() == listeners(foreign.port)


def test_a_proxy_that_is_gone_is_told_and_the_file_is_still_mended(plugin, foreign):
    before = foreign.file.read_bytes()
    deploy(plugin("one"), "listeners", **foreign.where)
    os.kill(foreign.pid, 9)
    while foreign.running:
        pass
    assert (status()["greeter"].state, status()["greeter"].notes[0][:40]) == (
        "unknown",
        "the proxy's admin interface does not ans",
    )
    undeploy("greeter")
    assert foreign.file.read_bytes() == before


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("none.yaml", None, "there is no such file"),
        ("a.pb", "", "in YAML and JSON only"),
        ("a.yaml", "a: [", "cannot be read"),
        ("b.yaml", "listeners: []", "has no resources"),
        ("c.json", '{"resources": [{"@type": "x/envoy.config.listener.v3.Listener"}]}', "no listener there"),
        ("d.yaml", "\x00", "cannot be read"),
    ],
)
def test_a_file_that_has_no_listeners_is_named_with_the_reason(plugin, tmp_path, name, text, why):
    file = tmp_path / name
    if text is not None:
        file.write_text(text)
    with pytest.raises(DeployError, match=why):
        deploy(plugin("one"), "listeners", path=file)
    assert [each.name for each in tmp_path.iterdir()] == ([name] if text is not None else [])


def test_a_link_and_a_missing_path_are_explained(plugin, tmp_path, proxy):
    (tmp_path / "real.yaml").write_text(listeners(1))
    (tmp_path / "link.yaml").symlink_to(tmp_path / "real.yaml")
    with pytest.raises(DeployError, match="symbolic link"):
        deploy(plugin("one"), "listeners", path=tmp_path / "link.yaml")
    with pytest.raises(DeployError, match="needs the file that a proxy reads"):
        deploy(plugin("one"), "listeners")
    with pytest.raises(DeployError, match="reads no listeners from a file"):
        deploy(plugin("one"), "listeners", admin=f"127.0.0.1:{proxy.admin_port}")


MANAGER = (
    "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
)
ONE = {"resources": [{"@type": "t/envoy.config.listener.v3.Listener", "name": "l", "filter_chains": [
    {"filters": [{"typed_config": {"@type": MANAGER, "httpFilters": [{"name": "router"}]}}]}]}]}  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(ONE),
        json.dumps(ONE, indent=2),
        json.dumps(ONE, indent="\t"),
        json.dumps(ONE, indent=2).replace("\n", "\r\n"),
        json.dumps({"resources": [{"name": "l", "resource": ONE["resources"][0]}]}),
        yaml.safe_dump(ONE),
        yaml.safe_dump(ONE, indent=4, default_flow_style=None),
        listeners(1),
        listeners(1).replace("        - name: mutation", "        # first\n        - name: mutation"),
        "x: &router\n  name: router\n" + yaml.safe_dump(ONE).replace("- name: router", "- *router"),
    ],
    ids=str,
)
def test_whatever_the_layout_a_filter_comes_before_the_router_and_leaves_no_trace(text):
    entry = {"name": "greeter", "typed_config": {"text": "caf\u00e9 \u2028 \x7f 'a': #b - c"}}
    once = put(text, entry)
    assert all(chain[-2:] == ("greeter", "router") for chain in filters(once))
    again = put(once, {"name": "greeter", "typed_config": {"text": "x" * 5000}})
    assert put(again, entry) == once
    both = put(once, {"name": "second"})
    assert all(chain[-3:] == ("greeter", "second", "router") for chain in filters(both))
    assert take(take(both, "greeter"), "second") == text
    assert take(text, "greeter") == text


def test_a_filter_that_somebody_has_written_anew_is_replaced_and_one_that_is_last_is_not():
    text = listeners(1)
    router = "        # the router"
    anew = text.replace(
        router, "        - name: greeter\n          typed_config:\n            a: 1\n" + router
    )
    assert put(anew, {"name": "greeter"}).count("greeter") == 1
    assert filters(take(anew, "greeter")) == filters(text)
    last = text.replace("        access_log", "        - {name: greeter}\n        access_log")
    with pytest.raises(DeployError, match="cannot be written into the listeners in place"):
        take(last, "greeter")
