"""JupyterLab on directories of its own, and a notebook open in a browser."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from playwright.sync_api import ConsoleMessage, Locator, Page

START_SECONDS = 90
ANSWER_MS = 60_000

READY = """async () => {
  const panel = window.jupyterapp?.shell.currentWidget;
  if (!panel?.context || !panel.sessionContext) return false;
  await panel.context.ready;
  await panel.sessionContext.ready;
  await panel.sessionContext.session.kernel.info;
  return true;
}"""


def chromium() -> str:
    """The browser's path. Fails with the name of the package where there is none."""
    path = shutil.which("chromium")
    if path is None:
        raise RuntimeError("there is no chromium on this machine: apt-get install chromium fonts-dejavu-core")
    return path


def cell(source: str, kind: str = "code") -> dict[str, Any]:
    """A notebook cell that has not run."""
    made: dict[str, Any] = {
        "cell_type": kind,
        "metadata": {},
        "source": source,
        "id": f"c{abs(hash(source)):x}"[:12],
    }
    return made | ({"execution_count": None, "outputs": []} if kind == "code" else {})


class Lab:
    """A JupyterLab server whose kernels run this very Python; the server itself may be another's."""

    def __init__(self, home: Path, python: str = sys.executable) -> None:
        self.home = home
        self.python = python
        self.root = home / "notebooks"
        self.packages = home / "packages"
        """Python packages that are put here are installed for this server."""
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._settle()
        self._log = (self.home / "server.log").open("wb")
        self._process = subprocess.Popen(
            [
                self.python, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1",
                f"--port={self.port}", "--ServerApp.port_retries=0", "--IdentityProvider.token=t",
                f"--ServerApp.root_dir={self.root}", "--LabApp.expose_app_in_browser=True",
                "--JupyterNotebookApp.expose_app_in_browser=True",
                # Another's server serves what this Python has for browsers as if it were installed there.
                f"--LabServerApp.extra_labextensions_path={Path(sys.prefix, 'share/jupyter/labextensions')}",
            ],
            env=self.environment,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
        try:
            self._wait()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._log.close()

    @property
    def environment(self) -> dict[str, str]:
        """The environment of the server's processes: these directories in the place of the user's."""
        own = {"JUPYTER_PREFER_ENV_PATH": "0"}  # for the kernel written here
        return os.environ | self._places() | own | {"PYTHONPATH": str(self.packages)}

    def write(self, name: str, cells: Sequence[dict[str, Any]]) -> str:
        """Write a notebook and return its name."""
        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        content = {"cells": list(cells), "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
        (self.root / name).write_text(json.dumps(content))
        return name

    def _places(self) -> dict[str, str]:
        places = {
            "JUPYTER_CONFIG_DIR": "config", "JUPYTER_DATA_DIR": "data", "JUPYTER_RUNTIME_DIR": "runtime",
            "IPYTHONDIR": "ipython", "JUPYTERLAB_SETTINGS_DIR": "settings",
            "JUPYTERLAB_WORKSPACES_DIR": "workspaces", "HOME": "home",
            "XDG_CACHE_HOME": "cache", "XDG_DATA_HOME": "share",
        }  # fmt: skip
        return {name: str(self.home / place) for name, place in places.items()}

    def _settle(self) -> None:
        for place in self._places().values():
            Path(place).mkdir(parents=True, exist_ok=True)
        self.root.mkdir(exist_ok=True)
        self.packages.mkdir(exist_ok=True)
        spec = self.home / "data" / "kernels" / "python3"
        spec.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        (spec / "kernel.json").write_text(
            json.dumps({"argv": command, "display_name": "Python 3", "language": "python"})
        )
        news = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}
        (self.home / "config" / "labconfig").mkdir(exist_ok=True)
        (self.home / "config" / "labconfig" / "page_config.json").write_text(json.dumps(news))

        often = self.home / "settings" / "wasmhub-magics-lab" / "panel.jupyterlab-settings"
        often.parent.mkdir(exist_ok=True)
        often.write_text(json.dumps({"refresh": 0.5}))

    def _wait(self) -> None:
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            if self._process.poll() is not None:
                break
            try:
                with urllib.request.urlopen(f"{self.url}/api/status?token=t", timeout=2):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.2)
        raise RuntimeError("JupyterLab does not start:\n" + (self.home / "server.log").read_text()[-3000:])


class Notebook:
    """A notebook open in a browser page, in JupyterLab or, as its path ``notebooks``, in Jupyter Notebook."""

    def __init__(self, page: Page, lab: Lab, name: str, application: str = "lab/tree") -> None:
        self.page = page
        self.complaints: list[str] = []
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.goto(f"{lab.url}/{application}/{name}?token=t&reset")
        page.wait_for_selector("#jupyterlab-splash", state="detached", timeout=ANSWER_MS)
        page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=ANSWER_MS)
        # What looks idle may not be connected yet: a command sent then would be lost.
        page.wait_for_function(READY, timeout=ANSWER_MS)

    def run(self, index: int) -> Locator:
        """Run a cell, wait until it is done, and return its output area."""
        before = self.prompt(index)
        self.start(index)
        self.page.wait_for_function(
            """([index, before]) => {
              const cell = document.querySelectorAll('.jp-Notebook .jp-CodeCell')[index];
              const prompt = cell.querySelector('.jp-InputPrompt')?.textContent ?? '';
              return /\\[\\d+\\]/.test(prompt) && prompt !== before;
            }""",
            arg=[index, before],
            timeout=ANSWER_MS,
        )
        return self._cell(index).locator(".jp-OutputArea").first

    def start(self, index: int) -> None:
        """Run a cell without waiting for it."""
        self._cell(index).scroll_into_view_if_needed()
        self._cell(index).locator(".cm-content").click()
        self.page.keyboard.press("Control+Enter")

    def _cell(self, index: int) -> Locator:
        return self.page.locator(".jp-Notebook .jp-CodeCell").nth(index)

    def prompt(self, index: int) -> str:
        """What stands left of a cell: ``[3]:`` once it has run."""
        return self._cell(index).locator(".jp-InputPrompt").first.text_content() or ""

    def replace(self, index: int, source: str) -> None:
        """Put another source into a cell."""
        self.page.evaluate(
            """([index, source]) => {
              const cells = window.jupyterapp.shell.currentWidget.content.widgets;
              cells.filter(each => each.model.type === 'code')[index].model.sharedModel.setSource(source);
            }""",
            [index, source],
        )

    def fill(self, *sources: str) -> None:
        """Put these code cells in the place of all cells."""
        self.page.evaluate(
            """sources => {
              const model = window.jupyterapp.shell.currentWidget.content.model.sharedModel;
              const cells = sources.map(source => ({cell_type: 'code', source, metadata: {}}));
              model.insertCells(0, cells);
              model.deleteCellRange(cells.length, model.cells.length);
            }""",
            list(sources),
        )

    def restart(self) -> None:
        """Restart the kernel, and wait until it is idle.

        It is asked until it is: its first messages may come before anybody listens.
        """
        self.page.evaluate(
            "() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()"
        )
        self.page.wait_for_function(
            """() => {
              const { kernel } = window.jupyterapp.shell.currentWidget.sessionContext.session;
              if (kernel.status !== 'idle') kernel.requestKernelInfo().catch(() => {});
              return kernel.status === 'idle';
            }""",
            polling=500,
            timeout=ANSWER_MS,
        )

    def theme(self, name: str) -> None:
        """Change the theme: JupyterLab Light, JupyterLab Dark."""
        self.page.evaluate(
            "theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})", name
        )
        light = str("Light" in name).lower()
        body = f"body[data-jp-theme-light='{light}']"
        self.page.wait_for_selector(body, state="attached", timeout=ANSWER_MS)

    def close(self) -> None:
        """Stop the kernel and leave the page without a question about unsaved work."""
        self.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")
        self.page.close()

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.type}: {message.text} ({message.location.get('url', '')})")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
