"""Work on bytes that still arrive, beside reading them."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Generic, Self, TypeVar

from .manifest import Descriptor
from .pieces import sha256

__all__ = ["Beside", "Work", "checked", "together"]

T = TypeVar("T")

Work = Callable[[Iterator[bytes]], T]
"""What makes something of bytes, given in pieces."""

SMALL = 1 << 18
"""Bytes that are not worth a thread."""
AHEAD = 2
"""Pieces that may wait for a thread."""


class Beside(Generic[T]):
    """Work in a thread of its own. Nobody has to wait for it: an interrupt ends at once, whatever it does."""

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self._future: Future[T] = Future()
        threading.Thread(target=self._run, daemon=True).start()

    def result(self) -> T:
        """What the work gave, or the error that ended it."""
        return self._future.result()

    @property
    def done(self) -> bool:
        """Whether nobody has to wait for the result."""
        return self._future.done()

    def _run(self) -> None:
        try:
            self._future.set_result(self._work())
        except BaseException as error:
            self._future.set_exception(error)


class _Follower(Generic[T]):
    """Work on pieces that are put here one by one, and end with the block.

    Few pieces wait: what is worked on is then still in the processor's cache, and its memory is used again.
    """

    def __init__(self, work: Work[T]) -> None:
        self._pieces: SimpleQueue[bytes | None] = SimpleQueue()
        self._room: SimpleQueue[None] = SimpleQueue()  # quicker than a semaphore
        for _ in range(AHEAD):
            self._room.put(None)
        self._ended = False
        self._beside = Beside(lambda: self._run(work))

    def put(self, piece: bytes) -> None:
        """Hand over the next piece, once there is room for it."""
        self._room.get()
        if self._ended:
            self._room.put(None)
        else:
            self._pieces.put(piece)

    def _run(self, work: Work[T]) -> T:
        try:
            return work(self._taken())
        finally:
            self._ended = True
            self._room.put(None)  # whoever has more is not kept waiting

    def _taken(self) -> Iterator[bytes]:
        while (piece := self._pieces.get()) is not None:
            self._room.put(None)
            yield piece

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._pieces.put(None)

    def result(self) -> T:
        self._pieces.put(None)
        return self._beside.result()


class _Told(Generic[T]):
    """Pieces on their way to whoever asks for them, of which a follower is told first.

    ``failed`` is what reading them ended with, where it did not end well.
    """

    def __init__(self, pieces: Iterable[bytes], follower: _Follower[T]) -> None:
        self._pieces = iter(pieces)
        self._follower = follower
        self.size = 0
        self.failed: BaseException | None = None

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            piece = next(self._pieces)
            self._follower.put(piece)
        except StopIteration:
            raise
        except BaseException as error:
            self.failed = error
            raise
        self.size += len(piece)
        return piece


def checked(pieces: Iterable[bytes], descriptor: Descriptor, where: str, work: Work[T]) -> T:
    """What ``work`` makes of a blob, of which it is given the bytes while they are read and hashed.

    Raises NotAFilter where they are not those that the descriptor points to, whatever the work says of them.
    """
    if descriptor.size <= SMALL:
        data = b"".join(pieces)
        descriptor.check(data, where)
        return work(iter([data]))
    with _Follower(sha256) as digest:
        told = _Told(pieces, digest)

        def compare() -> None:
            if told.failed:
                raise told.failed
            for _ in told:  # what the work did not want
                pass
            descriptor.compare(told.size, digest.result(), where)

        try:
            made = work(told)
        except Exception:
            compare()
            raise
        compare()
        return made


def together(tasks: Iterable[Callable[[], object]], threads: int) -> None:
    """Do these at the same time, the first one in this thread. The first error is raised, and ends the rest.

    ``threads`` counts the others; what they are at when something fails is not waited for.
    """
    left = deque(tasks)

    def work() -> None:
        while True:
            try:
                task = left.popleft()
            except IndexError:
                return
            task()

    first = left.popleft() if left else work
    try:
        others = [Beside(work) for _ in range(min(threads, len(left)))]
        first()
        work()
        for other in others:
            other.result()
    finally:
        left.clear()
