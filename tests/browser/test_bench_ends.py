"""A benchmark that is ended leaves no server behind."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.browser.lab import START_SECONDS

pytestmark = pytest.mark.browser

RUN = Path(__file__).parents[1] / "benchmarks" / "run.py"


def test_a_benchmark_that_is_told_to_end_ends_its_jupyterlab() -> None:
    bench = psutil.Popen([sys.executable, str(RUN), "lab.size"], stdout=subprocess.DEVNULL)
    started = time.monotonic()
    while not servers(bench):
        assert time.monotonic() - started < START_SECONDS
        time.sleep(0.1)
    (server,) = servers(bench)
    bench.send_signal(signal.SIGTERM)
    assert bench.wait(START_SECONDS) == 128 + signal.SIGTERM
    assert not server.is_running()


def servers(bench: psutil.Popen) -> list[psutil.Process]:
    """The JupyterLabs that a benchmark has started."""
    return [each for each in bench.children() if "jupyterlab" in each.cmdline()]
