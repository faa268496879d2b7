"""Random cases from a seed: the same seed gives the same cases."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from .beside import Beside
from .model import Case, Exchanged, Filter, Message, Step
from .sound import carried, has, one_machine, sound, unsized

__all__ = ["Generator", "cases"]


class Generator(Beside):
    """Makes cases."""

    def filter(self) -> Filter:
        steps: list[Step] = []
        for callback in "RvCcldx":
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
        http2 = self.chance(0.3)
        request, response = self.request(), self.response()
        if http2:
            request = carried(request)
        scripts: list[tuple[Step, ...]] = []
        answers: dict[str, Message] = {}
        for place, each in enumerate(filters):
            steps = self.steps()
            if self.chance(0.4):
                more, told, held = self.beside(place, stop_allowed=each.stop_allowed)
                steps = (*self.without(steps, held), *more)
                answers |= told
            scripts.append(tuple(s for s in steps if has(each.abi, s)))
        if any(step[1] == "tick" for steps in scripts for step in steps):
            request, response = replace(request, chunks=()), replace(response, chunks=())
        return Exchanged(
            request,
            response,
            sound(filters, request, response, tuple(scripts)),
            self.chance(0.3),
            http2,
            tuple(answers.items()),
        )

    def case(self, exchanges: int) -> Case:
        filters = tuple(self.filter() for _ in range(self.pick(1, 1, 2, 3)))
        filters = tuple(
            replace(f, steps=tuple(s for s in f.steps if has(f.abi, s))) for f in one_machine(filters)
        )
        many = tuple(self.exchange(filters) for _ in range(exchanges))
        if self.chance(0.4):  # the last but two traps, and two more see what is left
            place = self.random.randrange(len(filters))
            when = self.pick(
                "h1", "b1", "t1", "H1", "B1", "B$", "T1", "l1", "d1", "x1", "h1", "H1", "a1", "q1"
            )
            at = max(0, exchanges - 3)
            trap = many[at]
            trap = replace(trap, request=unsized(trap.request), response=unsized(trap.response))
            scripts = tuple(
                (*s, (when, "trap", self.pick("0", "1", "2", "3"))) if i == place else s
                for i, s in enumerate(trap.scripts)
            )
            many = (
                *many[:at],
                replace(trap, scripts=sound(filters, trap.request, trap.response, scripts)),
                *many[at + 1 :],
            )
        return Case(filters, many)


def cases(seed: str, exchanges: int, size: int = 40) -> Iterator[Case]:
    """Cases that hold so many exchanges together."""
    number = 0
    while exchanges > 0:
        many = min(size, exchanges)
        name = f"{seed}.{number}"
        yield Generator(name).case(many).replace(seed=name)
        exchanges -= many
        number += 1
