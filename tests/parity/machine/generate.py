"""Random cases from a seed: the same seed gives the same cases."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from .model import Case, Exchanged, Filter, Message, Step
from .sound import carried, has, one_machine, sound, unsized
from .talks import Talks, early, ends_early, talks

__all__ = ["Generator", "cases"]

# How much of a request has come in when others answer.
UNSETTLED = (("prop", "request\0size"), ("prop", "request\0total_size"))


class Generator(Talks):
    """Makes cases."""

    def filter(self) -> Filter:
        steps: list[Step] = []
        for callback in "RvCcldx":
            if self.chance(0.2):
                for _ in range(self.random.randint(1, 3)):
                    steps += self.step(callback + "*")
        keep = ("reply", "close", "continue")
        steps = [s for s in steps if s[1:] not in UNSETTLED]
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

    def exchange(self, filters: tuple[Filter, ...], *, upstream2: bool) -> Exchanged:
        http2 = self.chance(0.3)
        request, response = self.request(), self.response()
        if http2:
            request = carried(request)
        if http2 and self.chance(0.3):
            request = replace(request, metadata=self.metadata())
        if upstream2 and self.chance(0.4):
            response = replace(response, metadata=self.metadata())
        scripts: list[tuple[Step, ...]] = []
        answers: dict[str, Message] = {}
        talker = self.random.randrange(len(filters)) if self.chance(0.15) else -1
        cut = any(s[1] == "reply" for each in filters for s in each.steps)
        for place, each in enumerate(filters):
            steps = self.steps()
            for when, message in (("y1", request), ("Y1", response)):
                if message.metadata and self.chance(0.5):
                    for _ in range(self.random.randint(1, 3)):
                        steps += tuple(self.step(when))
                    if self.chance(0.2):
                        steps += ((when, "return", self.pick("1", "2", "3", "7")),)
            if place == talker:
                more, told, held = self.talk(place, stop_allowed=each.stop_allowed, streams=not cut)
                steps = (*self.without(steps, held), *more)
                answers |= told
            elif self.chance(0.4):
                more, told, held = self.beside(place, stop_allowed=each.stop_allowed, calls=talker < 0)
                steps = (*self.without(steps, held), *more)
                answers |= told
            scripts.append(tuple(s for s in steps if has(each.abi, s)))
        if any(step[1] == "gstream" for steps in scripts for step in steps):
            # A stream that is cut off before its cluster has heard of it depends on the connection.
            scripts = [tuple(s for s in steps if not ends_early(s)) for steps in scripts]
        if any(step[1] == "tick" for steps in scripts for step in steps):
            request, response = replace(request, chunks=()), replace(response, chunks=())
        kept = sound(filters, request, response, tuple(scripts), http2=http2)
        if any(early(steps) for steps in kept):
            kept = tuple(tuple(s for s in steps if not talks(s)) for steps in kept)
            kept = sound(filters, request, response, kept, http2=http2)
        return Exchanged(
            request,
            response,
            kept,
            self.chance(0.3),
            http2,
            tuple(answers.items()),
        )

    def case(self, exchanges: int) -> Case:
        filters = tuple(self.filter() for _ in range(self.pick(1, 1, 2, 3)))
        filters = tuple(
            replace(f, steps=tuple(s for s in f.steps if has(f.abi, s))) for f in one_machine(filters)
        )
        upstream2 = self.chance(0.2)
        many = tuple(self.exchange(filters, upstream2=upstream2) for _ in range(exchanges))
        if self.chance(0.4):  # the last but two traps, and two more see what is left
            place = self.random.randrange(len(filters))
            when = self.pick(
                *(
                    "h1",
                    "b1",
                    "t1",
                    "H1",
                    "B1",
                    "B$",
                    "T1",
                    "l1",
                    "d1",
                    "x1",
                    "h1",
                    "H1",
                    "a1",
                    "q1",
                    "y1",
                    "Y1",
                )
            )
            at = max(0, exchanges - 3)
            trap = many[at]
            if any(step[1] == "gstream" for steps in trap.scripts for step in steps):
                return Case(filters, many, upstream2=upstream2)
            trap = replace(trap, request=unsized(trap.request), response=unsized(trap.response))
            scripts = tuple(
                (*s, (when, "trap", self.pick("0", "1", "2", "3"))) if i == place else s
                for i, s in enumerate(trap.scripts)
            )
            many = (
                *many[:at],
                replace(trap, scripts=sound(filters, trap.request, trap.response, scripts, http2=trap.http2)),
                *(_quiet(filters, each) for each in many[at + 1 :]),
            )
        return Case(filters, many, upstream2=upstream2)


def _quiet(filters: tuple[Filter, ...], each: Exchanged) -> Exchanged:
    """Without what depends on when a dead filter's answer comes: a gRPC stream, the size of the request."""
    streams = any(step[1] == "gstream" for steps in each.scripts for step in steps)
    scripts = tuple(
        tuple(s for s in steps if s[1:] not in UNSETTLED and not (streams and talks(s)))
        for steps in each.scripts
    )
    return replace(each, scripts=sound(filters, each.request, each.response, scripts, http2=each.http2))


def cases(seed: str, exchanges: int, size: int = 40) -> Iterator[Case]:
    """Cases that hold so many exchanges together."""
    number = 0
    while exchanges > 0:
        many = min(size, exchanges)
        name = f"{seed}.{number}"
        yield Generator(name).case(many).replace(seed=name)
        exchanges -= many
        number += 1
