"""A fresh shell for every test, with directories of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import RichOutput, capture_output

from wasmhub_magics.notebook.session import SESSION

PYTHON_GREETER = """\
def on_request_headers(ctx):
    ctx.request.headers["x-greeting"] = "hello " + ctx.request.headers.get("x-user", "stranger")
"""


class Shell:
    """IPython as a notebook drives it: cells in, results, outputs and errors out."""

    def __init__(self, shell: InteractiveShell) -> None:
        self.ip = shell
        self.outputs: list[RichOutput] = []
        self.stderr = ""

    def run(self, cell: str) -> Any:
        """Run a cell and return its value; an error of the cell is raised here."""
        with capture_output() as captured:
            done = self.ip.run_cell(cell, store_history=True)
        self.outputs, self.stderr = captured.outputs, captured.stderr
        if done.error_before_exec is not None:
            raise done.error_before_exec
        if done.error_in_exec is not None:
            raise done.error_in_exec
        return done.result

    def fail(self, cell: str) -> BaseException:
        """Run a cell that must fail and return its error."""
        with capture_output() as captured:
            done = self.ip.run_cell(cell, store_history=True)
        self.outputs, self.stderr = captured.outputs, captured.stderr
        assert done.error_in_exec is not None, f"the cell did not fail; value: {done.result!r}"
        return done.error_in_exec

    def bundles(self, mime: str) -> list[Any]:
        """What the last cell displayed under a MIME type."""
        return [output.data[mime] for output in self.outputs if mime in output.data]

    def complete(self, text: str) -> list[str]:
        """What Tab offers at the end of the text."""
        with provisionalcompleter():
            return [each.text for each in self.ip.Completer.completions(text, len(text))]


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache for all tests of a run, so that a compiler runs once for the same source."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def bare(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    """A shell without the extension."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance()
    SESSION.clear()
    yield Shell(shell)
    SESSION.clear()
    shell.history_manager.end_session()
    InteractiveShell.clear_instance()


@pytest.fixture
def shell(bare: Shell) -> Shell:
    """A shell with the extension loaded."""
    bare.run("%load_ext wasmhub_magics")
    return bare


@pytest.fixture
def greeter(shell: Shell) -> Shell:
    """A shell in which the filter ``greeter`` has been built."""
    shell.run("%%wasm_filter greeter\n" + PYTHON_GREETER)
    return shell
