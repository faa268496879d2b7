"""Two people at two notebooks publish and find each other's filter through a registry with a password."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from tests.hub.conftest import PASSWORD, USER
from wasmhub_magics.hub import generate_keys

README = "# Greeter\n\nGreets *everybody* who asks. It needs no configuration.\n"
FILTER = """\
%%wasm_filter {name}
def on_request_headers(ctx):
    ctx.request.headers["x-{name}"] = "yes"
"""


class Notebook:
    """A notebook in a file, a kernel of its own, and a user of its own."""

    def __init__(self, folder: Path, name: str, cells: list[tuple[str, str]]) -> None:
        self.home = folder / name
        self.home.mkdir()
        self.path = self.home / f"{name}.ipynb"
        made = nbformat.v4.new_notebook()
        for kind, text in cells:
            new = nbformat.v4.new_markdown_cell if kind == "markdown" else nbformat.v4.new_code_cell
            made.cells.append(new(text))
        nbformat.write(made, self.path)
        self.book = made
        self.client = NotebookClient(made, timeout=120)
        self.env = {
            **os.environ,
            "HOME": str(self.home),
            "DOCKER_CONFIG": str(self.home / "docker"),
            "WASMHUB_STORE": str(self.home / "store"),
            "WASMHUB_CACHE": str(self.home / "cache"),
            "XDG_CONFIG_HOME": str(self.home / "config"),
            "JPY_SESSION_NAME": str(self.path),
            "REGISTRY_PASSWORD": PASSWORD,
            "COSIGN_PASSWORD": "k3y-pass",
        }

    def run(self, code: str) -> str:
        """What a new cell shows, as text."""
        cell = nbformat.v4.new_code_cell(code)
        self.book.cells.append(cell)
        self.client.execute_cell(cell, len(self.book.cells) - 1)
        return "\n".join(
            each.get("text", "") + each.get("data", {}).get("text/plain", "") for each in cell.outputs
        )

    def run_first(self) -> None:
        """Run the cells that it was made with."""
        for number, cell in enumerate(list(self.book.cells)):
            if cell.cell_type == "code":
                self.client.execute_cell(cell, number)


@pytest.fixture
def two(tmp_path: Path) -> Any:
    start = [("code", "%load_ext wasmhub_magics"), ("markdown", README)]
    books = [
        Notebook(tmp_path, name, [*start, ("code", FILTER.format(name=name))])
        for name in ("greeter", "marker")
    ]
    with books[0].client.setup_kernel(env=books[0].env), books[1].client.setup_kernel(env=books[1].env):
        for book in books:
            book.run_first()
        yield books


def test_two_notebooks_find_each_others_filter(secured: Any, two: list[Notebook], tmp_path: Path) -> None:
    team = secured.fresh().rpartition(":")[0]
    pairs = [generate_keys(tmp_path / f"key-{number}", "k3y-pass") for number in range(2)]
    for book, (private, _) in zip(two, pairs, strict=True):
        name = book.path.stem
        book.run("import os; secret = os.environ['REGISTRY_PASSWORD']")
        assert "Login" in book.run(f"%wasm_login {secured.address} --username {USER} --password @secret")
        pushed = book.run(f"%wasm_push {name} {team}/{name}:v1 --keyword demo --layout all --sign {private}")
        assert "pulled by" in pushed
    for book, other, (_, public) in zip(two, two[::-1], pairs[::-1], strict=True):
        name = other.path.stem
        assert f"{team}/{name}:v1" in book.run(f"%wasm_search everybody --registry {team} --keyword demo")
        told = book.run(f"%wasm_info {team}/{name}:v1 --key {public}")
        assert "trusted" in told
        assert "It needs no configuration." in told
        assert "signed by" in told
        policy = book.home / "config" / "wasmhub" / "policy.toml"
        policy.parent.mkdir(parents=True, exist_ok=True)
        policy.write_text(f'[[rule]]\nimage = "*"\nkeys = ["{public}"]\nsource = true\n')
        book.run(f"%wasm_pull {team}/{name}:v1 --as theirs")
        assert f"x-{name}" in book.run("%wasm_send theirs GET /")
    for book in two:
        text = json.dumps(book.book)
        assert PASSWORD not in text
        assert "k3y-pass" not in text
        kept = book.home / "docker" / "config.json"
        assert kept.stat().st_mode & 0o077 == 0
