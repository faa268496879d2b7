"""The page of the hub shows what works: its examples and its shell lines are run."""

from __future__ import annotations

import doctest
import re
import shlex
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from wasmhub_magics.cli import main

PAGE = Path(__file__).parents[2] / "docs" / "hub.md"


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", PAGE.read_text(), re.M | re.S)


@pytest.fixture
def own_signals() -> Iterator[None]:
    """The command line takes SIGTERM for itself."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def test_every_example_and_every_shell_line_does_what_the_page_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], own_signals: None
) -> None:
    monkeypatch.chdir(tmp_path)
    test = doctest.DocTestParser().get_doctest("\n".join(blocks("pycon")), {}, "hub", None, 0)
    assert len(test.examples) > 25
    failures: list[str] = []
    doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.IGNORE_EXCEPTION_DETAIL).run(
        test, out=failures.append
    )
    assert not failures, "".join(failures)
    (tmp_path / "greeter.py").write_text("def on_request_headers(ctx):\n    pass\n")
    monkeypatch.setenv("COSIGN_PASSWORD", "k3y-pass")
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    assert len(lines) > 8
    for line in lines:
        name, *words = shlex.split(line)
        assert name == "wasmhub"
        status = main(words)
        told = capsys.readouterr()
        assert status == 0, line + told.out + told.err
        assert told.out
