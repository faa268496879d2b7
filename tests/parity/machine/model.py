"""Cases: filters with their scripts and the exchanges that run through them, as plain data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeAlias, cast

from wasmhub_magics.abi import HOST_FUNCTIONS, WASI_MODULES, HostFunction
from wasmhub_magics.build import build_module
from wasmhub_magics.http import Headers, Request, Response
from wasmhub_magics.module import Module
from wasmhub_magics.plugin import FailurePolicy, Plugin
from wasmhub_magics.proxy import Failure
from wasmhub_magics.proxy.cluster import Answer
from wasmhub_magics.proxy.grpc import GrpcReply

__all__ = ["Case", "Exchanged", "Filter", "Message", "Step", "lean", "probe", "tuples"]

Abi: TypeAlias = Literal["0.1.0", "0.2.0", "0.2.1"]
# The callback and the call (probe.c), the operation, its arguments; text stands for bytes in Latin-1.
Step: TypeAlias = tuple[str, ...]
PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:_/.-")
PROBE = Path(__file__).parent.parent / "probe.c"


@cache
def probe(abi: Abi, *, tcp: bool = False) -> Module:
    """The probe filter for that version of the ABI; with ``tcp`` one for connections."""
    others = "".join(_declared(each) for each in OTHERS)
    cases = " ".join(f"case {n}: return {_called(each)};" for n, each in enumerate(OTHERS))
    others += (
        "static unsigned wasi_other(unsigned which, unsigned arg) { static unsigned long long area[64]; "
    )
    others += f"switch (which) {{ {cases} }} return 99; }}\n"
    define = {"0.1.0": "#define PW_ABI_0_1_0\n", "0.2.0": "#define PW_ABI_0_2_0\n", "0.2.1": ""}[abi]
    define += "#define PROBE_TCP\n" if tcp else ""
    return build_module(define + others + PROBE.read_text(), "c", "probe").module


KNOWN = (
    *("fd_write", "clock_time_get", "random_get", "environ_sizes_get", "environ_get", "args_sizes_get"),
    *("sched_yield", "fd_close", "fd_seek", "fd_fdstat_get", "fd_prestat_get", "poll_oneoff"),
    *("clock_res_get", "proc_exit"),
)
OTHERS = tuple(
    each for (module, name), each in HOST_FUNCTIONS.items() if module == WASI_MODULES[0] and name not in KNOWN
)
"""The functions of WASI that the probe calls with plain arguments, from number 18."""


def _declared(each: HostFunction) -> str:
    params = ", ".join("unsigned long long" if kind == "i64" else "unsigned" for kind in each.type.params)
    where = f'import_module("{each.module}"), import_name("{each.name}")'
    return f"__attribute__(({where})) unsigned other_{each.name}({params});\n"


def _called(each: HostFunction) -> str:
    plain = ("arg" if place == 0 else "0" for place in range(len(each.params)))
    pointers = ("ptr", "ret_", "iovs", "buf", "stat", "path")
    arguments = [
        "(unsigned)(unsigned long)area" if name.endswith(pointers) or name.startswith(pointers) else value
        for name, value in zip(each.params, plain, strict=True)
    ]
    return f"other_{each.name}({', '.join(arguments)})"


def script(steps: Iterable[Step]) -> str:
    """Steps as the probe reads them."""
    return ";".join(f"{step[0]}:" + ",".join(map(_escaped, step[1:])) for step in steps)


def _escaped(argument: str) -> str:
    if argument.startswith("!") and argument[1:].isdecimal():
        return argument
    return "".join(chr(b) if b in PLAIN else f"%{b:02x}" for b in argument.encode("latin-1"))


@dataclass(frozen=True)
class Filter:
    """One probe in the chain; ``steps`` are those of its root context and of the creation of streams."""

    abi: Abi = "0.2.1"
    policy: FailurePolicy = "closed"
    stop_allowed: bool = False
    shared_vm: bool = False
    root_id: str = ""
    vm_configuration: str = ""
    environment: tuple[tuple[str, str], ...] = ()
    steps: tuple[Step, ...] = ()

    def plugin(self, index: int, vm: str) -> Plugin:
        """The plugin in place ``index``; ``vm`` tells this run's virtual machines from those before."""
        return Plugin(
            probe(self.abi),
            name=f"probe{index}",
            root_id=self.root_id,
            configuration=f"{index}{vm};{script(self.steps)}".encode(),
            vm_id=f"{vm}-shared" if self.shared_vm else f"{vm}-{index}",
            vm_configuration=self.vm_configuration.encode(),
            environment=self.environment,
            failure_policy=self.policy,
            allow_on_headers_stop_iteration=self.stop_allowed,
        )


Pairs: TypeAlias = "tuple[tuple[str, str], ...]"


@dataclass(frozen=True)
class Message:
    """A request (``start`` is method, path, authority, scheme) or a response (``start`` is the status)."""

    start: tuple[str, ...]
    headers: Pairs = ()
    body: str = ""
    chunks: tuple[int, ...] = ()
    trailers: Pairs = ()
    metadata: tuple[Pairs, ...] = ()
    """METADATA frames, which HTTP/2 carries."""

    def request(self, version: str = "1.1") -> Request:
        method, path, authority, scheme = self.start
        return Request(
            method,
            path,
            _headers(self.headers),
            _body(self.body),
            trailers=_headers(self.trailers),
            chunks=self.chunks,
            authority=authority,
            scheme=scheme,
            version=version,
            metadata=self.metadata,
        )

    def response(self) -> Response:
        return Response(
            int(self.start[0]),
            _headers(self.headers),
            _body(self.body),
            trailers=_headers(self.trailers),
            chunks=self.chunks,
            metadata=self.metadata,
        )


def _headers(pairs: Pairs) -> Headers:
    return Headers.decode((name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs)


def _body(body: str) -> bytes:
    """``!40`` are 40 bytes of a pattern in which no two places look alike for long."""
    if body.startswith("!"):
        size = int(body[1:])
        return b"".join(b"%07d " % (8 * number) for number in range(size // 8 + 1))[:size]
    return body.encode("latin-1")


@dataclass(frozen=True)
class Exchanged:
    """One request, what the upstream answers, and the script of each filter for it."""

    request: Message
    response: Message = Message(("200",))
    scripts: tuple[tuple[Step, ...], ...] = ()
    asks: bool = False
    """The upstream is a function, so that the embedded proxy leaves its host module in between."""
    http2: bool = False
    answers: tuple[tuple[str, Message], ...] = ()
    """What clusters answer, by the path of the call; ``start`` may be a kind of failure."""

    def sent(self) -> Request:
        request = self.request.request("2" if self.http2 else "1.1")
        headers = request.headers
        for index, steps in enumerate(self.scripts):
            if steps:
                headers = headers.add(f"x-probe-{index}", script(steps))
        return request.replace(headers=headers)

    def answer(self, path: str) -> Answer:
        """What a cluster answers to a call of that path."""
        message = dict(self.answers).get(path)
        if message is None:
            return Response(404)
        kind = message.start[0]
        if kind in ("closed", "broken", "silent"):
            return Failure(cast("Any", kind))
        return message.response()

    def spoken(self, path: str, number: int) -> Answer | None:
        """What a gRPC cluster says when it is asked for that time; ``start`` is a status, a kind of failure,
        ``grpc`` with status and message, or ``nothing``."""
        message = dict(self.answers).get(f"{path}#{number}")
        if message is None:
            return None
        match message.start:
            case ("nothing",):
                return None
            case ("grpc", status, text):
                return GrpcReply(
                    *(part.encode("latin-1") for part in message.body.split("|") if message.body),
                    status=int(status) if status else None,
                    message=text,
                    metadata=_headers(message.headers),
                    trailers=_headers(message.trailers),
                )
        return self.answer(f"{path}#{number}")


@dataclass(frozen=True)
class Case:
    """Filters that start anew, and exchanges one after another."""

    filters: tuple[Filter, ...]
    exchanges: tuple[Exchanged, ...]
    about: str = ""
    seed: str = field(default="", compare=False)
    upstream2: bool = False
    """The upstream speaks HTTP/2."""

    def plugins(self, vm: str) -> tuple[Plugin, ...]:
        return tuple(each.plugin(index, vm) for index, each in enumerate(self.filters))

    def replace(self, **changes: Any) -> Case:
        return replace(self, **changes)

    def data(self) -> dict[str, Any]:
        """It as JSON data, without what has its default value."""
        return {
            "about": self.about,
            "seed": self.seed,
            **({"upstream2": True} if self.upstream2 else {}),
            "filters": [lean(each, Filter()) for each in self.filters],
            "exchanges": [
                {
                    "request": lean(each.request, Message(())),
                    "response": lean(each.response, Message(())),
                    "scripts": each.scripts,
                    "asks": each.asks,
                    **({"http2": True} if each.http2 else {}),
                    **(
                        {"answers": [[p, lean(m, Message(()))] for p, m in each.answers]}
                        if each.answers
                        else {}
                    ),
                }
                for each in self.exchanges
            ],
        }

    @classmethod
    def load(cls, data: dict[str, Any]) -> Case:
        return cls(
            tuple(Filter(**tuples(each)) for each in data["filters"]),
            tuple(
                Exchanged(
                    Message(**tuples(each["request"])),
                    Message(**tuples(each["response"])),
                    _tuple(each["scripts"]),
                    each["asks"],
                    each.get("http2", False),
                    tuple((p, Message(**tuples(m))) for p, m in each.get("answers", ())),
                )
                for each in data["exchanges"]
            ),
            data["about"],
            data["seed"],
            data.get("upstream2", False),
        )


def lean(value: Any, default: Any) -> dict[str, Any]:
    """Its fields, without those that are as in the default."""
    plain = asdict(default)
    return {name: content for name, content in asdict(value).items() if content != plain[name]}


def tuples(data: dict[str, Any]) -> dict[str, Any]:
    """The same with tuples, which JSON has not."""
    return {name: _tuple(value) for name, value in data.items()}


def _tuple(value: Any) -> Any:
    return tuple(map(_tuple, value)) if isinstance(value, list) else value
