"""A connection to the Docker daemon of this machine, by the ``docker`` SDK."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import WasmhubError

if TYPE_CHECKING:
    from docker import DockerClient

__all__ = ["connect", "reason_of"]


def connect(error: type[WasmhubError], *, timeout: float = 600) -> DockerClient:
    """A client of the daemon of ``DOCKER_HOST``, or of the usual one. Raises ``error`` where none is."""
    try:
        import docker
        from docker.errors import DockerException
    except ImportError:
        raise error("the client of Docker is not here", do='pip install "wasmhub-magics[docker]"') from None
    host = os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"
    client = None
    try:
        if os.name == "posix" and host.startswith("unix://"):
            Path(host.removeprefix("unix://")).stat()
        client = docker.from_env(timeout=timeout)
        client.ping()
    except (DockerException, OSError) as failed:
        if client is not None:
            client.close()
        raise error(
            f"no Docker daemon answers: {reason_of(failed)}",
            do="start Docker, or name its socket in DOCKER_HOST",
        ) from None
    return client


def reason_of(error: Exception) -> str:
    """The reason in what Docker's package says, in a line."""
    text = str(getattr(error, "explanation", None) or error)
    inner = re.findall(
        r"\[Errno \d+\] ([^'\")]+)|(No such file or directory|Permission denied|refused)", text
    )
    found = next((part for pair in inner for part in pair if part), "")
    return (found or text.splitlines()[0] if text else type(error).__name__)[:200]
