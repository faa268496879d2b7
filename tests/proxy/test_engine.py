"""The owner thread does all work of the engine, and an interrupt never leaves a caller waiting."""

from __future__ import annotations

import subprocess
import sys

import pytest

from wasmhub_magics.proxy.engine import owner

HAMMER = """
import _thread, threading, time
from wasmhub_magics.proxy.engine import owner

stop = time.monotonic() + 1.5
caught = done = 0

def interrupt():
    while time.monotonic() < stop:
        _thread.interrupt_main()
        time.sleep(0.0003)

def hammer():
    global caught, done
    while time.monotonic() < stop:
        try:
            while time.monotonic() < stop:
                owner.run(lambda: None)
                done += 1
        except KeyboardInterrupt:
            caught += 1

owner.run(lambda: None)
thread = threading.Thread(target=interrupt)
try:
    thread.start()
except KeyboardInterrupt:
    pass
while thread.is_alive():
    try:
        hammer()
        thread.join()
    except KeyboardInterrupt:
        pass
print(done > 0, caught > 0)
"""


def test_interrupts_at_any_moment_never_leave_the_caller_waiting() -> None:
    done = subprocess.run(
        [sys.executable, "-c", HAMMER], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.split() == ["True", "True"], done.stderr


def test_an_error_of_the_work_reaches_the_caller() -> None:
    def fail() -> None:
        raise LookupError("here")

    with pytest.raises(LookupError, match="here"):
        owner.run(fail)
