"""The one thread that owns all WebAssembly work, and the watchdog that ends what runs too long.

``wasmtime`` stores are not thread-safe, and a wasm call cannot be interrupted by a Python signal. So every
call runs on the owner thread while the caller waits, and whatever must end a call (Ctrl-C in the waiting
thread, a callback over its time) does so by moving the engine's epoch on, which makes the guest trap.
"""

from __future__ import annotations

import ctypes
import math
import os
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, TypeVar

if TYPE_CHECKING:
    import wasmtime

__all__ = ["Watch", "engine", "owner"]

T = TypeVar("T")

TICK_SECONDS = 0.01
IDLE_TICKS = 50
PATIENCE_TICKS = 3
HOST_SECONDS = 10.0
INTERRUPT_SECONDS = 0.05
STACK_BYTES = 1 << 20


@lru_cache(maxsize=2)
def engine(fuel: bool) -> wasmtime.Engine:
    """The shared engine; counting fuel slows code down, so that has an engine of its own."""
    import wasmtime

    config = wasmtime.Config()
    config.wasm_multi_memory = True
    config.wasm_exceptions = True
    config.wasm_tail_call = True
    config.wasm_gc = True
    config.wasm_function_references = True
    config.wasm_relaxed_simd = True
    config.epoch_interruption = True
    config.consume_fuel = fuel
    config.max_wasm_stack = STACK_BYTES
    return wasmtime.Engine(config)


@dataclass
class Watch:
    """What the watchdog needs to know about a call that runs.

    ``progress`` is the address of a counter that stands still while one callback runs, ``limit`` tells how
    many seconds that callback may take, infinity where none runs. ``budget`` is what all callbacks may take
    since ``began``, which is None until the watchdog has looked. ``stopped`` is why the call is to end, and
    ``since`` when that or the running callback began. The host ends it by the word that lies ``stop`` bytes
    behind ``progress``; the next word tells whether a filter's code runs. ``patience`` counts the looks
    until that is ended wherever it is; ``idle`` is the word where nothing is to end.
    """

    engine: wasmtime.Engine
    progress: int
    stop: int
    limit: Callable[[], float]
    budget: float = math.inf
    began: float | None = None
    stopped: Literal["", "time", "budget", "interrupt"] = ""
    seen: int = -1
    since: float = 0.0
    patience: int = 0
    idle: int = 0

    def wants(self, stop: bool) -> None:
        """Tell the host whether the running callback is to end."""
        ctypes.c_uint32.from_address(self.progress + self.stop).value = self.idle | stop

    @property
    def in_guest(self) -> bool:
        """Whether a filter's code runs, not the host's, which is to be stopped in safe places only."""
        return bool(ctypes.c_uint32.from_address(self.progress + self.stop + 4).value)

    @in_guest.setter
    def in_guest(self, now: bool) -> None:
        ctypes.c_uint32.from_address(self.progress + self.stop + 4).value = now


@dataclass
class _Job:
    work: Callable[[], Any]
    finished: threading.Lock = field(default_factory=threading.Lock)
    done: bool = False
    interrupted: bool = False
    result: Any = None
    error: BaseException | None = None


class Owner:
    """Runs work on one thread, in the order it comes."""

    def __init__(self) -> None:
        self._reset()
        os.register_at_fork(after_in_child=self._reset)

    def _reset(self) -> None:
        self._jobs: queue.SimpleQueue[_Job] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._start_lock = threading.Lock()
        # Held while the watch is set, looked at or taken away, so that the watchdog never reads freed memory.
        self._watch_lock = threading.Lock()
        self._watch: Watch | None = None
        self._job: _Job | None = None
        self._wake = threading.Event()

    def run(self, work: Callable[[], T]) -> T:
        """Do the work on the owner thread and wait for it.

        An exception that reaches the waiting thread, such as KeyboardInterrupt, interrupts the guest; it is
        raised again after the owner has come back.
        """
        if threading.current_thread() is self._thread:
            return work()
        job = _Job(work)
        job.finished.acquire()
        caught: BaseException | None = None
        self._put(job)
        while not job.done:  # not the lock alone: an interrupt may come when it has just been taken
            try:
                # With a timeout, since not every interrupt wakes a thread that waits for a lock.
                job.finished.acquire(timeout=INTERRUPT_SECONDS)
            except BaseException as error:  # a signal handler raised in this thread
                caught = error
                self._interrupt(job)
        if caught is not None:
            raise caught
        if job.error is not None:
            raise job.error
        result: T = job.result
        return result

    def post(self, work: Callable[[], None]) -> None:
        """Do the work on the owner thread some time, without waiting: safe in finalizers."""
        job = _Job(work)
        job.finished.acquire()
        self._put(job)

    def enter(self, watch: Watch) -> None:
        """Let the watchdog look at the call that starts now; it ends at once where it was given up before."""
        watch.seen = -1
        with self._watch_lock:
            self._watch = watch
            if self._job is not None and self._job.interrupted:
                self._stop(watch, "interrupt")
        if not self._wake.is_set():
            self._wake.set()

    def leave(self) -> None:
        """The call has come back."""
        with self._watch_lock:
            self._watch = None

    @property
    def interrupted(self) -> bool:
        """Whether the waiting thread has given the running work up."""
        return self._job is not None and self._job.interrupted

    def _put(self, job: _Job) -> None:
        self._jobs.put(job)
        if self._thread is None:
            with self._start_lock:
                if self._thread is None:
                    threading.Thread(target=self._guard, name="wasmhub-watchdog", daemon=True).start()
                    thread = threading.Thread(target=self._serve, name="wasmhub-owner", daemon=True)
                    self._thread = thread
                    thread.start()

    def _interrupt(self, job: _Job) -> None:
        job.interrupted = True
        with self._watch_lock:
            if self._job is job and self._watch is not None:
                self._stop(self._watch, "interrupt")

    def _stop(self, watch: Watch, why: Literal["time", "budget", "interrupt"]) -> None:
        """End the call: for an interrupt at once, else where host and filter take turns."""
        watch.stopped = why
        if why == "interrupt":
            watch.engine.increment_epoch()
        else:
            watch.wants(True)
            watch.patience, watch.since = PATIENCE_TICKS, self._seconds()

    def _insist(self, watch: Watch) -> None:
        """End a filter that does not call the host, and a host that does not come to an end by itself."""
        watch.patience -= 1
        if watch.patience <= 0 and (watch.in_guest or self._seconds() - watch.since > HOST_SECONDS):
            watch.engine.increment_epoch()

    def _serve(self) -> None:
        while True:
            job = self._jobs.get()
            self._job = job
            try:
                if not job.interrupted:
                    job.result = job.work()
            except BaseException as error:  # it belongs to the thread that waits
                job.error = error
            self._job = None
            job.done = True
            job.finished.release()
            del job

    def _guard(self) -> None:
        idle = 0
        while True:
            if idle > IDLE_TICKS:
                self._wake.clear()
                self._wake.wait()
                idle = 0
            time.sleep(TICK_SECONDS)
            with self._watch_lock:
                watch = self._watch
                idle = idle + 1 if watch is None else 0
                if watch is not None and not watch.stopped:
                    self._look(watch)
                elif watch is not None and watch.stopped != "interrupt":
                    self._insist(watch)

    def _look(self, watch: Watch) -> None:
        now = self._seconds()
        if watch.began is None:
            watch.began = now
        progress = ctypes.c_uint32.from_address(watch.progress).value
        if progress != watch.seen:
            watch.seen = progress
            watch.since = now
        elif now - watch.since > watch.limit():
            self._stop(watch, "time")
            return
        if now - watch.began > watch.budget:
            self._stop(watch, "budget")

    def _seconds(self) -> float:
        """The owner's own time on a processor: a machine that is busy with others ends no callback.

        Where the platform does not tell that of a thread, time as it goes by.
        """
        thread = self._thread
        if thread is None or thread.ident is None or not hasattr(time, "pthread_getcpuclockid"):
            return time.monotonic()
        return time.clock_gettime(time.pthread_getcpuclockid(thread.ident))


owner = Owner()
