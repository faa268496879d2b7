"""The owner thread does all work of the engine, and an interrupt never leaves a caller waiting."""

from __future__ import annotations

import subprocess
import sys

import pytest

from wasmhub_magics.proxy.engine import owner

# Interrupts that come where nobody waits for them are not counted: there they would end the script itself.
HAMMER = """
import _thread, signal, threading, time
from wasmhub_magics.proxy.engine import owner

armed = False
caught = done = 0

def interrupted(*_):
    global armed
    if armed:
        armed = False
        raise KeyboardInterrupt

def interrupt():
    while time.monotonic() < stop:
        _thread.interrupt_main()
        time.sleep(0.0003)

signal.signal(signal.SIGINT, interrupted)
owner.run(lambda: None)
stop = time.monotonic() + 1.5
thread = threading.Thread(target=interrupt)
thread.start()
while thread.is_alive():
    try:
        armed = True
        while time.monotonic() < stop:
            owner.run(lambda: None)
            done += 1
        armed = False
    except KeyboardInterrupt:
        caught += 1
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
