"""Cases of TCP connections: network filters with their scripts, and the clients that connect."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from wasmhub_magics.plugin import Plugin

from .beside import Beside
from .model import Filter, Step, lean, probe, tuples

__all__ = ["Client", "TcpCase", "tcp_cases"]

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

    pieces: tuple[bytes, ...] = ()
    abort: bool = False


@dataclass(frozen=True)
class TcpCase:
    """Network filters, whose steps run for every connection, and clients one after another."""

    filters: tuple[Filter, ...]
    clients: tuple[Client, ...]
    seed: str = field(default="", compare=False)
    about: str = ""

    def plugins(self, vm: str) -> tuple[Plugin, ...]:
        return tuple(
            replace(each.plugin(index, vm), module=probe(each.abi, tcp=True))
            for index, each in enumerate(self.filters)
        )

    def data(self) -> dict[str, Any]:
        """It as JSON data; text stands for bytes in Latin-1."""
        return {
            "about": self.about,
            "seed": self.seed,
            "filters": [lean(each, Filter()) for each in self.filters],
            "clients": [
                {"pieces": [piece.decode("latin-1") for piece in each.pieces], "abort": each.abort}
                for each in self.clients
            ],
        }

    @classmethod
    def load(cls, data: dict[str, Any]) -> TcpCase:
        return cls(
            tuple(Filter(**tuples(each)) for each in data["filters"]),
            tuple(
                Client(tuple(piece.encode("latin-1") for piece in each["pieces"]), each["abort"])
                for each in data["clients"]
            ),
            data["seed"],
            data["about"],
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
