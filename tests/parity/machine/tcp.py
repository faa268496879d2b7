"""Random TCP connections through network filters, in the embedded proxy and in the real Envoy."""

from __future__ import annotations

import contextlib
import socket
import struct
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self

from wasmhub_magics.envoy import config
from wasmhub_magics.envoy.barrier import Barrier
from wasmhub_magics.envoy.binary import find_envoy
from wasmhub_magics.envoy.log import filter_lines
from wasmhub_magics.envoy.process import EnvoyProcess
from wasmhub_magics.plugin import Plugin
from wasmhub_magics.proxy import Proxy
from wasmhub_magics.proxy.tcp import Connection

from .beside import Beside
from .model import Filter, Step, probe

__all__ = ["Client", "RealTcp", "TcpCase", "connections", "tcp_cases"]

PATIENCE = 5.0
TYPE = "type.googleapis.com/envoy.extensions.filters.network."
PATHS = (
    *("plugin_name", "request.path", "response.code", "connection.mtls", "connection.tls_version"),
    *("connection.requested_server_name", "connection.nothing", "connection", "source", "metadata"),
    *("filter_state", "mine", "nothing", "", "plugin_root_id", "filter_state.wasm.mine"),
)
PLACES = ("source.address", "source.port", "destination.address", "destination.port", "connection.id")
ANYWHERE = ("n1", "D1", "D2", "D*", "D$", "U1", "U$", "f1", "u1", "l1", "d1", "c1")


@dataclass(frozen=True)
class Client:
    """What a client sends, piece by piece, and whether it goes away instead of ending."""

    pieces: tuple[bytes, ...]
    abort: bool = False


@dataclass(frozen=True)
class TcpCase:
    """Network filters, whose steps run for every connection, and clients one after another."""

    filters: tuple[Filter, ...]
    clients: tuple[Client, ...]
    seed: str = ""

    def plugins(self, vm: str) -> tuple[Plugin, ...]:
        return tuple(
            replace(each.plugin(index, vm), module=probe(each.abi, tcp=True))
            for index, each in enumerate(self.filters)
        )


class Connecting(Beside):
    """Makes cases of connections."""

    def tcp_step(self, when: str) -> Iterator[Step]:
        op = self.weighted(
            buf=6, bst=3, put=4, prop=6, propsize=2, setprop=2, get=1, add=0.5, pairs=1, context=1,
            status=1, log=1, close=0.3, go=0.5, wasi=1, shared=2, level=0.3, time=0.3,
        )  # fmt: skip
        late = when[0] in "fuldx"
        kinds = ("4", "5", "6", "7", "9") if late else ("2", "3", "2", "3", "0", "1", "4", "6")
        match op:
            case "buf":
                yield when, op, self.pick(*kinds), self.number(), self.number()
            case "bst":
                yield when, op, self.pick(*kinds)
            case "put":
                kind = self.pick("4", "9") if late else self.pick("2", "3", "2", "3", "0")
                yield when, op, kind, self.number(), self.number(), self.pick("hello", "a", "!300")
            case "prop":
                yield when, op, self.pick(*PATHS).replace(".", "\0")
            case "propsize":
                yield when, op, self.pick(*PLACES).replace(".", "\0")
            case "setprop":
                yield when, op, self.pick("mine", "other"), self.value()
            case "get":
                yield when, op, self.pick("0", "2", "6"), ":path"
            case "add":
                yield when, op, self.pick("0", "2"), "x-a", "1"
            case "pairs":
                yield when, op, self.pick("0", "1", "2", "5")
            case "context":
                yield when, op, self.pick("self", "root", "999")
            case "log":
                yield when, op, self.pick("1", "3", "6"), self.value()
            case "close" | "go":
                if when[0] in "DU":
                    other = self.pick("0", "1", "9")  # what belongs to HTTP, or is nothing
                    stream = self.pick("2", "3") if op == "close" else self.pick(other, "3")
                    yield when, "close" if op == "close" else "continue", stream
            case "wasi":
                yield when, op, str(self.random.randrange(18)), self.pick("0", "1", "2", "8")
            case "shared":
                yield from self.shared(when)
            case _:
                yield when, op

    def tcp_filter(self, side: str, *, traps: bool) -> Filter:
        steps: list[Step] = []
        closed = False
        for when in ANYWHERE:
            if not self.chance(0.35):
                continue
            for _ in range(self.random.randint(1, 3)):
                for step in self.tcp_step(when):
                    if step[1] == "close" and step[2] in "23":
                        if closed:
                            continue
                        closed = True
                    steps.append(step)
        if self.chance(0.25) and not closed:
            when = side + self.pick("1", "*")
            steps.append((when, "return", self.pick("1", "1", "2", "4")))
            if when[0] == "D" and self.chance(0.5):
                steps.append((when, "continue", "2"))
        if traps and not closed:
            steps.append((self.pick("n1", "D1", "D2", "U1", "f1", "u1"), "trap", self.pick("0", "1", "2")))
        abi = self.pick("0.2.1", "0.2.1", "0.2.0")
        steps = [s for s in steps if s[1] != "level" or abi == "0.2.1"]
        return Filter(
            abi=abi,
            policy=self.pick("closed", "open"),
            root_id=self.pick("", "root"),
            vm_configuration=self.pick("", "the vm"),
            steps=tuple(steps),
        )

    def tcp_case(self, clients: int) -> TcpCase:
        trapper = self.random.randrange(8)
        side = self.pick("D", "U")  # where both ends are held back nobody closes the connection
        filters = tuple(
            self.tcp_filter(side, traps=place == trapper) for place in range(self.pick(1, 1, 2, 3))
        )
        many = []
        for _ in range(clients):
            words = ("one", "two", "", "x" * 300, "\0\xff")
            pieces = [self.pick(*words).encode("latin-1") for _ in range(self.random.randint(0, 3))]
            many.append(Client(tuple(p for p in pieces if p), self.chance(0.15)))
        return TcpCase(filters, tuple(many))


def tcp_cases(seed: str, cases: int, clients: int = 4) -> Iterator[TcpCase]:
    """Cases from a seed."""
    for number in range(cases):
        name = f"{seed}.tcp{number}"
        yield replace(Connecting(name).tcp_case(clients), seed=name)


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


def connections(seed: str, cases: int) -> Iterator[tuple[str, Connection, list[str]]]:
    """Each connection of random cases: its name, what the embedded proxy made of it, the differences."""
    many = list(tcp_cases(seed, cases))
    chains = [case.plugins(f"t{number}") for number, case in enumerate(many)]
    with RealTcp(chains) as real:
        for number, (case, chain) in enumerate(zip(many, chains, strict=True)):
            with Proxy(chain) as embedded:
                for place, client in enumerate(case.clients):
                    mine = embedded.connect(client.pieces, _answer, abort=client.abort)
                    logged = [line.message.partition("\n")[0] for line in mine.log]
                    there, back, lines = real.connect(
                        client.pieces, _answer, client.abort, number, ends=any(map(_ended, logged))
                    )
                    pairs = [
                        ("upstream", mine.upstream_received, there),
                        ("client", mine.client_received, back),
                        *(
                            (f"log line {at + 1}", *both)
                            for at, both in enumerate(_side_by_side(logged, lines))
                        ),
                    ]
                    found = [
                        f"{name}:\n  embedded: {a!r}\n  envoy:    {b!r}" for name, a, b in pairs if a != b
                    ]
                    yield f"{case.seed}, connection {place}", mine, found


def _side_by_side(left: list[str], right: list[str]) -> Iterator[tuple[str, str]]:
    for at in range(max(len(left), len(right))):
        yield left[at] if at < len(left) else "no line", right[at] if at < len(right) else "no line"
