"""The session: the filters that have been built, and who wants to hear of a new one."""

from __future__ import annotations

import difflib
from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol
from weakref import WeakSet

from ..errors import RequestError
from .history import History
from .recall import Recall

if TYPE_CHECKING:
    from ..filter import Filter
    from ..latency import LatencyReport
    from ..proxy import Exchange
    from ..testing import Memory, Results, Suite

__all__ = ["SESSION", "Session"]

BUILDS_KEPT = 10


class Follower(Protocol):
    """Something that shows a filter and wants its newer versions."""

    def follow(self, made: Filter) -> None:
        """Take the filter that now has the name."""

    def follow_cases(self, name: str) -> None:
        """Take the cases of the filter of this name."""

    def follow_memory(self, name: str) -> None:
        """Take the last results of the cases of this chain."""


class Session:
    """What is kept between cells, by name: filters, exchanges, cases, results, reports, and their history.

    ``recall`` has the last results of cases in short, as another kernel of the notebook may have left them.
    ``before`` are the last builds that others have taken the place of, the newest at the end.
    """

    def __init__(self) -> None:
        self.filters: dict[str, Filter] = {}
        self.before: dict[str, deque[Filter]] = {}
        self.exchanges: dict[str, tuple[Filter, Exchange]] = {}
        self.suites: dict[str, Suite] = {}
        self.results: dict[str, Results] = {}
        self.recall = Recall()
        self.reports: dict[str, LatencyReport] = {}
        self.followers: WeakSet[Any] = WeakSet()
        self.history = History()

    def add(self, made: Filter) -> None:
        """Keep a filter under its name and tell those who follow that name.

        The virtual machine of the filter that had the name is stopped; a send to it would start a new one.
        """
        before = self.filters.get(made.name)
        self.filters[made.name] = made
        if before is not None and before.plugin != made.plugin:
            self.before.setdefault(made.name, deque(maxlen=BUILDS_KEPT)).append(before)
        for follower in list(self.followers):
            follower.follow(made)
        if before is not None and before is not made:
            before.restart()

    def add_suite(self, name: str, suite: Suite) -> None:
        """Keep the cases of a filter and tell those who show them."""
        self.suites[name] = suite
        for follower in list(self.followers):
            follower.follow_cases(name)

    def remember(self, name: str, memory: Memory) -> None:
        """Keep the last results of the cases of a chain and tell those who show them."""
        self.recall[name] = memory
        for follower in list(self.followers):
            follower.follow_memory(name)

    def find(self, name: str, variables: Mapping[str, object]) -> Filter:
        """The filter of this name: the last one built or loaded under it, or a variable that holds one.

        Raises RequestError, which lists the names there are.
        """
        from ..filter import Filter

        if name in self.filters:
            return self.filters[name]
        value = variables.get(name)
        if isinstance(value, Filter):
            return value
        raise RequestError(f"there is no filter named {name!r}", do=self._advice(name))

    def clear(self) -> None:
        """Forget everything and stop the virtual machines."""
        for made in self.filters.values():
            made.restart()
        self.filters.clear()
        self.before.clear()
        self.exchanges.clear()
        self.suites.clear()
        self.results.clear()
        self.recall.clear()
        self.reports.clear()
        self.followers.clear()
        self.history.clear()

    def _advice(self, name: str) -> str:
        if not self.filters:
            return f"write one in a cell that starts with %%wasm_filter {name}, or get one by %wasm_pull"
        known = ", ".join(sorted(self.filters))
        near = difflib.get_close_matches(name, self.filters, n=1)
        return f"did you mean {near[0]}? known: {known}" if near else f"use one of: {known}"


# %autoreload runs this file again in the same namespace: what is there stays.
SESSION: Session = globals().get("SESSION") or Session()
