"""The examples of docs/proxy.md run."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = (Path(__file__).parents[2] / "docs" / "proxy.md").read_text()


def example(number):
    names: dict = {}
    exec(re.findall(r"```python\n(.*?)```", PAGE, re.S)[number], names)
    return names


def test_each_grpc_cluster_of_the_page_answers_as_it_says(run):
    clusters = {name.replace(" ", "_"): cluster for name, cluster in example(0)["clusters"].items()}
    told = {}
    for name in clusters:
        script = f"request_headers grpcstream {name} -\nrequest_headers grpcsend 0 1 hello\non_close status"
        exchange = run(script, clusters=clusters).send()
        told[name] = [
            line.message for line in exchange.log if line.message.startswith(("received", "status"))
        ]
    assert told["auth"] == ["received 1 6 3", "status -> 0 0 via_upstream"]
    assert told["closed_for_today"] == ["status -> 0 7 denied{via_upstream}"]
    assert told["slow"] == ["received 1 6 4", "status -> 0 0 via_upstream"]
    assert told["down"][0].startswith("status -> 0 14 upstream connect error")
    assert told["watch"] == ["status -> 0 0 via_upstream"]
