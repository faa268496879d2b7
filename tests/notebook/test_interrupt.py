"""Interrupting a cell, in a real kernel."""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from jupyter_client.blocking import BlockingKernelClient
from jupyter_client.manager import KernelManager

from tests.notebook.conftest import PYTHON_GREETER

SECONDS = 60

SLOW_C = """\
%%wasm_filter slow_c --lang c --force
#define A x = x * 3 + y; y = y ^ x;
#define B A A A A A A A A A A
#define C B B B B B B B B B B
#define D C C C C C C C C C C
#define E D D D D D D D D D D
unsigned f(unsigned x, unsigned y) { E E E E E E E E return x; }
"""

ENDLESS = """\
%%wasm_filter endless
def on_request_headers(ctx):
    while True:
        pass
"""


class Kernel:
    """A kernel of its own process, and what it says."""

    def __init__(self, manager: KernelManager, client: BlockingKernelClient) -> None:
        self.manager = manager
        self.client = client
        self.process = psutil.Process(manager.provisioner.process.pid)  # type: ignore[union-attr, attr-defined]

    def run(self, code: str) -> dict[str, Any]:
        """Run a cell to its end and return the reply."""
        return self._reply(self._send(code))

    def interrupt(self, code: str, when: Callable[[], bool]) -> dict[str, Any]:
        """Run a cell, interrupt it once something is so, and return the reply."""
        sent = self._send(code)
        until = time.monotonic() + SECONDS
        while not when():
            assert time.monotonic() < until, "the cell never came to what was to be interrupted"
            time.sleep(0.02)
        self.manager.interrupt_kernel()
        return self._reply(sent)

    def children(self) -> list[psutil.Process]:
        """Processes that the kernel has started and that still run."""
        found = self.process.children(recursive=True)
        return [each for each in found if each.is_running() and each.status() != psutil.STATUS_ZOMBIE]

    def _send(self, code: str) -> str:
        """Send a cell; one after it is taken also where it fails.

        A kernel replies first and then aborts the cells that wait, also one that has come in between.
        """
        return str(self.client.execute(code, stop_on_error=False))

    def _reply(self, sent: str) -> dict[str, Any]:
        while True:
            reply = self.client.get_shell_msg(timeout=SECONDS)
            if reply["parent_header"].get("msg_id") == sent:
                content: dict[str, Any] = reply["content"]
                return content


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    home = tmp_path_factory.mktemp("kernel")
    spec = home / "data" / "kernels" / "under_test"
    spec.mkdir(parents=True)
    command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (spec / "kernel.json").write_text(
        json.dumps({"argv": command, "display_name": "x", "language": "python"})
    )
    places = {"IPYTHONDIR": "ipython", "XDG_CACHE_HOME": "cache", "XDG_DATA_HOME": "share", "HOME": "home",
              "JUPYTER_RUNTIME_DIR": "runtime", "JUPYTER_CONFIG_DIR": "config"}  # fmt: skip
    env = os.environ | {name: str(home / place) for name, place in places.items()}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_DATA_DIR", str(home / "data"))
        patch.setenv("JUPYTER_RUNTIME_DIR", str(home / "runtime"))
        (home / "runtime").mkdir()
        (home / "home").mkdir()
        manager = KernelManager(kernel_name="under_test")
        manager.start_kernel(env=env, cwd=str(home))
        client = manager.client()
        client.start_channels()
        try:
            client.wait_for_ready(timeout=SECONDS)
            made = Kernel(manager, client)
            assert made.run("%load_ext wasmhub_magics")["status"] == "ok"
            assert made.run("%%wasm_filter greeter\n" + PYTHON_GREETER)["status"] == "ok"
            yield made
        finally:
            client.stop_channels()
            manager.shutdown_kernel(now=True)
            manager.cleanup_resources()
            manager.context.destroy(linger=0)


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    """A file that code in the kernel makes when it has come to a point."""
    return tmp_path / "reached"


def check(kernel: Kernel, reply: dict[str, Any], children: int = 0) -> None:
    """The cell ended by the interrupt, nothing was left behind, and the kernel goes on."""
    assert (reply["status"], reply.get("ename")) == ("error", "KeyboardInterrupt"), reply
    assert "wasmhub_magics/" not in "\n".join(reply["traceback"])
    assert kernel.run("%wasm_send greeter / -H 'x-user: ada'")["status"] == "ok"
    assert kernel.run("assert 1 + 1 == 2")["status"] == "ok"
    until = time.monotonic() + 10
    while len(kernel.children()) > children and time.monotonic() < until:
        time.sleep(0.05)
    assert len(kernel.children()) == children


def test_a_build_is_interrupted_and_its_compiler_is_gone(kernel: Kernel) -> None:
    check(kernel, kernel.interrupt(SLOW_C, lambda: bool(kernel.children())))


def test_a_send_into_an_endless_loop_is_interrupted(kernel: Kernel, marker: Path) -> None:
    assert kernel.run(ENDLESS)["status"] == "ok"
    patient = (
        "import wasmhub_magics as w\npatient = endless.configure(limits=w.Limits(callback_seconds=60))\n"
    )
    assert kernel.run(patient)["status"] == "ok"
    cell = f"open({str(marker)!r}, 'w').close()\n%wasm_send patient /"
    before = time.monotonic()
    reply = kernel.interrupt(cell, lambda: marker.exists() and time.monotonic() - before > 1)
    check(kernel, reply)


def test_a_send_to_an_upstream_in_python_is_interrupted(kernel: Kernel, marker: Path) -> None:
    upstream = (
        f"import time\ndef slow(request):\n    open({str(marker)!r}, 'w').close()\n    time.sleep(60)\n"
    )
    assert kernel.run(upstream)["status"] == "ok"
    check(kernel, kernel.interrupt("%wasm_send greeter / --upstream @slow", marker.exists))


def test_a_send_through_the_real_envoy_is_interrupted_and_envoy_is_gone(kernel: Kernel, marker: Path) -> None:
    upstream = (
        f"import time\ndef slow(request):\n    open({str(marker)!r}, 'w').close()\n    time.sleep(60)\n"
    )
    assert kernel.run(upstream)["status"] == "ok"
    check(kernel, kernel.interrupt("%wasm_send greeter / --engine envoy --upstream @slow", marker.exists))


def test_a_bench_is_interrupted(kernel: Kernel, marker: Path) -> None:
    cell = f"open({str(marker)!r}, 'w').close()\n%wasm_bench greeter --seconds 60"
    before = time.monotonic()
    check(kernel, kernel.interrupt(cell, lambda: marker.exists() and time.monotonic() - before > 1))


def test_a_push_to_a_registry_that_never_answers_is_interrupted(kernel: Kernel) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        silent.settimeout(SECONDS)
        accepted: list[socket.socket] = []

        def asked() -> bool:
            if not accepted:
                accepted.append(silent.accept()[0])
            return True

        cell = f"%wasm_push greeter 127.0.0.1:{silent.getsockname()[1]}/demo/greeter:v1"
        try:
            check(kernel, kernel.interrupt(cell, asked))
        finally:
            for connection in accepted:
                connection.close()
