"""The line that tells how a long build goes."""

from __future__ import annotations

import contextlib
import threading

import pytest
from IPython.utils.capture import capture_output

from tests.notebook.conftest import Shell
from wasmhub_magics.notebook.progress import Progress


def test_a_quick_build_shows_nothing(bare: Shell) -> None:
    with capture_output() as captured, Progress("greeter (python)", after=60) as progress:
        progress("compiling")
    assert captured.outputs == []


def test_a_long_build_shows_its_stage_and_ends_with_the_time(
    bare: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = threading.Event()
    texts: list[str] = []

    def publish(data: dict[str, str], **_options: object) -> None:
        texts.append(data["text/plain"])
        shown.set()

    monkeypatch.setattr(bare.ip.display_pub, "publish", publish)
    with Progress("greeter (c)", after=0.01) as progress:
        assert shown.wait(30)
        progress("linking")
    assert texts[0].startswith("greeter (c): starting")
    assert texts[1] == "greeter (c): linking …"
    assert texts[2].startswith("greeter (c): done in ")


def test_an_interrupted_build_says_that_it_stopped(bare: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = threading.Event()
    texts: list[str] = []
    monkeypatch.setattr(
        bare.ip.display_pub,
        "publish",
        lambda data, **_options: (texts.append(data["text/plain"]), shown.set()),
    )
    with contextlib.suppress(KeyboardInterrupt), Progress("greeter (c)", after=0.01):
        assert shown.wait(30)
        raise KeyboardInterrupt
    assert texts[-1].startswith("greeter (c): stopped after ")
