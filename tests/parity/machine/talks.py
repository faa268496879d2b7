"""Random gRPC calls and streams of one filter, and what their cluster says."""

from __future__ import annotations

from collections.abc import Iterator

from .beside import PAUSABLE, Beside
from .model import Message, Step
from .words import HEADERS

__all__ = ["Talks", "early", "ends_early", "talks"]

TAG = "1"
MESSAGES = ("hello", "", "a", "\0\xff", "!300", "!5000")
METADATA = ("x-a", "x-b", "X-Mixed-Case", "user-agent", "x-bin")


class Talks(Beside):
    """Makes gRPC steps: one call or one stream in an exchange, since what two say comes in any order."""

    def talk(
        self, place: int, *, stop_allowed: bool, streams: bool
    ) -> tuple[list[Step], dict[str, Message], str]:
        """Steps for one filter, what the cluster says by path and number, and the letters it holds up."""
        steps: list[Step] = []
        unary = not streams or self.chance(0.5)
        # What is said to a cluster that may have ended comes before or after that, as luck has it.
        chats = not unary and self.chance(0.4)
        holds = not chats and self.chance(0.5)
        when = self.pick(*PAUSABLE) if holds else self.pick("h1", "b1", "b$", "t1")
        method = f"M{place}"
        path = f"/parity.Probe/{method}"
        cluster = self.pick(*["rpc"] * 12, "absent")
        pairs = [
            part for _ in range(self.random.randint(0, 3)) for part in (self.pick(*METADATA), self.value())
        ]
        said: dict[str, Message] = {}
        if unary:
            timeout = self.pick("0", "60000")
            steps.append((when, "gcall", TAG, cluster, method, timeout, self.pick(*MESSAGES), *pairs))
            said[f"{path}#1"] = self.said(last=True)
        else:
            steps.append((when, "gstream", TAG, cluster, method, *pairs))
            steps += self.sends(when, self.random.randint(0, 2), ends=not chats)
            for number in range(1, 7):
                said[f"{path}#{number}"] = self.said(last=not chats and self.chance(0.3))
        for letter in "imeg":
            steps += self.heard(letter, unary=unary, chats=chats and self.chance(0.6))
        if not unary:
            steps.append(("l1", "gcancel", TAG))
        if not holds:
            return steps, said, ""
        if when[0] in HEADERS:
            result = self.pick("3", "4") if stop_allowed else self.pick("1", "3", "4")
        else:
            result = "1"
        steps.append((when, "return", result))
        for letter in "mg" if unary else "g":
            steps.append((letter + TAG, "context", "self"))
            steps.append((letter + TAG, "continue", "0" if when[0] in "hbt" else "1"))
        return steps, said, "hbt" if when[0] in "hbt" else "HBT"

    def sends(self, when: str, most: int, *, ends: bool) -> Iterator[Step]:
        for _ in range(most):
            yield when, "gsend", TAG, self.pick("0", "0", "1") if ends else "0", self.pick(*MESSAGES)
        if ends and self.chance(0.3):
            yield when, "gclose", TAG

    def heard(self, letter: str, *, unary: bool, chats: bool) -> Iterator[Step]:
        """What is done with a part of what the cluster says."""
        when = letter + TAG
        for _ in range(self.random.randint(0, 3)):
            match self.weighted(pairs=3, get=3, size=1, add=0.5, buf=3, bst=1, put=0.3, status=2, shared=1):
                case "pairs":
                    yield when, "pairs", self.pick("4", "5", "0", "6")
                case "get":
                    name = self.pick("x-a", "grpc-status", ":status", "content-type", "grpc-message")
                    yield when, "get", self.pick("4", "5"), name
                case "size":
                    yield when, "size", self.pick("4", "5")
                case "add":
                    yield when, "add", self.pick("4", "5"), "x-a", "1"
                case "buf":
                    yield when, "buf", "5", self.number(), self.number()
                case "bst":
                    yield when, "bst", self.pick("5", "4", "0")
                case "put":
                    yield when, "put", "5", "0", "0", "x"
                case "status":
                    yield when, "status"
                case _:
                    yield from self.shared(when)
        if chats and letter in "im":
            yield when, "gsend", TAG, "0", self.pick(*MESSAGES)
        elif letter in "im" and not unary and self.chance(0.05):
            yield when, "gcancel", TAG

    def said(self, *, last: bool) -> Message:
        """What the cluster says when it is asked once."""
        odd = 0.5 if last else 0
        kind = self.weighted(grpc=10, nothing=0 if last else 2, closed=odd, broken=odd, response=2 * odd)
        if kind == "response":
            body = "\0\0\0\0\1x" if self.chance(0.5) else "no gRPC"
            trailers = (("grpc-status", self.pick("0", "5", "x")),) if self.chance(0.5) else ()
            return Message((self.pick("200", "404", "503"),), (("x-a", self.value()),), body, (), trailers)
        if kind != "grpc":
            return Message((kind,))
        status = self.pick("0", "0", "0", "7", "16", "99") if last else ""
        text = self.pick("", "", "denied", "50% \xe9") if last else ""
        bodies = [self.pick("a", "hello", "yes\0no", "")] if self.chance(0.8) else []
        if self.chance(0.2):
            bodies.append("two")
        metadata = tuple((self.pick("x-a", "x-b"), self.value()) for _ in range(self.random.randint(0, 2)))
        trailers = (("x-t", self.value()),) if last and self.chance(0.4) else ()
        return Message(("grpc", status, text), metadata, "|".join(bodies), (), trailers)


def talks(step: Step) -> bool:
    """Whether a step is of gRPC, or of what comes back from it."""
    return step[0][0] in "imeg" or step[1] in ("gcall", "gstream", "gsend", "gclose", "gcancel")


def early(steps: tuple[Step, ...]) -> bool:
    """Whether a stream may be cut off before its cluster has heard of it: nothing waits for that."""
    held = {step[0] for step in steps if step[1] == "return"}
    return any(step[1] == "gstream" and step[0][0] in "HBT" and step[0] not in held for step in steps)


def ends_early(step: Step) -> bool:
    """Whether a step answers, closes, or makes the router refuse the request."""
    changes = step[1] in ("set", "add", "del", "setpairs", "rawpairs") and step[2] == "0"
    return changes or step[1] in ("reply", "close")
