"""A real Docker daemon pulls what it is said to pull from a served store, and pushes into it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.hub.peers import program
from wasmhub_magics.hub import pull, push, serve
from wasmhub_magics.module import Module

Docker = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def docker() -> Iterator[Docker]:
    """The client of a daemon of our own, which touches neither the network's rules nor another daemon."""
    with TemporaryDirectory(prefix="wd-", ignore_cleanup_errors=True) as name:
        folder = Path(name)  # short: the path of a socket has a limit
        socket = f"unix://{folder}/s"
        flags = ["--iptables=false", "--ip6tables=false", "--ip-forward=false", "--bridge=none"]
        command = [program("dockerd"), "--host", socket, "--data-root", folder / "data", "--exec-root",
                   folder / "exec", "--pidfile", folder / "pid", *flags]  # fmt: skip
        with (folder / "log").open("w") as log:
            daemon = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)

        def run(*words: object) -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                [program("docker"), "--host", socket, *map(str, words)],
                capture_output=True, text=True, check=False, timeout=120, env=os.environ,
            )  # fmt: skip

        try:
            until = time.monotonic() + 60
            while run("version").returncode:
                assert daemon.poll() is None, (folder / "log").read_text()
                assert time.monotonic() < until, (folder / "log").read_text()
            yield run
        finally:
            daemon.send_signal(signal.SIGTERM)
            daemon.wait(60)


def test_docker_pulls_pushes_and_opens_an_image_and_refuses_what_the_report_says(
    docker: Docker, module: Module, tmp_path: Path
) -> None:
    with serve() as server:
        image = push(module, "team/greeter:v1", layout="all")
        there = f"{server.address}/team/greeter:v1"
        for each, name in ((image, there), *((each, f"{there}-{each.layout}") for each in image.related)):
            said = {consumer.product: consumer.pulls for consumer in each.consumers}
            done = docker("pull", name)
            assert (done.returncode == 0) is said["docker, podman, Kubernetes"], done.stderr
        made = docker("create", there, "x")
        assert docker("cp", f"{made.stdout.strip()}:/plugin.wasm", tmp_path / "out.wasm").returncode == 0
        assert (tmp_path / "out.wasm").read_bytes() == module.data
        mine = f"{server.address}/team/by-docker:v1"
        assert docker("tag", there, mine).returncode == 0
        assert docker("push", mine).returncode == 0
        pulled, told = pull("team/by-docker:v1")
        assert (pulled, told.layout) == (module, "docker")
