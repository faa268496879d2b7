"""A front end hears of filters over a comm, and asks for more, in a real kernel."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager, start_new_kernel

import wasmhub_magics
from wasmhub_magics.notebook.messages import PROTOCOL, TARGET

GREETER = "%%wasm_filter greeter\ndef on_request_headers(ctx):\n    ctx.request.headers['x-a'] = 'b'\n"


class Kernel:
    """A kernel with a client that keeps what comes over comms."""

    def __init__(self, manager: KernelManager, client: BlockingKernelClient) -> None:
        self.manager, self.client = manager, client
        self.comm = ""
        self.hello: dict[str, Any] = {}
        self.heard: list[dict[str, Any]] = []
        self.closed: list[str] = []

    def run(self, code: str) -> dict[str, Any]:
        """Run a cell; what was said over the comm meanwhile is kept."""
        self.heard.clear()
        reply: dict[str, Any] = self.client.execute_interactive(
            code, timeout=60, output_hook=self._hear, allow_stdin=False
        )["content"]
        return reply

    def filters(self) -> dict[str, dict[str, Any]]:
        """The filters as they were told last."""
        news = [each for each in self.heard if each.get("news") == "filters"]
        return {each["name"]: each for each in news[-1]["filters"]}

    def ask(self, name: str, /, **given: Any) -> dict[str, Any]:
        """Ask over the comm and wait for the answer."""
        content = {"comm_id": self.comm, "data": {"id": name, "ask": name, "with": given}}
        self.client.shell_channel.send(self.client.session.msg("comm_msg", content))
        while True:
            message = self.client.get_iopub_msg(timeout=60)
            self._hear(message)
            if message["msg_type"] == "comm_msg" and message["content"]["data"].get("id") == name:
                answer: dict[str, Any] = message["content"]["data"]
                return answer

    def _hear(self, message: dict[str, Any]) -> None:
        content = message["content"]
        if message["msg_type"] == "comm_open" and content["target_name"] == TARGET:
            self.comm, self.hello = content["comm_id"], content["data"]
        elif message["msg_type"] == "comm_msg" and content["comm_id"] == self.comm:
            self.heard.append(content["data"])
        elif message["msg_type"] == "comm_close":
            self.closed.append(content["comm_id"])


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    home = tmp_path_factory.mktemp("kernel")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("IPYTHONDIR", "XDG_CACHE_HOME", "XDG_DATA_HOME", "HOME"):
            patch.setenv(name, str(home / name))
        manager, client = start_new_kernel()
    found = Kernel(manager, client)
    found.run("%load_ext wasmhub_magics")
    yield found
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def figure(kernel: Kernel, kind: str) -> tuple[str, str]:
    """A figure of the greeter, as it was told last: its module and its text."""
    found = {each["kind"]: each for each in kernel.filters()["greeter"]["figures"]}[kind]
    return found["digest"], found["text"]


def test_the_kernel_says_who_it_is(kernel: Kernel) -> None:
    assert kernel.hello == {"protocol": PROTOCOL, "version": wasmhub_magics.__version__, "filters": []}


def test_what_a_cell_has_built_is_told(kernel: Kernel) -> None:
    kernel.run(GREETER)
    greeter = kernel.filters()["greeter"]
    assert greeter["line"] == "greeter"
    assert greeter["language"] == "python"
    assert greeter["size"] > 1000
    assert greeter["error"] == ""
    kernel.run("%wasm_send greeter GET /")
    (figure,) = kernel.filters()["greeter"]["figures"]
    assert figure == {"kind": "send", "digest": greeter["digest"], "ok": True, "text": "200"}


def test_a_build_that_fails_keeps_the_module_that_was_there(kernel: Kernel) -> None:
    kernel.run(GREETER)
    kernel.run(GREETER.replace("'b'", "= 1"))
    greeter = kernel.filters()["greeter"]
    assert greeter["error"] != ""
    assert greeter["digest"].startswith("sha256:")
    kernel.run(GREETER)
    assert kernel.filters()["greeter"]["error"] == ""


def test_a_run_that_fails_tells_the_line(kernel: Kernel) -> None:
    kernel.run("%%wasm_filter broken\ndef on_request_headers(ctx):\n    x = 1\n    return x['a']\n")
    kernel.run("%wasm_send broken GET /")
    (finding,) = kernel.filters()["broken"]["findings"]
    assert finding["line"] == 4
    assert "TypeError" in finding["message"]
    kernel.run("%%wasm_filter broken\ndef on_request_headers(ctx):\n    x = 1\n")
    assert kernel.filters()["broken"]["findings"] == []


def test_questions_are_answered(kernel: Kernel) -> None:
    kernel.run(GREETER)
    kernel.run("%wasm_push greeter demo/greeter:v1 --description 'says b'")
    page = kernel.ask("images", text="greeter", offset=0, limit=10)["result"]
    assert [each["reference"] for each in page["images"]] == ["demo/greeter:v1"]
    assert page["images"][0]["description"] == "says b"
    details = kernel.ask("image", reference="demo/greeter:v1")["result"]
    assert ["ABI", "0.2.1"] in details["facts"]
    kernel.run(details["cell"])
    assert "greeter" in kernel.filters()
    assert kernel.ask("deployments")["result"] == []


def test_an_earlier_version_is_brought_back_and_the_filter_says_so(kernel: Kernel) -> None:
    kernel.run(GREETER)
    kernel.run("%wasm_deploy greeter --to envoy")
    first = kernel.filters()["greeter"]["digest"]
    kernel.run(GREETER.replace("'b'", "'c'"))
    kernel.run("%wasm_deploy greeter --to envoy")
    second = kernel.filters()["greeter"]["digest"]
    assert figure(kernel, "deploy") == (second, "version 2 on envoy")
    kernel.run("%wasm_rollback greeter")
    assert figure(kernel, "deploy") == (first, "version 3 on envoy")
    rows = kernel.ask("versions", name="greeter", target="envoy")["result"]
    assert [(each["version"], each["digest"]) for each in rows] == [(1, first), (2, second), (3, first)]
    assert rows[2]["note"] == "rollback to version 1"
    (now,) = kernel.ask("rollback", name="greeter", target="envoy", to=2)["result"]
    assert (now["version"], now["digest"]) == (4, second)
    assert figure(kernel, "deploy") == (second, "version 4 on envoy")
    assert kernel.ask("undeploy", name="greeter", target="envoy")["result"] == []


def test_an_example_comes_as_a_cell_that_builds(kernel: Kernel) -> None:
    first = kernel.ask("examples")["result"][0]
    cell = kernel.ask("example", name=first["name"], language="python")["result"]
    assert kernel.run(cell)["status"] == "ok"


def test_what_cannot_be_answered_is_an_error_with_advice(kernel: Kernel) -> None:
    unknown = kernel.ask("weather")
    assert "same version" in unknown["error"]["do"]
    missing = kernel.ask("image", reference="demo/none:v1")
    assert missing["result"] is None
    assert missing["error"]["what"]
    assert kernel.ask("log", name="nobody", target="envoy")["error"]["do"]
    assert "TypeError" in kernel.ask("log", wrong=1)["error"]["what"]


def test_messages_that_are_no_questions_are_passed_over(kernel: Kernel) -> None:
    for data in ({}, {"id": 7}, {"ask": "hello"}):
        content = {"comm_id": kernel.comm, "data": data}
        kernel.client.shell_channel.send(kernel.client.session.msg("comm_msg", content))
    assert kernel.ask("hello")["result"]["protocol"] == PROTOCOL


def test_loading_anew_opens_another_comm(kernel: Kernel) -> None:
    before = kernel.comm
    kernel.run("%reload_ext wasmhub_magics")
    assert kernel.closed[-1] == before
    assert kernel.comm != before
    assert kernel.hello["protocol"] == PROTOCOL


def test_a_notebook_that_is_run_without_a_front_end_is_not_disturbed(tmp_path: Path) -> None:
    import nbclient
    import nbformat

    cells = [nbformat.v4.new_code_cell(text) for text in ("%load_ext wasmhub_magics", GREETER)]
    notebook = nbformat.v4.new_notebook(cells=cells)
    nbclient.NotebookClient(notebook, timeout=60, resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert json.loads(json.dumps(notebook.cells[1].outputs))[0]["output_type"] == "execute_result"
