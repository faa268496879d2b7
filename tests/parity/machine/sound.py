"""What is left out of random cases, because there Envoy itself breaks or does not do the same twice."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TypeAlias

from .model import Case, Filter, Message, Step
from .words import BODY, TRAILERS

__all__ = ["carried", "comparable", "has", "one_machine", "sound", "unsized"]


def unsized(message: Message) -> Message:
    return replace(message, headers=tuple(h for h in message.headers if h[0] != "content-length"))


def _one_answer(steps: Iterable[Step]) -> tuple[Step, ...]:
    """With one answer at most, no close beside it, and no going on in the same body callbacks."""
    kept: list[Step] = []
    steps = tuple(steps)
    bodies = {step[0][0] for step in steps if step[1] == "reply" and step[0][0] in BODY}
    steps = tuple(s for s in steps if s[1] != "continue" or s[0][0] not in bodies)
    answered = any(step[1] == "reply" for step in steps)
    for step in steps:
        again = step[1] == "reply" and any(known[1] == "reply" for known in kept)
        closed = step[1] == "close" and any(known[1] == "close" for known in kept)
        if not again and not closed and not (step[1] == "close" and answered):
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
        if when[0] in "imeg" and other[1] in ("gcall", "gstream") and other[2] == when[1]:
            return other[0]
        if (when[0], other[1]) == ("k", "tick") or ((when[0], *other[1:3]) == ("q", "qput", "5")):
            return other[0]
    return when


def _timed(scripts: Scripts, answers: bool) -> Scripts:
    """With nothing that could end a stream before the tick that it waits for."""
    waiting = {
        place
        for place, steps in enumerate(scripts)
        if not answers
        and any(s[0][0] == "k" and s[1:3] == ("context", "self") for s in steps)
        and any(s[0][0] == "k" and s[1] in ("continue", "reply") for s in steps)
        and any(s[1] == "tick" and (s[0], "return") in {(o[0], o[1]) for o in steps} for s in steps)
    }
    ends = ("reply", "close", "trap")
    return tuple(
        tuple(
            s
            for s in steps
            if (s[1] != "tick" or place in waiting) and not (waiting and s[1] in ends and s[0][0] != "k")
        )
        for place, steps in enumerate(scripts)
    )


def _queued(scripts: Scripts) -> Scripts:
    """With one message alone where a stream waits for it: others would wake it, too."""
    ends = ("continue", "reply")
    waiting = [
        place for place, steps in enumerate(scripts) if any(s[0][0] == "q" and s[1] in ends for s in steps)
    ]
    if not waiting:
        return scripts
    first = waiting[0]

    def disturbs(place: int, step: Step) -> bool:
        if step[1] == "qput":
            return place != first or step[2] != "5"
        return place != first and step[0][0] == "q" and step[1] in ends

    return tuple(tuple(s for s in steps if not disturbs(place, s)) for place, steps in enumerate(scripts))


def _one_replier(scripts: Scripts, answers: bool) -> Scripts:
    """With answers of one filter alone: an answer to an answer starts the chain again."""
    repliers = [place for place, steps in enumerate(scripts) if any(s[1] == "reply" for s in steps)]
    first = -1 if answers or not repliers else repliers[0]
    return tuple(
        tuple(s for s in steps if s[1] != "reply" or place == first) for place, steps in enumerate(scripts)
    )


def _connected(request: Message, scripts: Scripts, answers: bool) -> Scripts:
    """Without looks at the upstream where an early answer or a close leaves open whether it was reached."""
    early = answers or any(
        step[1] in ("reply", "close") and _origin(step, steps)[0] in "chbty"
        for steps in scripts
        for step in steps
    )

    replied = answers or any(step[1] == "reply" for steps in scripts for step in steps)
    lost = any(_loses_its_route(step) for steps in scripts for step in steps)

    def open_question(step: Step) -> bool:
        if step[1] in ("prop", "propsize") and "upstream" in step[2]:
            return early or step[0][0] in "akqimeg"
        method = step[1] in ("set", "setpairs") and step[2] == "0" and ":method" in step[3:]
        if request.start[0] == "HEAD" and method:
            return True  # the client would go before it had the body
        if step[1] == "prop" and step[2] in ("request\0total_size", "request\0size") and (replied or lost):
            return True  # how much of the request came in before and after the answer
        if step[1:4] == ("del", "2", ":status") and replied:
            return True  # an answer without a status is answered again
        if step[1] == "close" and (answers or (step[0][0] in TRAILERS and len(scripts) > 1)):
            return True  # Envoy calls contexts that it has deleted
        return step[1:4] == ("del", "0", ":method") and bool(request.body or request.trailers)

    return tuple(tuple(s for s in steps if not open_question(s)) for steps in scripts)


def _passed(filters: tuple[Filter, ...], scripts: Scripts) -> Scripts:
    """Without changes of request headers and trailers that have gone on: who has them by then is open."""

    def overtaken(place: int, step: Step) -> bool:
        if step[1] not in ("add", "set", "del", "setpairs", "rawpairs") or step[2] not in "01":
            return False
        if step[2] == "1":
            return any(s[1] == "continue" for later in scripts[place + 1 :] for s in later)
        halted = any(s[0][0] == "h" and s[1:3] == ("return", "1") for s in scripts[place])
        return filters[place].stop_allowed and halted and step[0][0] in "bt" and step[0] != "b1"

    return tuple(tuple(s for s in steps if not overtaken(place, s)) for place, steps in enumerate(scripts))


def _remembered(scripts: Scripts) -> Scripts:
    """Without ends of a response whose METADATA is still to come: over HTTP/2 Envoy never comes back."""

    def ends(step: Step, steps: tuple[Step, ...]) -> bool:
        if step[1:4] == ("del", "2", ":status"):
            return True
        return step[1] in ("reply", "close", "trap") and _origin(step, steps)[0] in "HY"

    return tuple(tuple(s for s in steps if not ends(s, steps)) for steps in scripts)


def _freed(scripts: Scripts) -> Scripts:
    """Without looks at a request's body after an answer in one of its callbacks: Envoy has freed it."""
    letters = {_origin(s, steps)[0] for steps in scripts for s in steps if s[1] == "reply"}
    if not letters & set("bt"):
        return scripts
    return tuple(
        tuple(
            s for s in steps if not (s[0][0] in "akqimeg" and s[1] in ("buf", "bst", "put") and s[2] == "0")
        )
        for steps in scripts
    )


def _undying(scripts: Scripts) -> Scripts:
    """Without traps at the end of a stream whose METADATA may be told of after it: Envoy never comes back."""
    return tuple(tuple(s for s in steps if s[1] != "trap" or s[0][0] not in "ldx") for steps in scripts)


def _dropped_body(scripts: Scripts) -> Scripts:
    """Without looks at a body that a filter has dropped, after its callbacks: it is the codec's memory."""
    for letter, kind, others in (("b", "0", "HBTYakqimeg"), ("B", "1", "akqimeg")):
        if any(s[0][0] == letter and s[1] == "return" and s[2] not in "012" for f in scripts for s in f):
            scripts = tuple(
                tuple(
                    s
                    for s in steps
                    if not (s[0][0] in others and s[1] in ("buf", "bst", "put") and s[2] == kind)
                )
                for steps in scripts
            )
    return scripts


def _loses_its_route(step: Step) -> bool:
    """Whether the router may answer itself because of that."""
    needed = (":path", ":method", "x-forwarded-proto")
    return step[1:3] == ("setpairs", "0") or (
        step[1] in ("del", "set") and step[2] == "0" and step[3] in needed
    )


TRAILERS_MADE = ("add", "set", "del", "setpairs", "rawpairs", "size", "bad")


def _unfinished(scripts: Scripts) -> Scripts:
    """Without going on in body callbacks where a filter makes trailers in one: Envoy sends those first."""
    for letter, map_, headers in (("b", "1", "h"), ("B", "3", "H")):
        if any(s[0][0] == letter and s[1] in TRAILERS_MADE and map_ in s[2:4] for f in scripts for s in f):
            scripts = tuple(
                tuple(
                    s
                    for s in steps
                    if not (s[0][0] == letter and s[1] in ("continue", "return"))
                    and not (s[0][0] == headers and s[1:] == ("return", "1"))
                )
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


def _framed(
    filters: tuple[Filter, ...], request: Message, response: Message, scripts: Scripts, answers: bool
) -> Scripts:
    """Without changes to bodies whose length stands in a header: that breaks HTTP/1 in Envoy."""
    fixed = {
        kind
        for kind, message in (("0", request), ("1", response))
        if any(name == "content-length" for name, _ in message.headers)
    }
    sized_requests, sized_responses = "0" in fixed, "1" in fixed
    answered = answers or any(step[1] == "reply" for steps in scripts for step in steps)
    refused = any(name == "te" and value != "trailers" for name, value in response.headers)
    methodless = any(step[1:4] == ("del", "0", ":method") for steps in scripts for step in steps)
    replied = answered or refused or methodless
    if replied:  # the codec of HTTP/2 does not take such a header from an upstream
        fixed.add("1")  # a local reply with a body brings its content-length along

    def breaks(step: Step, steps: tuple[Step, ...]) -> bool:
        if step[1] == "put":
            return step[2] in fixed
        letter = _origin(step, steps)[0]
        side = "0" if letter in "bt" else "1"
        late = letter in BODY + TRAILERS
        cut = letter == "T" or (letter == "B" and step[1:] != ("return", "1") and step[1:] != ("return", "2"))
        sized = sized_requests if side == "0" else sized_responses or (replied and cut)
        return late and sized and step[1] in ("return", "continue", "reply", "close")

    def halts(place: int, step: Step) -> bool:
        """Stops headers alone, so that a body of known length is all there before it is allowed to end."""
        sized = sized_requests if step[0][0] == "h" else sized_responses
        return sized and filters[place].stop_allowed and step[0][0] in "hH" and step[1:] == ("return", "1")

    return tuple(
        tuple(s for s in steps if not breaks(s, steps) and not halts(place, s))
        for place, steps in enumerate(scripts)
    )


def _resolved(steps: tuple[Step, ...], answers: bool) -> tuple[Step, ...]:
    """Without names that are resolved beside what the same callback asks for: Envoy does that inside then."""
    asking = {step[0][0] for step in steps if step[1] in ("reply", "continue", "close")}
    return tuple(s for s in steps if s[1] != "dns" or not (answers or s[0][0] in asking))


def _untrapped(steps: Iterable[Step], answers: bool) -> tuple[Step, ...]:
    """Without what a callback asks for before it traps, or a trap after an answer of a creation."""
    steps = tuple(step for step in steps if not (answers and step[1] == "trap"))
    traps = {step[0][0] for step in steps if step[1] == "trap"}
    return tuple(s for s in steps if s[0][0] not in traps or s[1] not in ("reply", "continue", "close"))


def _paused(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """Without going on where nothing is held up."""
    paused = {step[0] for step in steps if step[1] == "return" and step[2] != "0"}

    def loose(step: Step) -> bool:
        if step[1] == "continue" and step[2] in "01":
            return _origin(step, steps) not in paused
        return step[1] == "reply" and step[0][0] in "akqimeg" and _origin(step, steps) not in paused

    return tuple(s for s in steps if not loose(s))


def _dropped(scripts: Scripts) -> Scripts:
    """Without ends of bodies that one filter drops while another holds the headers until later."""
    for letter, side in (("b", "0"), ("B", "1")):
        late = {
            place
            for place, steps in enumerate(scripts)
            if any(s[0][0] in "akqimeg" and s[1:] == ("continue", side) for s in steps)
        }
        if not late:
            continue

        def drops(place: int, step: Step, letter: str = letter, late: set[int] = late) -> bool:
            stops = step[0][0] == letter and step[1] == "return" and step[2] not in ("0", "1", "2")
            return stops and bool(late - {place})

        scripts = tuple(tuple(s for s in f if not drops(place, s)) for place, f in enumerate(scripts))
    return scripts


def sound(
    filters: tuple[Filter, ...], request: Message, response: Message, scripts: Scripts, *, http2: bool
) -> Scripts:
    """Without what breaks Envoy itself."""
    answers = any(step[1] == "reply" for each in filters for step in each.steps)
    while True:  # what one rule takes out may be what another asks for
        less = _passed(filters, _queued(_timed(_one_replier(scripts, answers), answers)))
        less = _unfinished(_connected(request, _dropped_body(_freed(less)), answers))
        if http2 and response.metadata:
            less = _remembered(less)
        elif response.metadata:
            less = _undying(less)
        less = _framed(filters, request, response, _dropped(less), answers)
        less = tuple(_paused(_one_answer(_untrapped(_resolved(steps, answers), answers))) for steps in less)
        if less == scripts:
            return scripts
        scripts = less


def comparable(case: Case) -> bool:
    """Whether a case keeps to what Envoy does soundly: a stream is continued only by who has paused it."""
    return all(
        sound(case.filters, each.request, each.response, each.scripts, http2=each.http2) == each.scripts
        for each in case.exchanges
    )
