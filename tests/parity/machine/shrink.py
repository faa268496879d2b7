"""Makes a case small while it still shows what was found."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from .model import Case, Exchanged, Filter, Message
from .tcp_model import Client, TcpCase

__all__ = ["shrink", "shrink_tcp"]

Shows = Callable[[Case], bool]


def shrink(case: Case, number: int | None, shows: Shows, seconds: float = 20.0) -> Case:
    """The smallest case found in that time; ``number`` is the exchange that shows it, None the start."""
    deadline = time.monotonic() + seconds
    if number is None:
        case = _first(case.replace(exchanges=()), case, shows)
    else:
        alone = case.replace(exchanges=case.exchanges[number : number + 1])
        case = _first(alone, case.replace(exchanges=case.exchanges[: number + 1]), shows)
    smaller = True
    while smaller:
        smaller = False
        for candidate in _candidates(case):
            if time.monotonic() > deadline:
                return case
            if shows(candidate):
                case, smaller = candidate, True
                break
    return case


def shrink_tcp(
    case: TcpCase, number: int, first: Callable[[list[TcpCase]], TcpCase | None], seconds: float = 60.0
) -> TcpCase:
    """The smallest case found in that time; ``first`` picks the first of some that shows what was found."""
    deadline = time.monotonic() + seconds
    alone = replace(case, clients=case.clients[number : number + 1])
    found: TcpCase | None = first([alone, replace(case, clients=case.clients[: number + 1])]) or case
    while found is not None and time.monotonic() < deadline:
        case = found
        found = first(list(_connections(case)))
    return case


def _connections(case: TcpCase) -> Iterator[TcpCase]:
    if len(case.clients) > 1:
        for place in range(len(case.clients)):
            yield replace(case, clients=_without(case.clients, place))
    if len(case.filters) > 1:
        for place in range(len(case.filters)):
            yield replace(case, filters=_without(case.filters, place))
    for place, a_filter in enumerate(case.filters):
        for lean in _filters(a_filter):
            yield replace(case, filters=(*case.filters[:place], lean, *case.filters[place + 1 :]))
    for place, client in enumerate(case.clients):
        for pieces in _pieces(client.pieces):
            fewer = Client(pieces, client.abort)
            yield replace(case, clients=(*case.clients[:place], fewer, *case.clients[place + 1 :]))


def _first(small: Case, large: Case, shows: Shows) -> Case:
    return small if shows(small) else large


def _candidates(case: Case) -> Iterator[Case]:
    """Cases with less in them, the boldest first."""
    for place in range(len(case.exchanges) - 1):
        yield case.replace(exchanges=case.exchanges[:place] + case.exchanges[place + 1 :])
    if case.upstream2:
        plain = (replace(each, response=replace(each.response, metadata=())) for each in case.exchanges)
        yield case.replace(upstream2=False, exchanges=tuple(plain))
    if len(case.filters) > 1:
        for place in range(len(case.filters)):
            fewer = tuple(_without_filter(each, place) for each in case.exchanges)
            yield case.replace(filters=_without(case.filters, place), exchanges=fewer)
    for place, each in enumerate(case.exchanges):
        for less in _exchanges(each):
            yield case.replace(exchanges=(*case.exchanges[:place], less, *case.exchanges[place + 1 :]))
    for place, a_filter in enumerate(case.filters):
        for lean in _filters(a_filter):
            yield case.replace(filters=(*case.filters[:place], lean, *case.filters[place + 1 :]))


def _exchanges(each: Exchanged) -> Iterator[Exchanged]:
    for place, steps in enumerate(each.scripts):
        for fewer in _pieces(steps):
            yield replace(each, scripts=(*each.scripts[:place], fewer, *each.scripts[place + 1 :]))
    if each.asks:
        yield replace(each, asks=False)
    if each.http2:
        yield replace(each, http2=False, request=replace(each.request, metadata=()))
    for message in _messages(each.request, ("GET", "/", "localhost", "http")):
        yield replace(each, request=message)
    for message in _messages(each.response, ("200",)):
        yield replace(each, response=message)


def _messages(message: Message, start: tuple[str, ...]) -> Iterator[Message]:
    if message.start != start:
        yield replace(message, start=start)
        for place, part in enumerate(start):
            if message.start[place] != part:
                yield replace(message, start=(*message.start[:place], part, *message.start[place + 1 :]))
    for name in ("trailers", "headers", "metadata"):
        for fewer in _pieces(getattr(message, name)):
            yield replace(message, **{name: fewer})
    if message.body:
        yield replace(message, body="", chunks=(), headers=_unsized(message))
    if message.chunks:
        yield replace(message, chunks=())
    if len(message.body) > 1 and message.body != "a":
        yield replace(message, body="a", chunks=(), headers=_unsized(message))


def _unsized(message: Message) -> tuple[tuple[str, str], ...]:
    return tuple(pair for pair in message.headers if pair[0] != "content-length")


def _filters(each: Filter) -> Iterator[Filter]:
    for fewer in _pieces(each.steps):
        yield replace(each, steps=fewer)
    plain = Filter()
    for name in ("shared_vm", "policy", "stop_allowed", "root_id", "vm_configuration", "environment", "abi"):
        if getattr(each, name) != getattr(plain, name):
            yield replace(each, **{name: getattr(plain, name)})


def _pieces(items: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    """Fewer of some items: none, halves, all but one."""
    if not items:
        return
    yield ()
    size = len(items) // 2
    while size > 1:
        for start in range(0, len(items), size):
            yield items[:start] + items[start + size :]
        size //= 2
    if len(items) > 1:
        for place in range(len(items)):
            yield _without(items, place)


def _without(items: tuple[Any, ...], place: int) -> tuple[Any, ...]:
    return items[:place] + items[place + 1 :]


def _without_filter(each: Exchanged, place: int) -> Exchanged:
    return replace(each, scripts=_without(each.scripts, place))
