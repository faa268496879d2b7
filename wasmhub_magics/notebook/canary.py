"""A rollout in a notebook: its graph while it goes, its verdict at the end."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from IPython.display import display

from ..errors import RequestError
from .arguments import Magic, argument

if TYPE_CHECKING:
    from ..deploy import Rollout
    from ..deploy.rollout import Tick
    from ..filter import Filter

__all__ = ["canary_arguments", "rolled_out"]


def canary_arguments() -> Callable[[Magic], Magic]:
    """Declare what a rollout shall be."""

    def decorate(function: Magic) -> Magic:
        for declare in (
            argument("--canary", metavar="10%%", help="requests that meet the new version first"),
            argument("--seconds", type=float, metavar="S", help="how long it is watched (default: 30)"),
            argument("--max-errors", metavar="1%%", help="failures above the old version's (default: 1%%)"),
            argument("--max-slower", metavar="50%%", help="latency above the old one's (default: 50%%)"),
            argument("--enough", type=int, metavar="N", help="requests to judge each by (default: 50)"),
        ):
            function = declare(function)
        return function

    return decorate


def rolled_out(made: Filter, options: argparse.Namespace, said: dict[str, Any]) -> Rollout:
    """Let a share of the requests meet a filter, drawn while it goes. Raises as ``canary`` does."""
    from ..deploy import CLUSTER_TARGETS, Rules, canary

    if said and options.to not in CLUSTER_TARGETS:
        raise RequestError(
            f"a canary takes no {', '.join(sorted(said))}",
            do="where and how the filter serves was settled when it was deployed first",
        )
    rules: dict[str, Any] = {}
    if options.max_errors:
        rules["errors"] = _share(options.max_errors, "--max-errors")
    if options.max_slower:
        rules["slower"] = _share(options.max_slower, "--max-slower")
    if options.enough is not None:
        rules["enough"] = options.enough
    percent = round(_share(options.canary, "--canary") * 100)
    seconds = 30.0 if options.seconds is None else options.seconds
    shown = _Course(f"{made.name}: {percent} % of the requests meet the new version", seconds)
    try:
        return canary(
            made, percent, options.to, seconds=seconds, rules=Rules(**rules), progress=shown, **said
        )
    finally:
        shown.end()


class _Course:
    """The graph so far, in one output that is updated; it goes when the verdict, which has it too, comes."""

    def __init__(self, title: str, seconds: float) -> None:
        self._title, self._seconds = title, seconds
        self._ticks: list[Tick] = []
        self._handle: Any = None

    def __call__(self, tick: Tick) -> None:
        from ..deploy.rollout import graph

        self._ticks.append(tick)
        text = f"{self._title} … {tick.seconds:.0f} of {self._seconds:g} s"
        self._show({"text/plain": text, "text/html": f"<div>{text}</div>{graph(self._ticks)}"})

    def end(self) -> None:
        """Clear it."""
        if self._handle is not None:
            self._show({"text/plain": "", "text/html": ""})

    def _show(self, bundle: dict[str, str]) -> None:
        if self._handle is None:
            self._handle = display(bundle, raw=True, display_id=True)  # type: ignore[no-untyped-call]
        else:
            self._handle.update(bundle, raw=True)


def _share(text: str, option: str) -> float:
    try:
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") or float(text) >= 1 else 1)
    except ValueError:
        raise RequestError(f"{option} {text!r} is no share", do=f"write {option} 10%") from None
    if not 0 <= share < 100:
        raise RequestError(f"{option} {text!r} is no share", do=f"write {option} 10%")
    return share
