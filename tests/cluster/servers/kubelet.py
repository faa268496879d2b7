"""What the API server asks of a kubelet about pods whose programs the tests have started: logs and ports.

The API server is the real one, and asks at the address and the port that the Node object names.
"""

from __future__ import annotations

import contextlib
import http.server
import ssl
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import trustme

from .apiserver import ApiServer
from .forward import forward

__all__ = ["Kubelet", "kubelet"]

NODE = "node-1"


class Log:
    """What some files of a pod say, each line with the time at which it was found there."""

    def __init__(self, files: tuple[Path, ...]) -> None:
        self._offsets = dict.fromkeys(files, 0)
        self._lines: list[tuple[int, str]] = []
        self._lock = threading.Lock()

    def lines(self) -> list[tuple[int, str]]:
        with self._lock:
            for file, offset in self._offsets.items():
                with file.open("rb") as opened:
                    opened.seek(offset)
                    whole = opened.read().rpartition(b"\n")
                self._offsets[file] += len(whole[0]) + len(whole[1])
                for line in whole[0].decode("utf-8", "replace").splitlines():
                    last = self._lines[-1][0] if self._lines else 0
                    self._lines.append((max(time.time_ns(), last + 1), line))
            return list(self._lines)


class Kubelet:
    """A node of the cluster; ``run`` says that a pod is on it and where its log is."""

    def __init__(self, server: ApiServer, address: str) -> None:
        self.server, self.address = server, address
        self.logs: dict[tuple[str, str, str], Log] = {}
        self.ports: dict[tuple[str, str, int], int] = {}
        """Ports of pods that have another number here."""

    def run(self, pod: dict, namespace: str, container: str, *files: Path) -> None:
        """Create a pod that runs here, ready, and with the log in these files."""
        pod["spec"]["nodeName"] = NODE
        made = self.server.create(pod, "pods", namespace)
        name = made["metadata"]["name"]
        self.logs[namespace, name, container] = Log(files)
        made["status"] = {
            "phase": "Running",
            "podIP": self.address,
            "podIPs": [{"ip": self.address}],
            "conditions": [{"type": "Ready", "status": "True"}],
        }
        self.server.ask("PUT", f"/api/v1/namespaces/{namespace}/pods/{name}/status", made)


@contextlib.contextmanager
def kubelet(server: ApiServer, address: str) -> Iterator[Kubelet]:
    """A node at an address; it ends with the block."""
    node = Kubelet(server, address)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            _, kind, *of = parts.path.split("/")
            if kind == "portForward":
                port = int(parse_qs(parts.query)["port"][0])
                forward(self, port, node.ports.get((*of, port), port))
                return
            found = node.logs.get(tuple(of)) if kind == "containerLogs" else None
            body = b"" if found is None else _chosen(found.lines(), parse_qs(parts.query)).encode()
            self.send_response(404 if found is None else 200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca = trustme.CA()
    ca.issue_cert(address).configure_cert(context)
    with http.server.ThreadingHTTPServer((address, 0), Handler) as running:
        running.socket = context.wrap_socket(running.socket, server_side=True)
        threading.Thread(target=running.serve_forever, daemon=True).start()
        made = server.create({"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE}}, "nodes")
        made["status"] = {
            "addresses": [{"type": "InternalIP", "address": address}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": running.server_port}},
        }
        server.ask("PUT", f"/api/v1/nodes/{NODE}/status", made)
        yield node
        running.shutdown()


def _chosen(lines: list[tuple[int, str]], options: dict[str, list[str]]) -> str:
    """The lines that are asked for, as a kubelet gives them."""
    if "sinceTime" in options:
        since = datetime.fromisoformat(options["sinceTime"][0]).timestamp() * 1e9
        lines = [each for each in lines if each[0] >= since]
    if "tailLines" in options:
        lines = lines[max(0, len(lines) - int(options["tailLines"][0])) :]
    stamped = options.get("timestamps") == ["true"]
    return "".join(f"{_stamp(at)} {line}\n" if stamped else f"{line}\n" for at, line in lines)


def _stamp(at: int) -> str:
    second = datetime.fromtimestamp(at // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{second}.{at % 10**9:09d}Z"
