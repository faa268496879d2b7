"""Run a compiler so that nothing of it is left behind, whatever happens."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import IO

from ..errors import BuildError

__all__ = ["Finished", "run"]

# What makes a program colour what no terminal reads: the messages are read here.
_COLOURS = {"CI", "FORCE_COLOR", "CLICOLOR_FORCE", "CARGO_TERM_COLOR"}


@dataclass(frozen=True, slots=True)
class Finished:
    """How a child ended and what it said."""

    code: int
    stdout: str
    stderr: str


def run(
    command: Sequence[str],
    *,
    cwd: Path,
    timeout: float,
    environment: Mapping[str, str] | None = None,
    watch: Callable[[str], None] | None = None,
) -> Finished:
    """Run a command to its end in a session of its own, without input, and return what it said.

    ``watch`` gets each line of its standard error as it comes, on the caller's thread. An interrupt or the
    timeout (in seconds) kills it with all its children. Raises BuildError where it cannot be started or takes
    too long.
    """
    child: subprocess.Popen[str] | None = None
    try:
        with _interrupts_held():
            child = subprocess.Popen(
                command,
                cwd=cwd,
                env={
                    **{name: value for name, value in os.environ.items() if name not in _COLOURS},
                    "LC_ALL": "C.UTF-8",
                    **(environment or {}),
                },
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                encoding="utf-8",
                errors="replace",
                start_new_session=True,
            )
        stdout, stderr = child.communicate(timeout=timeout) if watch is None else _hear(child, timeout, watch)
    except OSError as error:
        raise BuildError(
            f"{Path(command[0]).name} cannot be started: {error.strerror}", do="install it again"
        ) from None
    except subprocess.TimeoutExpired:
        raise BuildError(
            f"{Path(command[0]).name} was ended: it took longer than {timeout:g} s",
            do="build something smaller or raise the timeout",
        ) from None
    finally:
        if child is not None:
            with _interrupts_held():
                _end(child)
    return Finished(child.returncode, stdout, stderr)


def _hear(child: subprocess.Popen[str], timeout: float, watch: Callable[[str], None]) -> tuple[str, str]:
    """Collect what a child says and hand its standard error on line by line, until both pipes end."""
    until = time.monotonic() + timeout
    heard: queue.SimpleQueue[tuple[bool, str]] = queue.SimpleQueue()  # an empty line: that pipe has ended

    def read(pipe: IO[str], is_error: bool) -> None:
        with contextlib.suppress(ValueError, OSError):  # the pipe is closed when the child is killed
            for line in pipe:
                heard.put((is_error, line))
        heard.put((is_error, ""))

    assert child.stdout is not None
    assert child.stderr is not None
    for pipe, is_error in ((child.stdout, False), (child.stderr, True)):
        threading.Thread(target=read, args=(pipe, is_error), daemon=True).start()
    said: tuple[list[str], list[str]] = ([], [])
    ended = 0
    while ended < 2:
        try:
            is_error, line = heard.get(timeout=max(until - time.monotonic(), 0.001))
        except queue.Empty:
            raise subprocess.TimeoutExpired(child.args, timeout) from None
        ended += not line
        said[is_error].append(line)
        if is_error and line:
            watch(line.rstrip("\n"))
    child.wait(max(until - time.monotonic(), 0.001))
    return "".join(said[0]), "".join(said[1])


@contextlib.contextmanager
def _interrupts_held() -> Iterator[None]:
    """Let an interrupt wait for the end of the block: one between fork and return would lose the child.

    Only the main thread is ever interrupted, and only there handlers can be changed.
    """
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return
    held: list[tuple[int, FrameType | None]] = []
    signal.signal(signal.SIGINT, lambda number, frame: held.append((number, frame)))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if held:
        before(*held[0])


def _end(child: subprocess.Popen[str]) -> None:
    """Kill what is left of a child's group; the child has its own, so nobody else is in it."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(child.pid, signal.SIGKILL)
        else:
            child.kill()
    child.wait()
    for pipe in (child.stdout, child.stderr):
        if pipe is not None:
            pipe.close()
