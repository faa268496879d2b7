"""The tester on a machine without a network: server, kernel, Envoy and browser have a loopback alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]
ALONE = """\
import sys
import pytest
sys.path.insert(0, "tests/cluster")
from servers.gateway import isolate
isolate()
sys.exit(pytest.main(sys.argv[1:]))
"""
TESTS = "types_a_header or real_envoy or followed_live"


def test_the_tester_and_the_live_chart_need_no_network() -> None:
    command = ["unshare", "--map-root-user", "--net", sys.executable, "-c", ALONE]
    command += ["-q", "-p", "no:cacheprovider", "tests/browser/test_tester_in_lab.py", "-k", TESTS]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout
