"""A real Docker daemon for tests: without networks, on a socket in a short path, gone with the block."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def dockerd() -> Iterator[str]:
    """Start it and let ``DOCKER_HOST`` name it; its address."""
    home = Path(tempfile.mkdtemp(prefix="dockerd-"))
    socket = f"unix://{home}/s"
    command = ["dockerd", "--host", socket, "--data-root", home / "data", "--exec-root", home / "exec"]
    command += ["--pidfile", home / "pid", "--iptables=false", "--ip6tables=false", "--ip-forward=false"]
    command += ["--bridge=none", "--log-level=info"]
    with (home / "log").open("w") as log:
        running = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        try:
            while "API listen on" not in (home / "log").read_text():
                assert running.poll() is None, (home / "log").read_text()[-2000:]
                threading.Event().wait(0.05)
            before, os.environ["DOCKER_HOST"] = os.environ.get("DOCKER_HOST"), socket
            yield socket
            os.environ.pop("DOCKER_HOST")
            if before is not None:
                os.environ["DOCKER_HOST"] = before
        finally:
            running.send_signal(signal.SIGTERM)
            running.wait(60)
    for line in Path("/proc/mounts").read_text().splitlines():
        if line.split()[1].startswith(str(home)):
            subprocess.run(["umount", "--lazy", line.split()[1]], check=False)
    shutil.rmtree(home, ignore_errors=True)
