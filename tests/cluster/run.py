"""Run a command with a real API server and a real registry at hand: KUBECONFIG and REGISTRY name them."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from servers import crds
from servers.apiserver import api_server
from servers.registry import docker_registry


def main() -> int:
    """Run what the arguments say; its exit status."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "registry").mkdir()
        with (
            api_server(Path(folder) / "api") as server,
            docker_registry(Path(folder) / "registry") as registry,
        ):
            server.load(crds.products())
            server.namespace("shop")
            environment = {**os.environ, "KUBECONFIG": str(server.kubeconfig), "REGISTRY": registry}
            return subprocess.run(sys.argv[1:], env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
