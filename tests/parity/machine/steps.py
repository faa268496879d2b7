"""Random scripts for the filters of one stream."""

from __future__ import annotations

from collections.abc import Iterator

from .messages import Messages
from .model import OTHERS, Step
from .words import (
    BODIES,
    BODY,
    CALLBACKS,
    HEADERS,
    NAMES,
    PLACES,
    PROPERTIES,
    PSEUDO,
    PSEUDO_OF,
    READ_ONLY,
    TRAILERS,
)

__all__ = ["Steps"]


class Steps(Messages):
    """Makes scripts."""

    def name(self, *, write: bool) -> str:
        if self.chance(0.15):
            return self.pick(*PSEUDO)
        if not write and self.chance(0.1):
            return self.pick(*READ_ONLY)
        return self.pick(*NAMES)

    def map(self, callback: str) -> str:
        """Mostly the map that the callback is about."""
        if self.chance(0.7):
            near = {"h": "0", "b": "0", "t": "1", "H": "2", "B": "2", "T": "3", "y": "0", "Y": "2"}.get(
                callback
            )
            if callback in BODY and self.chance(0.4):
                near = {"b": "1", "B": "3"}[callback]
            if near:
                return near
        request_trailers = 3 if callback in "hbty" else 0
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
            pthread=0.3, growth=0.2, dns=0 if callback in "Rv" else 0.4,
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
                trailers = {"0": "1" if callback in "hbty" else "3", "2": "3"}
                map_ = self.map(callback)
                yield when, op, trailers.get(map_, map_), raw
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
                yield (
                    when,
                    op,
                    str(self.random.randrange(18 + len(OTHERS))),
                    self.pick("0", "1", "2", "3", "8", "70000"),
                )
            case "dns":
                yield when, op, self.pick("127.0.0.1", "10.1.2.3", "::1", "localhost", "1.2.3.4")
            case "pthread":
                yield when, op, self.pick("0", "1", "7"), self.pick("0", "1", "7")
            case "starve":
                yield when, op
                yield (
                    when,
                    *self.pick(
                        ("get", "0", ":path"),
                        ("pairs", "2"),
                        ("buf", self.buffer(callback), "0", "9"),
                        ("prop", "plugin_name"),
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
        if callback in "bty":
            paths = tuple(path for path in paths if "upstream" not in path)
        return self.pick(*paths).replace(".", "\0")

    def buffer(self, callback: str) -> str:
        if callback in "ldx":
            return self.pick("2", "3", "4", "5", "6", "7", "9")
        if self.chance(0.7):
            return "0" if callback in "hbty" else "1"
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
