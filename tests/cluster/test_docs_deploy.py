"""The examples of the page about deployments, run one after another."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "deploy.md"


def test_every_example_runs(server, registry, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("KUBECONFIG", str(server.kubeconfig))
    monkeypatch.setenv("REGISTRY", registry)
    monkeypatch.setenv("WASMHUB_STORE", str(tmp_path))
    with server.client() as client:
        shop = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
        assert client.post("/api/v1/namespaces", json=shop).status_code in (201, 409)
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(blocks) == 5
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), names)
    told = capsys.readouterr().out
    assert "would be new" in told
    assert "TrafficExtension greeter" in told
