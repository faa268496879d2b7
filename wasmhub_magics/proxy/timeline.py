"""How a trace looks in a notebook: a timeline of callbacks and of the host calls in them."""

from __future__ import annotations

import html
import re
from functools import cache
from pathlib import Path

from .changes import Change
from .trace import Trace

__all__ = ["duration", "printable", "style", "timeline", "trace_html"]

CALLS_SHOWN = 300
"""Host calls that are shown; what is left out is counted."""


@cache
def style() -> str:
    """The style of exchanges and of traces, as an element."""
    return f"<style>{Path(__file__).with_name('view.css').read_text(encoding='utf-8')}</style>"


def trace_html(trace: Trace) -> str:
    """A trace as one HTML element: the timeline alone."""
    shown = timeline(trace, opened=True) or "<i>nothing was recorded</i>"
    return printable(f"<div class='wh-exchange'>{style()}{shown}</div>")


def timeline(trace: Trace, *, opened: bool = False) -> str:
    """The callbacks and the host calls in them, each with a bar that shows when it ran and how long.

    Lines of the log stand where they were written, and what a callback changed stands after it.
    """
    callbacks = trace.callbacks
    if not callbacks:
        return ""
    whole = max(1, *(callback.start_ns + callback.ns for callback in callbacks))
    rows, left = [], CALLS_SHOWN
    for callback in callbacks:
        rows.append(
            _call(str(callback), callback.start_ns, callback.ns, whole, bad=callback.trapped, outer=True)
        )
        for call in callback.calls[: max(0, left)]:
            bad = call.status not in ("Ok", "NotFound", "Empty", "success")
            rows.append(_call(call.log_line or str(call), call.start_ns, call.ns, whole, bad=bad))
        left -= len(callback.calls)
        rows += [_change(change) for change in callback.changes]
    hidden = max(0, -left) + trace.dropped
    if hidden:
        rows.append(f"<div class='wh-dim'>… {hidden:,} more host calls</div>")
    count = len(trace.host_calls)
    note = f"{count:,} in {len(callbacks):,} callback{'s' if len(callbacks) > 1 else ''}, {duration(whole)}"
    title = f"Host calls <span class='wh-dim'>{note}</span>"
    state = " open" if opened else ""
    return f"<details class='wh-box'{state}><summary>{title}</summary>{''.join(rows)}</details>"


def _change(change: Change) -> str:
    kinds = {"+": "wh-add", "-": "wh-cut"}
    return "".join(
        f"<div class='wh-row wh-code {kinds[mark]}' data-mark='{mark}' title='{html.escape(change.what)}'>"
        f"<b>{html.escape(name)}</b>: {html.escape(value)}</div>"
        for mark, name, value in change.lines
    )


def _call(text: str, start: int, ns: int, whole: int, *, bad: bool = False, outer: bool = False) -> str:
    kinds = f"wh-call{' wh-outer' if outer else ''}{' wh-error' if bad else ''}"
    place = f"margin-left:{100 * start / whole:.1f}%;width:{100 * ns / whole:.1f}%"
    breakable = re.sub(r"(?<=[_(,.])", "<wbr>", html.escape(text))  # a narrow column breaks no word
    return (
        f"<div class='{kinds}'><span class='wh-code'>{breakable}</span>"
        f"<span class='wh-bar' aria-hidden='true'><i style='{place}'></i></span>"
        f"<span class='wh-dim'>{duration(ns)}</span></div>"
    )


def duration(ns: float) -> str:
    """Nanoseconds in the unit that fits."""
    for unit, size in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        if ns >= size:
            return f"{ns / size:.3g} {unit}"
    return f"{ns:.0f} ns"


def printable(text: str) -> str:
    """The text with bytes that are not UTF-8, which headers carry as surrogate escapes, written out."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
