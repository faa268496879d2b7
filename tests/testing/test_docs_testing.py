"""The examples of the pages on testing and latency run as they stand."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from wasmhub_magics.testing import Suite

DOCS = Path(__file__).parents[2] / "docs"


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)


@pytest.mark.parametrize("page", ["testing.md", "latency.md"])
def test_the_python_of_a_page_runs(page: str, capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = blocks(page, "python")
    exec(compile(code, page, "exec"), {})
    assert "greeter" in capsys.readouterr().out or page == "testing.md"


def test_the_suite_of_the_page_is_one() -> None:
    (text,) = blocks("testing.md", "yaml")
    (case,) = Suite.parse(text)
    assert case.weight == 3
    assert set(case.clusters) == {"auth", "keys", "users"}


def test_every_picture_is_there() -> None:
    for page in ("testing.md", "latency.md"):
        for target in re.findall(r"\]\(((?!http)[^)]+)\)", (DOCS / page).read_text()):
            assert (DOCS / target).exists(), target
