"""A container on this machine, by the ``docker`` SDK, that never outlives this process."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path
from typing import Any

from ..docker_client import connect, reason_of
from ..errors import DeployError

__all__ = ["Running", "start"]

# Waits for the end of its input, which comes when this process ends in whatever way, and tidies up.
GUARD = (
    "import os, shutil, sys; sys.stdin.read(); import docker\n"
    "try: docker.from_env().containers.get(sys.argv[1]).remove(force=True)\n"
    "except docker.errors.NotFound: pass\n"
    "finally: shutil.rmtree(sys.argv[2], ignore_errors=True)"
)


class Running:
    """A container that was started here."""

    def __init__(self, container: Any, folder: Path) -> None:
        self._container = container
        self.name = str(container.name)
        self._guard = subprocess.Popen(
            [sys.executable, "-c", GUARD, container.id, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        from docker.errors import DockerException

        try:
            self._container.reload()
        except (DockerException, OSError):
            return False
        return bool(self._container.status == "running")

    def log(self) -> str:
        """What it has written."""
        from docker.errors import DockerException

        with contextlib.suppress(DockerException, OSError):
            return str(self._container.logs().decode("utf-8", "replace"))
        return ""

    def tail(self) -> str:
        """The last lines."""
        return "\n".join(self.log().splitlines()[-5:])

    def remove(self) -> None:
        """End it and remove it."""
        from docker.errors import DockerException

        with contextlib.suppress(DockerException, OSError):
            self._container.remove(force=True)
        self._guard.kill()
        self._guard.wait()
        if self._guard.stdin is not None:
            self._guard.stdin.close()
        self._container.client.close()


def start(image: str, folder: Path, inside: str) -> Running:
    """Start an image of Envoy on the host's network, with a directory in it that has its configuration.

    Raises DeployError without Docker's package, a daemon, or the image.
    """
    client = connect(DeployError)
    from docker.errors import DockerException

    command = ["-c", f"{inside}/envoy.json", "--admin-address-path", f"{inside}/told/admin.txt"]
    command += ["--disable-hot-restart", "--component-log-level", "wasm:info", "-l", "warning"]
    command += ["--drain-time-s", "1", "--concurrency", "1", "--file-flush-interval-msec", "100"]
    try:
        _have(client, image)
        made = client.containers.create(
            image,
            command,
            network_mode="host",
            volumes={str(folder): {"bind": inside, "mode": "rw"}},
            labels={"wasmhub": "envoy"},
        )
    except DeployError:
        client.close()
        raise
    except (DockerException, OSError) as error:
        client.close()
        raise DeployError(
            f"Docker makes no container of {image}: {reason_of(error)}", do="read the reason"
        ) from None
    running = Running(made, folder)
    try:
        made.start()
    except (DockerException, OSError) as error:
        running.remove()
        raise DeployError(
            f"Docker does not start {image}: {reason_of(error)}", do="read the reason"
        ) from None
    return running


def _have(client: Any, image: str) -> None:
    from docker.errors import DockerException, ImageNotFound

    try:
        client.images.get(image)
        return
    except ImageNotFound:
        pass
    try:
        client.images.pull(image)
    except (DockerException, OSError) as error:
        raise DeployError(
            f"there is no image {image} on this machine, and it cannot be fetched: {reason_of(error)}",
            do="pass another image=",
        ) from None
