"""What is left out of random cases, because there Envoy itself breaks or does not do the same twice."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, TypeAlias

from .model import Case, Filter, Message, Step
from .words import BODY, TRAILERS

__all__ = ["carried", "comparable", "has", "one_machine", "sound", "unsized"]


def unsized(message: Message) -> Message:
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


Scripts: TypeAlias = "tuple[tuple[Step, ...], ...]"


def carried(message: Message) -> Message:
    """A request that HTTP/2 can carry."""
    return replace(message, headers=tuple((n, "trailers" if n == "te" else v) for n, v in message.headers))


def _origin(step: Step, steps: Iterable[Step]) -> str:
    """The callback that a step belongs to: what happens later belongs to the one that asked for it."""
    when = step[0]
    for other in steps:
        if when[0] == "a" and other[1] == "call" and other[2] == when[1]:
            return other[0]
        if (when[0], other[1]) == ("k", "tick") or ((when[0], *other[1:3]) == ("q", "qput", "5")):
            return other[0]
    return when


def _connected(request: Message, scripts: Scripts) -> Scripts:
    """Without looks at the upstream where an early answer leaves open whether it was reached."""
    early = any(
        step[1] == "reply" and _origin(step, steps)[0] in "chbt" for steps in scripts for step in steps
    )

    def open_question(step: Step) -> bool:
        if step[1] in ("prop", "propsize") and "upstream" in step[2]:
            return early or step[0][0] in "akq"
        return step[1:4] == ("del", "0", ":method") and bool(request.body or request.trailers)

    return tuple(tuple(s for s in steps if not open_question(s)) for steps in scripts)


TRAILERS_MADE = ("add", "set", "del", "setpairs", "rawpairs", "size", "bad")


def _unfinished(scripts: Scripts) -> Scripts:
    """Without going on in body callbacks where a filter makes trailers in one: Envoy sends those first."""
    for letter, map_ in (("b", "1"), ("B", "3")):
        if any(s[0][0] == letter and s[1] in TRAILERS_MADE and map_ in s[2:4] for f in scripts for s in f):
            scripts = tuple(
                tuple(s for s in steps if not (s[0][0] == letter and s[1] in ("continue", "return")))
                for steps in scripts
            )
    return scripts


def one_machine(filters: tuple[Filter, ...]) -> tuple[Filter, ...]:
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


def has(abi: str, step: Step) -> bool:
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


def _framed(request: Message, response: Message, scripts: Scripts) -> Scripts:
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

    def breaks(step: Step, steps: tuple[Step, ...]) -> bool:
        if step[1] == "put":
            return step[2] in fixed
        letter = _origin(step, steps)[0]
        side = "0" if letter in "bt" else "1"
        late = letter in BODY + TRAILERS
        sized = sized_requests if side == "0" else sized_responses or (answered and letter == "T")
        return late and sized and step[1] in ("return", "continue", "reply", "close")

    return tuple(tuple(s for s in steps if not breaks(s, steps)) for steps in scripts)


def _paused(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """Without going on where nothing is held up."""
    paused = {step[0] for step in steps if step[1] == "return" and step[2] != "0"}

    def loose(step: Step) -> bool:
        if step[1] == "continue" and step[2] in "01":
            return _origin(step, steps) not in paused
        return step[1] == "reply" and step[0][0] in "akq" and _origin(step, steps) not in paused

    return tuple(s for s in steps if not loose(s))


def sound(request: Message, response: Message, scripts: Scripts) -> tuple[Any, ...]:
    """Without what breaks Envoy itself."""
    scripts = _framed(request, response, _unfinished(_connected(request, scripts)))
    return tuple(_paused(_one_answer(steps)) for steps in scripts)


def comparable(case: Case) -> bool:
    """Whether a case keeps to what Envoy does soundly: a stream is continued only by who has paused it."""
    return all(sound(each.request, each.response, each.scripts) == each.scripts for each in case.exchanges)
