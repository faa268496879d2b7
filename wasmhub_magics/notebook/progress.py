"""A line that tells how a build goes, once it has taken a while."""

from __future__ import annotations

import contextvars
import threading
import time
from types import TracebackType
from typing import Self

from IPython.display import display

__all__ = ["Progress"]


class Progress:
    """One output line, updated in place: shown after some seconds, and final when the block ends.

    Call it with the name of a stage. A block that ends earlier shows nothing.
    """

    def __init__(self, title: str, after: float) -> None:
        self.title = title
        self.after = after
        self._stage = "starting"
        self._handle: object | None = None
        self._lock = threading.Lock()
        self._done = False

    def __call__(self, stage: str) -> None:
        """Tell the stage that begins."""
        with self._lock:
            self._stage = stage
            if self._handle is not None:
                self._show(f"{self.title}: {stage} …")

    def __enter__(self) -> Self:
        self._start = time.perf_counter()
        # Kernels route output by a context variable: the timer's thread needs the cell's own.
        context = contextvars.copy_context()
        self._timer = threading.Timer(self.after, context.run, (self._appear,))
        self._timer.daemon = True
        self._timer.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._timer.cancel()
        with self._lock:
            self._done = True
            if self._handle is None:
                return
            seconds = time.perf_counter() - self._start
            self._show(f"{self.title}: {'done in' if kind is None else 'stopped after'} {seconds:.1f} s")

    def _appear(self) -> None:
        with self._lock:
            if not self._done:
                self._show(f"{self.title}: {self._stage} …")

    def _show(self, text: str) -> None:
        bundle = {"text/plain": text}
        if self._handle is None:
            self._handle = display(bundle, raw=True, display_id=True)  # type: ignore[no-untyped-call]
        else:
            self._handle.update(bundle, raw=True)  # type: ignore[attr-defined]
