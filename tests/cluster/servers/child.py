"""Servers that end with the process that started them, however that ends."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from .programs import tool


def spawn(command: list[str], log: Path, env: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
    """Start a server in the background, out of reach of Ctrl-C; what it says goes to the end of a file."""
    setpriv = tool("setpriv", "apt-get install util-linux")
    with log.open("ab") as output:
        return subprocess.Popen(
            [setpriv, "--pdeathsig", "KILL", *command], stdin=subprocess.DEVNULL, stdout=output,
            stderr=output, start_new_session=True, env={**os.environ, **(env or {})},
        )  # fmt: skip
