"""Random steps for what happens beside streams: calls, ticks, queues, shared data, metrics."""

from __future__ import annotations

from collections.abc import Iterator

from .model import Message, Step
from .steps import Steps
from .words import HEADERS

__all__ = ["Beside"]

KEYS = ("a", "b", "key with blanks", "")
PAUSABLE = ("h1", "h1", "H1", "b$", "B$", "t1", "T1")
ANYWHERE = ("h1", "b1", "b$", "t1", "H1", "B1", "B$", "T1", "l1", "d1", "x1")


class Beside(Steps):
    """Makes steps that reach beyond the stream."""

    def shared(self, when: str) -> Iterator[Step]:
        """A step on shared data, a queue or a metric."""
        place = self.pick("0", "1", "2", "3", "9")
        op = self.weighted(
            sget=3, sset=3, qreg=1.5, qres=1, qput=1.5, qget=2, mdef=2, minc=2, mrec=2, mget=2, bad=1
        )
        match op:
            case "sget":
                yield when, op, self.pick(*KEYS)
            case "sset":
                yield when, op, self.pick(*KEYS), self.value(), self.pick("0", "0", "1", "2")
            case "qreg":
                yield when, op, place, self.pick("q", "r", "")
            case "qres":
                yield when, op, place, self.pick("", "", "nobody"), self.pick("q", "r", "absent")
            case "qput":
                yield when, op, place, self.value()
            case "mdef":
                yield when, op, place, self.pick("0", "1", "2", "3"), self.pick("m", "n", "a.b")
            case "minc":
                yield when, op, place, self.pick("1", "5", "0", "-1", "-3")
            case "mrec":
                yield when, op, place, self.pick("0", "1", "7", "1000")
            case "bad":
                yield (
                    when,
                    op,
                    str(self.random.randint(32, 60)),
                    self.pick("0", "1", "2"),
                    self.pick("0", "1", "2"),
                )
            case _:
                yield when, op, place

    def call(self, when: str, tag: str, path: str, cluster: str = "") -> Step:
        """A call to a cluster; the path tells which answer is for it."""
        pairs = [":method", self.pick("GET", "POST", "HEAD", "PUT"), ":path", path, ":authority", "auth"]
        if not cluster and self.chance(0.1):
            at = 2 * self.random.randrange(3)
            del pairs[at : at + 2]
        for _ in range(self.random.randint(0, 3)):
            name = self.pick("x-a", "x-b", "accept", "content-type", "cookie", "user-agent", "x-a")
            pairs += [name, self.value()]
        cluster = cluster or self.pick("auth", "auth", "auth", "other", "absent", "")
        timeout = self.pick("0", "60000", "60000", "-1" if self.chance(0.2) else "0")
        return (
            when,
            "call",
            tag,
            cluster,
            timeout,
            self.pick("0", "0", "1"),
            self.pick("", "hello", "!300"),
            *pairs,
        )

    def answer(self) -> Message:
        """What a cluster answers."""
        kind = self.weighted(response=8, closed=1, broken=1)
        return self.response() if kind == "response" else Message((kind,))

    def beside(
        self, place: int, *, stop_allowed: bool, calls: bool
    ) -> tuple[list[Step], dict[str, Message], str]:
        """Steps for one filter, the answers to its calls by path, and the letters that it holds up."""
        steps: list[Step] = []
        answers: dict[str, Message] = {}
        held = ""
        tags = iter("123456789")
        if self.chance(0.5):
            for when in ANYWHERE:
                if self.chance(0.25):
                    for _ in range(self.random.randint(1, 3)):
                        steps += self.shared(when)
        if self.chance(0.15):
            steps.append(("q" + self.pick("1", "2", "*"), "qget", self.pick("0", "1", "2", "3")))
        if calls and self.chance(0.25):
            when, tag = self.pick(*ANYWHERE), next(tags)
            path = f"/call/{place}{tag}"
            steps.append(self.call(when, tag, path))
            answers[path] = self.answer()
            steps += self.told(tag)
        if self.chance(0.25):
            when = self.pick(*PAUSABLE)
            held = {"h": "hbt", "b": "hbt", "t": "hbt"}.get(when[0], "HBT")
            steps += self.waits(when, next(tags), place, answers, stop_allowed=stop_allowed, calls=calls)
        return steps, answers, held

    def told(self, tag: str) -> Iterator[Step]:
        """What the answer to a call is looked at with."""
        when = "a" + tag
        for _ in range(self.random.randint(0, 4)):
            match self.weighted(get=3, pairs=3, size=1, buf=3, bst=1, status=2, put=0.5, add=0.5, shared=1):
                case "get":
                    yield when, "get", self.pick("6", "6", "7"), self.pick(":status", "x-a", "content-length")
                case "pairs":
                    yield when, "pairs", self.pick("6", "7", "0", "2")
                case "size":
                    yield when, "size", self.pick("6", "7")
                case "buf":
                    yield when, "buf", "4", self.number(), self.number()
                case "bst":
                    yield when, "bst", self.pick("4", "0", "1", "6", "7")
                case "status":
                    yield when, "status"
                case "put":
                    yield when, "put", "4", "0", "0", "x"
                case "add":
                    yield when, "add", self.pick("6", "7"), "x-a", "1"
                case _:
                    yield from self.shared(when)

    def waits(
        self, when: str, tag: str, place: int, answers: dict[str, Message], *, stop_allowed: bool, calls: bool
    ) -> Iterator[Step]:
        """Hold a stream up until something beside it happens, and then mostly let it go."""
        if when[0] in HEADERS:
            result = self.pick("3", "4") if stop_allowed else self.pick("1", "3", "4")
        else:
            result = "1"
        kind = self.weighted(call=6 if calls else 0, queue=2, tick=0.4)
        if kind == "call":
            path = f"/call/{place}{tag}"
            yield self.call(when, tag, path, "auth")
            answers[path] = self.answer()
            then = "a" + tag
            yield from self.told(tag)
        elif kind == "queue":
            yield when, "qreg", "5", "woken"
            yield when, "qput", "5", self.value()
            then = "q*"
            yield then, "qget", "5"
        else:
            yield when, "tick", "80"
            then = "k1"
        yield when, "return", result
        yield then, "context", "self"
        for _ in range(self.random.randint(0, 3)):
            for step in self.step(when):
                if step[1] not in ("context", "reply", "continue", "close", "return", "starve", "fed"):
                    yield then, *step[1:]
        side = "0" if when[0] in "hbt" else "1"
        match self.weighted(go=8, reply=2, nothing=0 if kind == "tick" else 0.7):
            case "go":
                yield then, "continue", side
            case "reply":
                yield from self.reply(then)

    def without(self, steps: tuple[Step, ...], letters: str) -> list[Step]:
        """Without what would let go early what somebody holds up."""
        stops = ("return", "continue", "reply", "close")
        return [s for s in steps if s[0][0] not in letters or s[1] not in stops]
