"""The store's lock: one writer at a time, among threads and processes; a dead one holds nothing."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

from ..errors import StoreError

__all__ = ["locked"]

LOCK_SECONDS = 60.0
"""How long one waits for a writer; writing takes far less than a second."""


@contextlib.contextmanager
def locked(folder: Path, shared: bool = False) -> Iterator[None]:
    """Hold the lock of a directory, alone or with other readers. Raises StoreError after a minute."""
    import fcntl

    kind = (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB
    with (folder / ".lock").open("rb" if shared else "ab") as lock:
        deadline = time.monotonic() + LOCK_SECONDS
        while True:
            try:
                fcntl.flock(lock, kind)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise StoreError(
                        f"another process has been writing for {LOCK_SECONDS:.0f} seconds",
                        where=str(folder),
                        do="end it if it hangs (see fuser), then push again",
                    ) from None
                time.sleep(0.005)
        yield
