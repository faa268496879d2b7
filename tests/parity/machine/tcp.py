"""TCP connections through network filters, in the embedded proxy and in the real Envoy."""

from __future__ import annotations

import contextlib
import socket
import struct
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from types import TracebackType
from typing import Self

from wasmhub_magics.envoy import config
from wasmhub_magics.envoy.barrier import Barrier
from wasmhub_magics.envoy.binary import find_envoy
from wasmhub_magics.envoy.log import filter_lines
from wasmhub_magics.envoy.process import EnvoyProcess
from wasmhub_magics.envoy.report import Difference
from wasmhub_magics.plugin import Plugin
from wasmhub_magics.proxy import Proxy
from wasmhub_magics.proxy.tcp import Connection

from .tcp_model import TcpCase, tcp_cases

__all__ = ["RealTcp", "Verdict", "connections", "played"]

PATIENCE = 5.0
TYPE = "type.googleapis.com/envoy.extensions.filters.network."


class RealTcp:
    """An Envoy with a listener for each chain of network filters; client and upstream are sockets of ours."""

    def __init__(self, chains: Iterable[tuple[Plugin, ...]]) -> None:
        self.chains = [[(plugin, plugin.vm_id or "vm") for plugin in chain] for chain in chains]
        self.listener = socket.create_server(("127.0.0.1", 0))
        directory = Path(tempfile.mkdtemp(prefix="wasmhub-tcp-"))
        listeners = []
        for number, chain in enumerate(self.chains):
            filters: list[config.Json] = []
            for plugin, vm_id in chain:
                code = directory / f"{plugin.module.digest[7:]}.wasm"
                code.write_bytes(plugin.module.data)
                wanted = config.wasm_filter(plugin, code, vm_id)["config"]
                filters.append(
                    {"name": "wasm", "typed_config": {"@type": TYPE + "wasm.v3.Wasm", "config": wanted}}
                )
            proxy = {"@type": TYPE + "tcp_proxy.v3.TcpProxy", "stat_prefix": "tcp", "cluster": "tcp"}
            filters.append({"name": "tcp", "typed_config": proxy})
            address = {"socket_address": {"address": "127.0.0.1", "port_value": 0}}
            listeners.append(
                {"name": f"tcp{number}", "address": address, "filter_chains": [{"filters": filters}]}
            )
        port = self.listener.getsockname()[1]
        bootstrap = config.bootstrap(
            [],
            config.cluster("127.0.0.1", port),
            extra=listeners,
            clusters=[config.cluster("127.0.0.1", port, name="tcp")],
        )
        self.process = EnvoyProcess(find_envoy(), bootstrap, directory, log_level="trace")
        self.barrier = Barrier(self.process.ports["barrier"])

    def lines(self, chain: int, mark: int) -> list[str]:
        """What the filters of a chain have logged since then."""
        self.process.drain()
        found = filter_lines(self.process.log.since(mark), self.chains[chain], without=self.process.pid)
        return [line.message.partition("\n")[0] for line in found]

    def connect(
        self,
        pieces: Iterable[bytes],
        answer: Callable[[bytes], bytes],
        abort: bool = False,
        chain: int = 0,
        *,
        ends: bool = True,
    ) -> tuple[bytes, bytes, list[str]]:
        """What upstream and client got, and what was logged; ``ends`` tells that the log tells of the end."""
        self.process.drain()
        mark = self.process.log.count
        got_there = got_back = b""
        port = self.process.ports[f"tcp{chain}"]
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as client:
            self.barrier.wait(PATIENCE)
            self.listener.settimeout(0.3)
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
                    got = _available(upstream)
                    got_there += got
                    with contextlib.suppress(OSError):
                        if got and (back := answer(got)):
                            upstream.sendall(back)
                            self.barrier.wait(PATIENCE)
                        if piece is None:
                            upstream.shutdown(socket.SHUT_WR)
                    self.barrier.wait(PATIENCE)
                    got_back += _available(client)
                self.barrier.wait(PATIENCE)
                if abort:
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    client.close()
                    self.barrier.wait(PATIENCE)
        deadline = time.monotonic() + PATIENCE
        while ends and self.barrier.wait(PATIENCE) and time.monotonic() < deadline:
            if any(_ended(line) for line in self.lines(chain, mark)):
                break
        self.barrier.wait(PATIENCE)
        return got_there, got_back, self.lines(chain, mark)

    def close(self) -> None:
        """Stop Envoy."""
        self.barrier.close()
        self.process.stop()
        self.listener.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _ended(line: str) -> bool:
    words = line.split()
    return words[:1] in (["delete"], ["Function:"]) or (words[:1] == ["=="] and words[2] == "delete")


def _available(sock: socket.socket) -> bytes:
    """What has come in by now."""
    sock.setblocking(False)
    data = b""
    with contextlib.suppress(OSError):
        while more := sock.recv(1 << 16):
            data += more
    sock.setblocking(True)
    return data


def _answer(data: bytes) -> bytes:
    return b"<" + data + b">"


def connections(seed: str, cases: int) -> Iterator[Verdict]:
    """Each connection of random cases from a seed."""
    return played(list(tcp_cases(seed, cases)))


@dataclass(frozen=True)
class Verdict:
    """How one connection of a case went."""

    case: TcpCase
    number: int
    differences: tuple[Difference, ...]
    embedded: Connection


def played(cases: Sequence[TcpCase]) -> Iterator[Verdict]:
    """Each connection of some cases, in the embedded proxy and in one Envoy for all of them."""
    chains = [case.plugins(f"t{number}") for number, case in enumerate(cases)]
    with RealTcp(chains) as real:
        for chain, (case, plugins) in enumerate(zip(cases, chains, strict=True)):
            with Proxy(plugins) as embedded:
                for number, client in enumerate(case.clients):
                    mine = embedded.connect(client.pieces, _answer, abort=client.abort)
                    logged = [line.message.partition("\n")[0] for line in mine.log]
                    there, back, lines = real.connect(
                        client.pieces, _answer, client.abort, chain, ends=any(map(_ended, logged))
                    )
                    pairs = [
                        ("upstream", repr(mine.upstream_received), repr(there)),
                        ("client", repr(mine.client_received), repr(back)),
                        *(
                            (f"log line {at + 1}", *both)
                            for at, both in enumerate(zip_longest(logged, lines, fillvalue="no line"))
                        ),
                    ]
                    found = tuple(Difference(number, *each) for each in pairs if each[1] != each[2])
                    yield Verdict(case, number, found, mine)
