"""The README shows what works: its tour is run, cell by cell, and its shell lines too."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest
from IPython.core.interactiveshell import InteractiveShell

README = Path(__file__).parent.parent / "README.md"
GREETER = "def on_request_headers(ctx):\n    ctx.request.headers['x-greeting'] = 'hello'\n"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README.read_text(), re.DOTALL | re.MULTILINE)


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[InteractiveShell]:
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("WASMHUB_STORE", str(tmp_path / "store"))
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance()
    yield shell
    shell.run_line_magic("unload_ext", "wasmhub_magics")
    shell.history_manager.end_session()
    InteractiveShell.clear_instance()


def test_the_tour_runs_from_the_first_cell_to_the_last(shell: InteractiveShell) -> None:
    cells = blocks("python")
    assert len(cells) > 5
    for cell in cells:
        result = shell.run_cell(cell)
        assert result.success, f"{cell}\n{result.error_before_exec or result.error_in_exec}"


def shell_lines() -> list[str]:
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    return [line for line in lines if line.startswith("wasmhub ")]


@pytest.mark.parametrize("line", shell_lines())
def test_the_shell_lines_run(line: str, tmp_path: Path) -> None:
    (tmp_path / "greeter.py").write_text(GREETER)
    words = [word.removeprefix("registry.example/") for word in shlex.split(line)[1:]]
    environment = os.environ | {"WASMHUB_STORE": str(tmp_path / "store")}
    command = [sys.executable, "-m", "wasmhub_magics.cli", *words]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_everything_the_readme_links_to_is_there() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", README.read_text()):
        assert (README.parent / target).exists(), target


def test_the_make_targets_of_the_readme_exist() -> None:
    targets = re.findall(r"^make (\w+)", "\n".join(blocks("sh")), re.MULTILINE)
    makefile = (README.parent / "Makefile").read_text()
    assert targets
    for target in targets:
        assert f"\n{target}:" in makefile


def test_make_lab_opens_the_quickstart(tmp_path: Path) -> None:
    folders = {"JUPYTER_RUNTIME_DIR": str(tmp_path), "HOME": str(tmp_path)}
    lab = subprocess.Popen(
        ["make", "lab"],
        cwd=README.parent,
        env=os.environ | folders | {"BROWSER": "true"},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert lab.stderr is not None
    try:
        said = []
        for line in lab.stderr:
            said.append(line)
            if found := re.search(
                r"http://127\.0\.0\.1:(\d+)/lab/tree/01_quickstart\.ipynb\?(\w+=\w+)", line
            ):
                break
        else:
            pytest.fail("".join(said))
        port, token = found.groups()
        while lab.poll() is None:  # it says so before it listens
            with (
                contextlib.suppress(ConnectionRefusedError),
                socket.create_connection(("127.0.0.1", int(port))),
            ):
                break
        with urlopen(f"http://127.0.0.1:{port}/api/contents/01_quickstart.ipynb?content=0&{token}") as answer:
            assert json.load(answer)["type"] == "notebook"
    finally:
        os.killpg(lab.pid, signal.SIGTERM)
        lab.communicate(timeout=60)
