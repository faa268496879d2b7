"""The panel shows what is deployed to a cluster: a real API server, a registry, and Envoy in a pod."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.browser.cells import ours
from tests.browser.lab import ANSWER_MS, Lab, Notebook, cell
from wasmhub_magics import build
from wasmhub_magics.deploy.snippet import wasm
from wasmhub_magics.envoy import config, find_envoy

sys.path.insert(0, str(Path(__file__).parent.parent / "cluster"))

from servers import crds
from servers.apiserver import api_server
from servers.child import spawn
from servers.kubelet import kubelet
from servers.registry import docker_registry

pytestmark = pytest.mark.browser

ADMIN = 15000
SOURCE = "def on_configure(ctx):\n    ctx.log('version {} is configured')"
POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "proxy", "labels": {"app": "shop"}},
    "spec": {"containers": [{"name": "istio-proxy", "image": "docker.io/istio/proxyv2:1.32.0"}]},
}


def test_a_clusters_deployments_are_watched_rolled_back_and_ended(
    lab: Lab, context: BrowserContext, tmp_path: Path
) -> None:
    (tmp_path / "registry").mkdir()
    made = build(SOURCE.format(1), language="python", name="greeter")
    code = tmp_path / f"{made.module.digest.removeprefix('sha256:')}.wasm"
    code.write_bytes(made.module.data)
    entry = {
        "name": "shop.greeter",
        "typed_config": wasm(made.plugin.replace(name="shop.greeter"), path=str(code)),
    }
    bootstrap, address, log = tmp_path / "envoy.json", tmp_path / "admin.txt", tmp_path / "proxy.log"
    bootstrap.write_text(json.dumps(config.bootstrap([entry], config.cluster("127.0.0.1", 1))))
    command = [str(find_envoy().path), "-c", str(bootstrap), "--admin-address-path", str(address)]
    command += [
        "--disable-hot-restart",
        "--concurrency",
        "1",
        "-l",
        "warning",
        "--component-log-level",
        "wasm:info",
    ]
    with (
        api_server(tmp_path / "api") as server,
        docker_registry(tmp_path / "registry") as registry,
        kubelet(server, "127.0.0.1") as node,
    ):
        server.load(crds.istio())
        server.namespace("shop")
        envoy = spawn(command, log)
        try:
            where = f"--kubeconfig {server.kubeconfig} -n shop --label app=shop"
            cells = ["%load_ext wasmhub_magics"]
            for number in (1, 2):
                image = f"{registry}/team/greeter:v{number}"
                cells += [f"%%wasm_filter greeter\n{SOURCE.format(number)}", f"%wasm_push greeter {image}"]
                cells += [f"%wasm_deploy greeter --to istio --image {image} {where}"]
            opened = Notebook(context.new_page(), lab, lab.write("cluster.ipynb", [cell(c) for c in cells]))
            for index in range(4):
                opened.run(index)
            node.run(POD, "shop", "istio-proxy", log)
            node.ports["shop", "proxy", ADMIN] = int(address.read_text().rpartition(":")[2])
            page = opened.page
            page.keyboard.press("Alt+w")
            page.keyboard.press("h")
            panel = page.get_by_role("region", name="WebAssembly Hub")
            panel.get_by_role("tab", name="Deployments").click(timeout=ANSWER_MS)
            row = panel.get_by_role("listitem", name="greeter", exact=True)
            expect(row).to_contain_text("istio", timeout=ANSWER_MS)
            expect(row).to_contain_text("proxy serves", timeout=ANSWER_MS)
            row.get_by_role("button", name="Show log").click()
            expect(row.get_by_role("log")).to_contain_text("version 1 is configured", timeout=ANSWER_MS)
            row.get_by_role("button", name="Versions").click()
            for index in range(4, 7):
                opened.run(index)
            expect(row.get_by_role("listitem", name="Version 2")).to_contain_text(
                "at work", timeout=ANSWER_MS
            )
            row.get_by_role("listitem", name="Version 1").get_by_role("button", name="Roll back").click()
            newest = row.get_by_role("listitem", name="Version 3")
            expect(newest).to_contain_text("at work", timeout=ANSWER_MS)
            expect(newest).to_contain_text("rollback to version 1")
            row.get_by_role("button", name="Undeploy").click()
            expect(panel).to_contain_text("Nothing is deployed", timeout=ANSWER_MS)
            assert ours(opened) == []
            opened.close()
        finally:
            envoy.kill()
            envoy.wait()
