"""A real registry: Debian's docker-registry."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from .apiserver import HOST, free_port
from .child import spawn
from .programs import tool


@contextlib.contextmanager
def docker_registry(folder: Path) -> Iterator[str]:
    """Start it over a folder; its address."""
    command = tool("docker-registry", "apt-get install docker-registry")
    port = free_port()
    config = folder / "registry.yml"
    config.write_text(
        f"version: 0.1\nlog: {{level: warn}}\nstorage: {{filesystem: {{rootdirectory: {folder / 'data'}}}}}\n"
        f"http: {{addr: {HOST}:{port}}}\n"
    )
    log = folder / "registry.log"
    child = spawn([command, "serve", str(config)], log)
    try:
        deadline = time.monotonic() + 60
        while True:
            with contextlib.suppress(OSError), socket.create_connection((HOST, port), 1):
                break
            if child.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"docker-registry did not start: {log.read_text()}")
            time.sleep(0.02)
        yield f"{HOST}:{port}"
    finally:
        child.kill()
        child.wait()
