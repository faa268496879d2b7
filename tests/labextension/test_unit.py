"""The JupyterLab extension's own tests, types and packages."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LAB = ROOT / "labextension"


def npm(*command: str) -> None:
    """Run a script of the extension, whose packages are there since the package was installed."""
    tool = shutil.which("npm")
    assert tool, "npm is not on this machine"
    assert (LAB / "node_modules").is_dir(), "the extension's packages are missing: python hatch_build.py"
    done = subprocess.run(
        [tool, "run", "--silent", *command], cwd=LAB, capture_output=True, text=True, timeout=240, check=False
    )
    if done.returncode:
        pytest.fail(done.stdout + done.stderr, pytrace=False)


def test_the_logic_of_the_extension_passes_its_own_tests() -> None:
    npm("test")


def test_the_extension_and_its_tests_are_strictly_typed() -> None:
    npm("lint")


def test_the_lock_names_no_registry() -> None:
    lock = json.loads((LAB / "package-lock.json").read_text())
    assert len(lock["packages"]) > 100
    assert [name for name, package in lock["packages"].items() if "resolved" in package] == []
