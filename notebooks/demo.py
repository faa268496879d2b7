"""Run the quickstart headless on real parts and print one line a step; ``make demo`` calls it."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from wasmhub_magics import WasmhubError, pull

NOTEBOOK = Path(__file__).parent / "01_quickstart.ipynb"


class Steps:
    """The steps done so far: each is a line with its number, name, time and first line of result."""

    def __init__(self) -> None:
        self.count = 0
        self.passed = 0

    @contextmanager
    def step(self, name: str) -> Iterator[list[str]]:
        """Time one step; what the body appends to the list is its result."""
        self.count += 1
        said: list[str] = []
        start = time.perf_counter()
        try:
            yield said
        except (
            CellExecutionError,
            WasmhubError,
            AssertionError,
            OSError,
            subprocess.SubprocessError,
        ) as error:
            mark, said = "FAILED", [*said, str(error).strip()]
        else:
            mark, self.passed = "ok", self.passed + 1
        lines = [line for text in said for line in text.splitlines() if line.strip()]
        result = lines if mark == "FAILED" else [line[:100] for line in lines[:1]]
        took = time.perf_counter() - start
        print(f"{mark:<6} {self.count:>2}  {name:<34} {took:6.2f} s  {(result or [''])[0]}", flush=True)
        for line in result[1:]:
            print(f"           {line}", flush=True)


def sections(notebook: Any) -> Iterator[tuple[str, list[tuple[int, Any]]]]:
    """The headings of a notebook with the code cells below each."""
    name, cells = "", list[tuple[int, Any]]()
    for index, cell in enumerate(notebook.cells):
        heading = re.match(r"## (.+)", cell.source) if cell.cell_type == "markdown" else None
        if heading:
            if cells:
                yield name, cells
            name, cells = heading[1], []
        elif cell.cell_type == "code":
            cells.append((index, cell))
    yield name, cells


def result(cell: Any) -> str:
    """The plain text of a cell's last result, and what it printed before."""
    texts = [output.get("text") or output.get("data", {}).get("text/plain", "") for output in cell.outputs]
    plain = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(reversed(texts)))
    return "\n".join(line for line in plain.splitlines() if line.strip(" -=+|─"))


def run_notebook(steps: Steps) -> None:
    """Run the quickstart in a real kernel, a section a step."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    kernel = AsyncKernelManager(kernel_name="python3", transport="ipc")
    client = NotebookClient(notebook, km=kernel, timeout=180)
    with client.setup_kernel(cleanup_kc=True):
        for name, cells in sections(notebook):
            with steps.step(name) as said:
                for index, cell in cells:
                    client.execute_cell(cell, index)
                    said.append(result(cell))


@contextmanager
def registry(folder: Path) -> Iterator[str]:
    """A real registry on loopback, for as long as the body runs."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    config = folder / "registry.yml"
    config.write_text(
        "version: 0.1\nlog: {level: error}\n"
        f"storage: {{filesystem: {{rootdirectory: {folder / 'registry'}}}}}\nhttp: {{addr: {address}}}\n"
    )
    with (folder / "registry.log").open("w") as log:
        server = subprocess.Popen(["docker-registry", "serve", config], stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2])), 1).close()
                break
            except ConnectionRefusedError:
                if server.poll() is not None:
                    raise OSError((folder / "registry.log").read_text()) from None
                time.sleep(0.05)
        yield address
    finally:
        server.terminate()
        server.wait(10)


def publish(steps: Steps, folder: Path) -> None:
    """Push to a real registry and let another tool read it back."""
    with registry(folder) as address:
        reference = f"{address}/demo/greeter:v1"
        with steps.step("Push to a registry") as said:
            image = pull("demo/greeter:v1").push(reference)
            said.append(f"{image.digest}")
        with steps.step("Read the image with skopeo") as said:
            command = [
                "skopeo",
                "inspect",
                "--tls-verify=false",
                "--format",
                "{{.Digest}}",
                f"docker://{reference}",
            ]
            seen = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
            assert seen == image.digest, f"skopeo sees {seen}"
            said.append(seen)


def main() -> int:
    """Run every step; 0 if all passed."""
    steps = Steps()
    with tempfile.TemporaryDirectory(prefix="wasmhub-demo-") as name:
        folder = Path(name)
        os.environ["WASMHUB_STORE"] = str(folder / "store")
        os.environ["IPYTHONDIR"] = str(folder / "ipython")
        os.environ["JUPYTER_RUNTIME_DIR"] = str(folder / "runtime")
        run_notebook(steps)
        if shutil.which("docker-registry") and shutil.which("skopeo"):
            publish(steps, folder)
        else:
            print("       --  Push to a registry: apt-get install docker-registry skopeo", flush=True)
    print(f"demo: {steps.passed}/{steps.count} steps passed")
    return 0 if steps.passed == steps.count else 1


if __name__ == "__main__":
    sys.exit(main())
