"""Run a compiler so that nothing of it is left behind, whatever happens."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from ..errors import BuildError

__all__ = ["Finished", "run"]


@dataclass(frozen=True, slots=True)
class Finished:
    """How a child ended and what it said."""

    code: int
    stdout: str
    stderr: str


def run(
    command: Sequence[str], *, cwd: Path, timeout: float, environment: Mapping[str, str] | None = None
) -> Finished:
    """Run a command to its end in a session of its own, without input, and return what it said.

    An interrupt or the timeout (in seconds) kills it with all its children. Raises BuildError where it cannot
    be started or takes too long.
    """
    child: subprocess.Popen[str] | None = None
    try:
        with _interrupts_held():
            child = subprocess.Popen(
                command,
                cwd=cwd,
                env={**os.environ, "LC_ALL": "C.UTF-8", **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                encoding="utf-8",
                errors="replace",
                start_new_session=True,
            )
        stdout, stderr = child.communicate(timeout=timeout)
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
