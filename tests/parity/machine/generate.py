"""Random cases from a seed: the same seed gives the same cases."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, TypeVar

from .model import Case, Exchanged, Filter, Message, Step

__all__ = ["cases", "comparable"]

T = TypeVar("T")

NAMES = (
    *(
        "x-a",
        "x-b",
        "X-Mixed-Case",
        "accept",
        "user-agent",
        "content-type",
        "cookie",
        "set-cookie",
        "via",
        "te",
    ),
    *("x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-request-id", "authorization", "referer"),
    *(
        "cache-control",
        "accept-encoding",
        "origin",
        "grpc-status",
        "grpc-message",
        "location",
        "etag",
        "vary",
    ),
    *(
        "x-envoy-upstream-service-time",
        "x-envoy-attempt-count",
        "x-envoy-decorator-operation",
        "grpc-timeout",
    ),
    *(
        "proxy-status",
        "server",
        "date",
        "x-envoy-original-path",
        "x-envoy-max-retries",
        "if-none-match",
        "age",
    ),
    *("x-envoy-retry-on", "x-client-trace-id", "range", "forwarded", "x-" + "n" * 40),
)
PSEUDO = (":path", ":method", ":authority", ":scheme", ":status", "host", "Host", ":protocol")
PSEUDO_OF = {
    "0": (":path", ":method", ":authority", ":scheme", "host", "Host"),
    "1": (),
    "2": (":status",),
    "3": (),
}
READ_ONLY = ("content-length", "transfer-encoding", "connection", "", "x probe", "x-absent")
VALUES = (
    "1",
    "2",
    "v",
    "a, b",
    "",
    "MiXeD",
    "\xc3\xa9t\xc3\xa9",
    "x" * 300,
    "text/plain",
    "a=1; b=2",
    "trailers",
)
BODIES = (
    "hello",
    "",
    "a",
    "The quick brown fox jumps over the lazy dog",
    "\0\xff\x80 binary \n",
    "!300",
    "!5000",
    "!40000",
)
PROPERTIES = (
    *(
        "request.path",
        "request.url_path",
        "request.host",
        "request.scheme",
        "request.method",
        "request.headers",
    ),
    *("request.headers.x-a", "request.headers.X-A", "request.headers.user-agent", "request.headers.absent"),
    *("request.headers_bytes", "request.referer", "request.useragent", "request.id", "request.protocol"),
    *(
        "request.query",
        "request.size",
        "request.total_size",
        "request",
        "request.nothing",
        "request.path.more",
    ),
    *("response.code", "response.code_details", "response.flags", "response.grpc_status", "response.headers"),
    *("response.headers.x-a", "response.headers.content-type", "response.trailers", "response.trailers.x-t"),
    *(
        "response.size",
        "response",
        "response.nothing",
        "source",
        "source.nothing",
        "destination",
        "connection",
    ),
    *("connection.mtls", "connection.requested_server_name", "connection.tls_version"),
    *("connection.subject_local_certificate", "connection.subject_peer_certificate"),
    *("connection.dns_san_local_certificate", "connection.dns_san_peer_certificate"),
    *("connection.uri_san_local_certificate", "connection.uri_san_peer_certificate"),
    *("connection.sha256_peer_certificate_digest", "connection.transport_failure_reason"),
    *("connection.termination_details", "upstream", "upstream.tls_version", "upstream.num_endpoints"),
    *("upstream.subject_local_certificate", "upstream.subject_peer_certificate", "upstream.nothing"),
    *("upstream.dns_san_local_certificate", "upstream.uri_san_peer_certificate"),
    *("upstream.sha256_peer_certificate_digest", "upstream.transport_failure_reason"),
    *("upstream.request_attempt_count", "upstream.locality", "metadata", "metadata.filter_metadata"),
    *("metadata.filter_metadata.x", "filter_state", "filter_state.wasm.mine", "filter_state.nothing"),
    *("upstream_filter_state", "xds", "xds.cluster_name", "xds.cluster_metadata", "xds.route_name"),
    *(
        "xds.route_metadata",
        "xds.virtual_host_name",
        "xds.virtual_host_metadata",
        "xds.upstream_host_metadata",
    ),
    *("xds.filter_chain_name", "xds.listener_metadata", "xds.listener_direction", "xds.nothing"),
    *("xds.upstream_host_locality_metadata", "plugin_name", "plugin_root_id", "plugin_name.more", "node"),
    *(
        "cluster_name",
        "listener_direction",
        "mine",
        "mine.more",
        "nothing",
        "",
        ".",
        "request..path",
        "request.",
    ),
)
# Times, and what comes from this machine: their size is compared.
PLACES = (
    *("request.time", "request.duration", "source.address", "source.port", "destination.address"),
    *("destination.port", "connection.id", "connection_id", "upstream.address", "upstream.port"),
    *(
        "upstream.local_address",
        "upstream.cx_pool_ready_duration",
        "response.backend_latency",
        "plugin_vm_id",
    ),
    *("response.headers_bytes", "response.total_size"),
)
HEADERS, BODY, TRAILERS = "hH", "bB", "tT"
CALLBACKS = "hbtHBTld"


class Generator:
    """Makes cases; what it draws depends on the seed alone."""

    def __init__(self, seed: str) -> None:
        self.random = random.Random(seed)

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def pick(self, *choices: T) -> T:
        return self.random.choice(choices)

    def weighted(self, **weights: float) -> str:
        return self.random.choices(list(weights), list(weights.values()))[0]

    # Messages.

    def headers(self, most: int, extra: tuple[str, ...] = ()) -> tuple[tuple[str, str], ...]:
        pairs = []
        for _ in range(self.random.randint(0, most)):
            name = self.pick(*NAMES, *extra).lower()
            if name not in ("date", "server"):
                pairs.append((name, self.value() or "x"))
        if pairs and self.chance(0.3):
            pairs.append((self.pick(*pairs)[0], self.value() or "y"))
        first = next((pair for pair in pairs if pair[0] == "x-request-id"), None)
        pairs = [pair for pair in pairs if pair[0] != "x-request-id" or pair is first]
        return tuple(pairs)

    def value(self) -> str:
        return self.pick(*VALUES)

    def body(self) -> tuple[str, tuple[int, ...]]:
        body = self.pick(*BODIES)
        size = int(body[1:]) if body.startswith("!") else len(body)
        chunks = []
        if size > 1 and self.chance(0.5):
            times = self.random.randint(1, 3)
            chunks = [self.random.randint(1, max(1, size // 2)) for _ in range(times)]
        return body, tuple(chunks)

    def trailers(self) -> tuple[tuple[str, str], ...]:
        if not self.chance(0.25):
            return ()
        names = ("x-t", "x-t", "grpc-status", "grpc-message", "x-u")
        return tuple((self.pick(*names), self.value()) for _ in range(self.random.randint(1, 3)))

    def request(self) -> Message:
        method = self.pick(
            "GET",
            "GET",
            "POST",
            "POST",
            "PUT",
            "DELETE",
            "HEAD",
            "OPTIONS",
            "PATCH",
            "BREW" if self.chance(0.2) else "TRACE",
        )
        paths = ("/", "/a", "/a/b?c=d", "/?", "/a?b?c", "/%20x", "//a//b", "/" + "p" * 200)
        start = (
            method,
            self.pick(*paths),
            self.pick("localhost", "example.com:8080", "a"),
            self.pick("http", "http", "https"),
        )
        headers = self.headers(6)
        if self.chance(0.1):
            headers += (
                (
                    "content-type",
                    self.pick("application/grpc", "application/grpc+proto", "application/grpcx"),
                ),
            )
        body, chunks, trailers = "", (), ()
        if method not in ("HEAD", "GET") or self.chance(0.1):
            body, chunks = self.body()
            trailers = self.trailers()
        if not trailers and body and self.chance(0.2):
            headers += (("content-length", str(len(body) if body[0] != "!" else int(body[1:]))),)
        return Message(start, headers, body, chunks, trailers)

    def response(self) -> Message:
        status = self.pick("200", "200", "200", "201", "204", "302", "304", "404", "500", "503", "599")
        headers = self.headers(5)
        body, chunks = self.body()
        trailers = self.trailers()
        if not trailers and body and self.chance(0.2) and status not in ("204", "304"):
            headers += (("content-length", str(len(body) if body[0] != "!" else int(body[1:]))),)
        return Message((status,), headers, body, chunks, trailers)

    # Scripts.

    def name(self, *, write: bool) -> str:
        if self.chance(0.15):
            return self.pick(*PSEUDO)
        if not write and self.chance(0.1):
            return self.pick(*READ_ONLY)
        return self.pick(*NAMES)

    def map(self, callback: str) -> str:
        """Mostly the map that the callback is about."""
        if self.chance(0.7):
            near = {"h": "0", "b": "0", "t": "1", "H": "2", "B": "2", "T": "3"}.get(callback)
            if callback in BODY and self.chance(0.4):
                near = {"b": "1", "B": "3"}[callback]
            if near:
                return near
        request_trailers = 0 if callback in "HBT" else 3
        return str(self.random.choices(range(10), [5, request_trailers, 5, 3, 1, 1, 1, 1, 1, 1])[0])

    def written(self, name: str, map_: str) -> str:
        """A value that a message can carry in that header."""
        if name == ":status":
            return self.pick("201", "404", "503", "299")
        if name == ":method":
            return self.pick("GET", "POST", "PUT", "BREW")
        if name == ":path":
            return self.pick("/new", "/new?q", "/", "/x/y/z")
        if name == ":scheme":
            return self.pick("http", "https")
        if name.lower() in (":authority", "host"):
            return self.pick("other.example", "h:1")
        if name.lower() == "te":
            return "trailers"
        return self.value()

    def step(self, when: str) -> Iterator[Step]:
        callback = when[0]
        late = callback in "ldx"
        op = self.weighted(
            get=12, add=8, set=8, delete=6, pairs=6, setpairs=2, rawpairs=1, size=4, buf=10, bst=3, put=8,
            prop=16, propsize=3, setprop=4, reply=0 if late else 2, go=0 if late else 2, log=2,
            status=1, context=2, done=0.5, time=1, foreign=1, bad=2.5,
            wasi=2, starve=0.7, close=0 if late else 0.4, level=0.5, conf=0.3,
        )  # fmt: skip
        match op:
            case "get":
                yield when, "get", self.map(callback), self.name(write=False)
            case "add" | "set":
                map_, name = self.map(callback), self.name(write=True)
                while name in PSEUDO and name not in PSEUDO_OF.get(map_, PSEUDO):
                    name = self.name(write=True)
                if op == "add" and name in PSEUDO:
                    op = "set"
                yield when, op, map_, name, self.written(name, map_)
            case "delete":
                name = (
                    self.pick(":path", ":method", ":status", ":scheme")
                    if self.chance(0.02)
                    else self.pick(*NAMES)
                )
                yield when, "del", self.map(callback), name
            case "pairs" | "size":
                yield when, op, self.map(callback)
            case "setpairs":
                map_ = self.map(callback)
                pairs: list[str] = []
                if map_ == "0":
                    pairs = [":method", "PUT", ":path", "/replaced", ":authority", "set", ":scheme", "http"]
                elif map_ == "2":
                    pairs = [":status", "202"]
                for _ in range(self.random.randint(0, 4)):
                    name = self.pick(*NAMES)
                    pairs += [name, self.written(name, map_)]
                yield when, op, map_, *pairs
            case "rawpairs":
                raw = self.pick(
                    "\1\0\0\0\1\0\0\0\1\0\0\0a\0b\0",
                    "\1\0\0\0\1\0\0\0\1\0\0\0a\0b",
                    "\xff\xff\xff\xff",
                    "junk",
                    "",
                )
                yield when, op, self.map(callback).replace("0", "1").replace("2", "3"), raw
            case "buf":
                yield when, op, self.buffer(callback), self.number(), self.number()
            case "bst":
                yield when, op, self.buffer(callback)
            case "put":
                yield when, op, self.buffer(callback), self.number(), self.number(), self.pick(*BODIES)
            case "prop":
                yield when, op, self.property(callback, PROPERTIES)
            case "propsize":
                yield when, op, self.property(callback, PLACES)
            case "setprop":
                yield when, op, self.pick("mine", "mine", "other", "mine\0more", ""), self.value()
            case "reply":
                yield from self.reply(when)
            case "go":
                yield when, "continue", self.pick("2", "3", "4")
            case "log":
                yield when, op, self.pick("0", "1", "2", "3", "4", "5", "6"), self.value()
            case "context":
                yield when, op, self.pick("self", "root", "999", "0")
            case "foreign":
                yield when, op, self.pick("clear_route_cache", "nothing", ""), self.value()
            case "bad":
                which = self.random.randrange(32)
                kind = self.buffer(callback) if 12 <= which <= 16 else self.map(callback)
                yield when, op, str(which), kind, self.pick("0", "1", "2")
            case "wasi":
                yield when, op, str(self.random.randrange(18)), self.pick("0", "1", "2", "3", "8", "70000")
            case "starve":
                yield when, op
                yield (
                    when,
                    *self.pick(
                        ("get", "0", ":path"), ("pairs", "2"), ("buf", "0", "0", "9"), ("prop", "plugin_name")
                    ),
                )
                yield when, "fed"
            case "close":
                yield when, op, self.pick("0", "1", "9")
            case "conf":
                yield when, op
            case _:
                yield when, op

    def property(self, callback: str, paths: tuple[str, ...]) -> str:
        """Without what depends on whether a connection to the upstream is open already."""
        if callback in "bt":
            paths = tuple(path for path in paths if "upstream" not in path)
        return self.pick(*paths).replace(".", "\0")

    def buffer(self, callback: str) -> str:
        if callback in "ldx":
            return self.pick("2", "3", "4", "5", "6", "7", "9")
        if self.chance(0.7):
            return "0" if callback in "hbt" else "1"
        return str(self.random.choices(range(11), [3, 3, 1, 1, 1, 1, 2, 2, 0, 1, 1])[0])

    def number(self) -> str:
        return self.pick("0", "0", "0", "1", "3", "5", "100", "1000000", "4294967295", "2147483647")

    def reply(self, when: str) -> Iterator[Step]:
        pairs: list[str] = []
        for _ in range(self.random.choice((0, 0, 1, 2, 4))):
            name = self.pick(*NAMES)
            pairs += [name, self.written(name, "2")]
        yield (
            when, "reply", self.pick("200", "403", "404", "429", "503", "599"),
            self.pick("", "why", "two words"),
            self.pick("", "local answer", "!300"), self.pick("-1", "0", "5", "16", "17"), *pairs,
        )  # fmt: skip

    def returned(self, when: str) -> Iterator[Step]:
        """A callback that does not simply go on, and mostly what ends the pause."""
        callback = when[0]
        result = self.pick("1", "1", "1", "2", "3", "4", "5", "4294967295")
        yield when, "return", result
        if callback in HEADERS and result == "2":
            return
        side = "0" if callback in "hbt" else "1"
        last = callback in HEADERS or callback in TRAILERS or when[1] == "$"
        if not last and self.chance(0.7):
            return
        draw = self.random.random()
        if draw < 0.75:
            yield when, "continue", side
        elif draw < 0.92:
            yield from self.reply(when)

    def steps(self) -> tuple[Step, ...]:
        """The script of one filter for one stream."""
        if self.chance(0.1):
            return ()
        steps: list[Step] = []
        eager = self.pick(0.2, 0.4, 0.6)
        for callback in CALLBACKS:
            calls = [callback + "1"]
            if callback in BODY:
                calls = [callback + self.pick("1", "2", "*"), callback + "$"]
            for when in calls:
                if self.chance(eager):
                    for _ in range(self.random.randint(1, 4)):
                        steps += self.step(when)
                if callback not in "ld" and self.chance(0.1):
                    steps += self.returned(when)
        return tuple(steps)

    def filter(self) -> Filter:
        steps: list[Step] = []
        for callback in "RvCc":
            if self.chance(0.2):
                for _ in range(self.random.randint(1, 3)):
                    steps += self.step(callback + "*")
        keep = ("reply", "close", "continue")
        return Filter(
            abi=self.pick("0.2.1", "0.2.1", "0.2.0", "0.1.0"),
            policy=self.pick("closed", "closed", "open"),
            stop_allowed=self.chance(0.3),
            shared_vm=self.chance(0.2),
            root_id=self.pick("", "", "root"),
            vm_configuration=self.pick("", "the vm"),
            environment=self.pick((), (("KEY", "value"),)),
            steps=tuple(s for s in steps if s[1] not in keep or (s[0][0] == "c" and s[1] != "close")),
        )

    def exchange(self, filters: tuple[Filter, ...]) -> Exchanged:
        scripts = tuple(tuple(s for s in self.steps() if _has(f.abi, s)) for f in filters)
        request, response = self.request(), self.response()
        return Exchanged(request, response, _sound(request, response, scripts), self.chance(0.3))

    def case(self, exchanges: int) -> Case:
        filters = tuple(self.filter() for _ in range(self.pick(1, 1, 2, 3)))
        filters = tuple(
            replace(f, steps=tuple(s for s in f.steps if _has(f.abi, s))) for f in _one_machine(filters)
        )
        many = tuple(self.exchange(filters) for _ in range(exchanges))
        if self.chance(0.4):  # the last but two traps, and two more see what is left
            place = self.random.randrange(len(filters))
            when = self.pick("h1", "b1", "t1", "H1", "B1", "B$", "T1", "l1", "d1", "x1", "h1", "H1")
            at = max(0, exchanges - 3)
            trap = many[at]
            trap = replace(trap, request=_unsized(trap.request), response=_unsized(trap.response))
            scripts = tuple(
                (*s, (when, "trap", self.pick("0", "1", "2", "3"))) if i == place else s
                for i, s in enumerate(trap.scripts)
            )
            many = (*many[:at], Exchanged(trap.request, trap.response, scripts, trap.asks), *many[at + 1 :])
        return Case(filters, many)


def _unsized(message: Message) -> Message:
    return replace(message, headers=tuple(h for h in message.headers if h[0] != "content-length"))


def _one_answer(steps: Iterable[Step]) -> tuple[Step, ...]:
    """With one answer at most, and no close beside it."""
    kept: list[Step] = []
    steps = tuple(steps)
    answered = any(step[1] == "reply" for step in steps)
    for step in steps:
        again = step[1] == "reply" and any(known[1] == "reply" for known in kept)
        if not again and not (step[1] == "close" and answered):
            kept.append(step)
    return tuple(kept)


def _connected(scripts: tuple[tuple[Step, ...], ...]) -> tuple[tuple[Step, ...], ...]:
    """Without looks at the upstream where an early answer leaves open whether it was reached."""
    if not any(step[1] == "reply" and step[0][0] in "chbt" for steps in scripts for step in steps):
        return scripts
    return tuple(
        tuple(s for s in steps if not (s[1].startswith("prop") and "upstream" in s[2])) for steps in scripts
    )


TRAILERS_MADE = ("add", "set", "del", "setpairs", "rawpairs", "size", "bad")


def _unfinished(scripts: tuple[tuple[Step, ...], ...]) -> tuple[tuple[Step, ...], ...]:
    """Without going on in body callbacks where a filter makes trailers in one: Envoy sends those first."""
    for letter, map_ in (("b", "1"), ("B", "3")):
        if any(s[0][0] == letter and s[1] in TRAILERS_MADE and map_ in s[2:4] for f in scripts for s in f):
            scripts = tuple(
                tuple(s for s in steps if not (s[0][0] == letter and s[1] in ("continue", "return")))
                for steps in scripts
            )
    return scripts


def _one_machine(filters: tuple[Filter, ...]) -> tuple[Filter, ...]:
    """Filters share a virtual machine where all that makes one is the same."""
    shared = next((f for f in filters if f.shared_vm), None)
    if shared is None:
        return filters
    return tuple(
        replace(f, abi=shared.abi, vm_configuration=shared.vm_configuration, environment=shared.environment)
        if f.shared_vm
        else f
        for f in filters
    )


def _has(abi: str, step: Step) -> bool:
    """Whether that version of the ABI knows the operation."""
    op = step[1]
    if op == "continue" and abi == "0.1.0":
        return step[2] in "012"
    if op == "close":
        return abi != "0.1.0"
    if op == "conf":
        return abi == "0.1.0"
    if op == "level" or (op == "bad" and step[2] == "31"):
        return abi == "0.2.1"
    return True


def _framed(
    request: Message, response: Message, scripts: tuple[tuple[Step, ...], ...]
) -> tuple[tuple[Step, ...], ...]:
    """Without changes to bodies whose length stands in a header: that breaks HTTP/1 in Envoy."""
    fixed = {
        kind
        for kind, message in (("0", request), ("1", response))
        if any(name == "content-length" for name, _ in message.headers)
    }
    sized_requests, sized_responses = "0" in fixed, "1" in fixed
    answered = any(step[1] == "reply" for steps in scripts for step in steps)
    if answered:
        fixed.add("1")  # a local reply brings its content-length along

    def breaks(step: Step) -> bool:
        if step[1] == "put":
            return step[2] in fixed
        side = "0" if step[0][0] in "bt" else "1"
        late = step[0][0] in BODY + TRAILERS
        sized = sized_requests if side == "0" else sized_responses or (answered and step[0][0] == "T")
        return late and sized and step[1] in ("return", "continue", "reply", "close")

    return tuple(tuple(s for s in steps if not breaks(s)) for steps in scripts)


def _paused(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """Without going on where nothing is held up."""
    paused = {step[0] for step in steps if step[1] == "return" and step[2] != "0"}
    return tuple(s for s in steps if s[1] != "continue" or s[2] not in "01" or s[0] in paused)


def _sound(request: Message, response: Message, scripts: tuple[tuple[Step, ...], ...]) -> tuple[Any, ...]:
    """Without what breaks Envoy itself."""
    scripts = _framed(request, response, _unfinished(_connected(scripts)))
    return tuple(_paused(_one_answer(steps)) for steps in scripts)


def comparable(case: Case) -> bool:
    """Whether a case keeps to what Envoy does soundly: a stream is continued only by who has paused it."""
    return all(_sound(each.request, each.response, each.scripts) == each.scripts for each in case.exchanges)


def cases(seed: str, exchanges: int, size: int = 40) -> Iterator[Case]:
    """Cases that hold so many exchanges together."""
    number = 0
    while exchanges > 0:
        many = min(size, exchanges)
        name = f"{seed}.{number}"
        yield Generator(name).case(many).replace(seed=name)
        exchanges -= many
        number += 1
