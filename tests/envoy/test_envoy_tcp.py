"""TCP connections through network filters: the embedded proxy does what the real Envoy does."""

from __future__ import annotations

import contextlib
import socket
import struct
import tempfile
import time
from pathlib import Path

import pytest

from wasmhub_magics.envoy import config
from wasmhub_magics.envoy.barrier import Barrier
from wasmhub_magics.envoy.binary import find_envoy
from wasmhub_magics.envoy.log import filter_lines
from wasmhub_magics.envoy.process import EnvoyProcess
from wasmhub_magics.http import Response
from wasmhub_magics.proxy import Proxy

PATIENCE = 2.0
TYPE = "type.googleapis.com/envoy.extensions.filters.network."


class RealTcp:
    """An Envoy with network filters before a TCP proxy; client and upstream are sockets of the test."""

    def __init__(self, plugins):
        self.plugins = [(plugin, plugin.vm_id or "vm") for plugin in plugins]
        self.listener = socket.create_server(("127.0.0.1", 0))
        directory = Path(tempfile.mkdtemp(prefix="wasmhub-tcp-"))
        chain = []
        for plugin, vm_id in self.plugins:
            code = directory / f"{plugin.module.digest[7:]}.wasm"
            code.write_bytes(plugin.module.data)
            wanted = config.wasm_filter(plugin, code, vm_id)["config"]
            chain.append({"name": "wasm", "typed_config": {"@type": TYPE + "wasm.v3.Wasm", "config": wanted}})
        proxy = {"@type": TYPE + "tcp_proxy.v3.TcpProxy", "stat_prefix": "tcp", "cluster": "tcp"}
        chain.append({"name": "tcp", "typed_config": proxy})
        address = {"socket_address": {"address": "127.0.0.1", "port_value": 0}}
        extra = {"name": "tcp", "address": address, "filter_chains": [{"filters": chain}]}
        port = self.listener.getsockname()[1]
        bootstrap = config.bootstrap(
            [],
            config.cluster("127.0.0.1", port),
            extra=[extra],
            clusters=[config.cluster("127.0.0.1", port, name="tcp")],
        )
        self.process = EnvoyProcess(find_envoy(), bootstrap, directory, log_level="trace")
        self.barrier = Barrier(self.process.ports["barrier"])

    def lines(self, mark):
        self.process.drain()
        found = filter_lines(self.process.log.since(mark), self.plugins, without=self.process.pid)
        return [line.message.partition("\n")[0] for line in found]

    def connect(self, pieces, answer, abort=False):
        """What upstream and client got, and what was logged."""
        mark = self.process.log.count
        got_there = got_back = b""
        with socket.create_connection(("127.0.0.1", self.process.ports["tcp"]), timeout=PATIENCE) as client:
            self.listener.settimeout(PATIENCE / 4)
            try:
                upstream, _ = self.listener.accept()
            except TimeoutError:
                upstream = None
            with upstream or contextlib.nullcontext():
                for piece in pieces if abort else [*pieces, None]:
                    self.barrier.wait(PATIENCE)
                    with contextlib.suppress(OSError):
                        if piece is None:
                            client.shutdown(socket.SHUT_WR)
                        else:
                            client.sendall(piece)
                    self.barrier.wait(PATIENCE)
                    if upstream is None:
                        continue
                    got = available(upstream)
                    got_there += got
                    with contextlib.suppress(OSError):
                        if got and (back := answer(got)):
                            upstream.sendall(back)
                            self.barrier.wait(PATIENCE)
                        if piece is None:
                            upstream.shutdown(socket.SHUT_WR)
                    self.barrier.wait(PATIENCE)
                    got_back += available(client)
                self.barrier.wait(PATIENCE)
                if abort:
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    client.close()
                    self.barrier.wait(PATIENCE)
        deadline = time.monotonic() + PATIENCE
        while self.barrier.wait(PATIENCE) and time.monotonic() < deadline:
            if any(line.startswith(("delete", "Function")) for line in self.lines(mark)):
                break
        return got_there, got_back, self.lines(mark)

    def close(self):
        self.barrier.close()
        self.process.stop()
        self.listener.close()


def available(sock):
    """What has come in by now."""
    sock.setblocking(False)
    data = b""
    with contextlib.suppress(OSError):
        while more := sock.recv(1 << 16):
            data += more
    sock.setblocking(True)
    return data


LOOK = """
downstream body 2 0 99
downstream bodysize 2
upstream body 3 0 99
upstream bodysize 3
"""
SCRIPTS = {
    "nothing": "",
    "looks": LOOK
    + """
connection body 2 0 9
connection bodysize 3
downstream body 3 0 9
upstream body 2 0 9
downstream_close body 2 0 9
log body 3 0 9
""",
    "rewrites": """
downstream putbody 2 0 0 before-
downstream putbody 2 99 0 -after
upstream putbody 3 0 999 changed
connection putbody 2 0 0 x
log putbody 3 0 0 x
""",
    "holds back until the end": LOOK + "downstream return 1\ndownstream_end return 0\n",
    "holds the answer back": LOOK + "upstream return 1\nupstream_end return 0\n",
    "goes on by itself": "downstream return 1\ndownstream continue 2\n" + LOOK,
    "closes at a piece": "downstream close 2\n" + LOOK,
    "closes at an answer": "upstream close 3\n" + LOOK,
    "refuses streams of HTTP": """
downstream continue 0
downstream continue 3
downstream continue 9
downstream close 0
downstream close 9
downstream get 0 :path
downstream pairs 0
downstream add 2 a b
""",
    "properties": """
connection prop plugin_name
connection prop request.path
connection prop response.code
connection prop connection.mtls
connection prop connection.requested_server_name
connection prop connection.nothing
connection prop upstream.address
connection prop nothing
connection setprop mine value
downstream prop mine
log prop mine
""",
    "traps at the start": "connection trap",
    "traps at a piece": "downstream trap",
    "traps at an answer": "upstream trap",
    "traps at the end": "downstream_close trap",
    "traps in the log": "log trap",
}


def compare(plugins, connections, abort=False):
    real = RealTcp(plugins)
    try:
        with Proxy(plugins) as embedded:
            for pieces in connections:
                mine = embedded.connect(pieces, lambda data: b"<" + data + b">", abort=abort)
                theirs = real.connect(pieces, lambda data: b"<" + data + b">", abort)
                lines = [line.message.partition("\n")[0] for line in mine.log]
                assert (mine.upstream_received, mine.client_received) == theirs[:2]
                assert lines == theirs[2]
    finally:
        real.close()


@pytest.mark.parametrize("name", SCRIPTS)
def test_both_proxies_agree_on_connections(puppet, name):
    compare([puppet(SCRIPTS[name])], ([b"one", b"two"], [b"three"]))


def test_both_proxies_agree_on_a_client_that_goes_away(puppet):
    compare([puppet(LOOK)], ([b"one"],), abort=True)


@pytest.mark.parametrize("policy", ["closed", "open"])
def test_both_proxies_agree_on_failed_plugins(puppet, policy):
    compare([puppet("downstream trap", failure_policy=policy)], ([b"one"], [b"two"], [b"three"]))


def test_both_proxies_agree_on_a_chain(puppet):
    chain = [
        puppet("downstream putbody 2 0 0 1\nupstream putbody 3 0 0 1", name="a", vm_id="a"),
        puppet("downstream putbody 2 0 0 2\nupstream putbody 3 0 0 2", name="b", vm_id="b"),
    ]
    compare(chain, ([b"x", b"y"],))


def test_a_call_out_lets_a_held_connection_go_on(puppet):
    script = """downstream call auth 0 :method=GET;:path=/;:authority=a - x
        downstream return 1
        on_call stream
        on_call body 4 0 9
        on_call continue 2"""
    with Proxy(puppet(script), clusters={"auth": Response(200, body="yes")}) as embedded:
        connection = embedded.connect(b"hello")
    assert connection.upstream_received == b"hello"
    assert connection.calls[0].cluster == "auth"
    assert "body -> 0 yes" in [line.message for line in connection.log]
    assert [c.name for c in connection.trace][:3] == [
        "proxy_on_context_create",
        "proxy_on_new_connection",
        "proxy_on_downstream_data",
    ]
