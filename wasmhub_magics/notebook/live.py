"""A measurement on the screen while it runs, with a button that stops it."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from anywidget import AnyWidget
from traitlets import Bool, Float, Int, List, Unicode

from ..latency.axis import colours, dashes
from ..page.bundle import STATIC

if TYPE_CHECKING:
    from ..latency import Progress

__all__ = ["LiveChart"]

UPDATE_SECONDS = 0.1


class LiveChart(AnyWidget):
    """A chart that follows a measurement, at most ten times a second.

    ``show`` is the measurement's ``progress``, ``stopped`` its ``stop``: a click on the button, or on the
    kernel's interrupt button, ends it.
    """

    _esm = STATIC / "live.js"
    _css = STATIC / "live.css"

    title = Unicode().tag(sync=True)
    text = Unicode().tag(sync=True)
    lines: Any = List().tag(sync=True)
    done = Float(0.0).tag(sync=True)
    running = Bool(True).tag(sync=True)
    replaced = Bool(False).tag(sync=True)
    updates = Int(0).tag(sync=True)

    def __init__(self, title: str) -> None:
        super().__init__(title=title)
        self._stop = threading.Event()
        self._last = 0.0
        self.on_msg(self._receive)

    def stopped(self) -> bool:
        """Whether somebody has pressed the button."""
        return self._stop.is_set()

    def show(self, progress: Progress) -> None:
        """Draw what has been measured so far, unless that was done a moment ago."""
        now = time.monotonic()
        if now - self._last < UPDATE_SECONDS:
            return
        self._last = now
        with self.hold_sync():
            self.done = progress.done
            self.text = progress.text
            strokes = zip(progress.lines, colours(progress.lines), dashes(progress.lines), strict=True)
            self.lines = [
                {
                    "label": line.label,
                    "colour": colour,
                    "dash": list(pattern),
                    "points": [list(point) for point in line.points],
                }
                for line, colour, pattern in strokes
            ]
            self.updates += 1

    def end(self, figures: str = "") -> None:
        """The measurement is over; ``figures`` of its report, whose chart takes the place of this one."""
        with self.hold_sync():
            self.text = figures or self.text
            self.replaced = bool(figures)
            self.running = False

    def __repr__(self) -> str:
        return f"{self.title}\n{self.text}"

    def _receive(self, _widget: object, content: Mapping[str, Any], _buffers: object) -> None:
        if content.get("type") == "stop":
            self._stop.set()
