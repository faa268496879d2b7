"""The page about the languages: its lines run, and its tables are whole."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from wasmhub_magics.build import languages
from wasmhub_magics.examples import examples

PAGE = (Path(__file__).parents[2] / "docs" / "languages.md").read_text()


def test_the_lines_of_the_page_run_one_after_the_other(tmp_path: Path) -> None:
    lines = [
        line for block in re.findall(r"^```sh\n(.*?)^```", PAGE, re.M | re.S) for line in block.splitlines()
    ]
    assert len(lines) >= 5
    for line in lines:
        words = shlex.split(line)
        assert words[0] == "wasmhub"
        command = [sys.executable, "-m", "wasmhub_magics.cli", *words[1:]]
        done = subprocess.run(
            command, cwd=tmp_path, env=os.environ, capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == 0, f"{line}\n{done.stderr}"
        assert done.stdout


def test_every_example_and_every_language_has_its_row() -> None:
    for each in examples():
        assert f"| `{each.name}` | {each.description} |" in PAGE
    measured = PAGE.split("<!-- table -->")[1].split("<!-- end -->")[0]
    titles = {each.title for each in languages().values() if each.name != "wasm"}
    assert all(f"| {title} | " in PAGE for title in titles)
    rows = [line.split("|")[1].strip() for line in measured.splitlines() if line.startswith("| ")][2:]
    assert len(rows) == len(set(rows)) >= 8
    assert set(rows) <= titles
