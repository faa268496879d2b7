"""The console script does in a shell what the magics do in a notebook."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from urllib.request import urlopen

import pytest

GREETER = """\
def on_request_headers(ctx):
    ctx.request.headers['x-greeting'] = 'hello ' + ctx.configuration.decode()
"""
COMMAND = [sys.executable, "-m", "wasmhub_magics.cli"]

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    (tmp_path / "greeter.py").write_text(GREETER)
    environment = os.environ | {"WASMHUB_STORE": str(tmp_path / "store")}

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COMMAND, *words],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    return run


def test_build_writes_a_module_that_send_takes(run: Run, tmp_path: Path) -> None:
    assert run("build", "greeter.py").returncode == 0
    assert (tmp_path / "greeter.wasm").read_bytes().startswith(b"\0asm")
    sent = run("send", "greeter.wasm", "GET", "/items", "--config", "ada")
    assert sent.returncode == 0
    assert "hello ada" in sent.stdout


def test_a_configuration_comes_from_a_file(run: Run, tmp_path: Path) -> None:
    (tmp_path / "config.txt").write_text("from a file")
    assert "hello from a file" in run("send", "greeter.py", "/", "--config", "@config.txt").stdout


def test_what_is_pushed_can_be_found_pulled_and_sent_to(run: Run, tmp_path: Path) -> None:
    assert run("push", "greeter.py", "team/greeter:v1", "--description", "greets people").returncode == 0
    assert "team/greeter" in run("search", "greets").stdout
    assert run("pull", "team/greeter:v1", "-o", "pulled.wasm").returncode == 0
    assert (tmp_path / "pulled.wasm").read_bytes().startswith(b"\0asm")
    assert "hello" in run("send", "team/greeter:v1", "/").stdout


def test_bench_writes_its_figures(run: Run, tmp_path: Path) -> None:
    done = run("bench", "greeter.py", "--seconds", "0.2", "--output", "bench.json")
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "bench.json").read_text())


def test_verify_succeeds_where_envoy_agrees(run: Run) -> None:
    done = run("verify", "greeter.py", "GET", "/items")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_mistake_is_one_sentence_and_exit_status_1(run: Run, tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text("def broken(:\n")
    (tmp_path / "latin.py").write_bytes(b"name = 'caf\xe9'\n")
    for words in (
        ["send", "none.py"],
        ["send", "latin.py"],
        ["build", "greeter.py", "-o", "no/such/folder/greeter.wasm"],
        ["build", "bad.py"],
        ["pull", "team/none:v1"],
        ["deploy", "greeter.py", "--to", "moon"],
    ):
        done = run(*words)
        assert done.returncode == 1, words
        assert done.stderr.startswith("wasmhub: "), done.stderr
        assert "Traceback" not in done.stderr


def test_a_reader_who_has_enough_is_no_error() -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    done = subprocess.run(
        [*COMMAND, "new"], stdout=theirs, stderr=subprocess.PIPE, text=True, check=False, timeout=120
    )
    os.close(theirs)
    assert not done.stderr


def test_deploy_serves_until_it_is_interrupted_and_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "greeter.py").write_text(GREETER)
    server = subprocess.Popen(
        [*COMMAND, "deploy", "greeter.py"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None
        line = ""
        said = []
        while "serving until" not in line:
            line = server.stdout.readline()
            assert line, server.communicate()[1]
            said.append(line)
        found = re.search(r"http://127\.0\.0\.1:\d+", "".join(said))
        assert found, said
        with urlopen(found[0]) as answer:
            assert answer.status == 200
        children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
        assert children
        server.send_signal(signal.SIGINT)
        assert server.wait(20) == 0
    finally:
        server.kill()
        server.communicate()
    deadline = time.monotonic() + 5
    while any(Path(f"/proc/{child}").exists() for child in children) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not [child for child in children if Path(f"/proc/{child}").exists()]


def test_doctor_names_every_part(run: Run) -> None:
    said = run("doctor").stdout
    for part in ("python", "envoy", "wasmtime", "zig", "h2load", "local store"):
        assert part in said.lower()


def test_new_begins_and_export_hands_on(run: Run, tmp_path: Path) -> None:
    assert "rate-limit" in run("new").stdout
    assert run("new", "js", "hello").returncode == 0
    assert "hello stranger" in run("send", "hello.js", "/").stdout
    shown = run("new", "--example", "redirect", "python", "redirect")
    assert "--config 'www.example.com'" in shown.stdout
    assert run("new", "python", "redirect").returncode == 1
    assert run("export", "hello.js", "out").returncode == 0
    assert run("build", "out", "-o", "again.wasm").returncode == 0
    assert run("build", "hello.js").returncode == 0
    assert (tmp_path / "again.wasm").read_bytes() == (tmp_path / "hello.wasm").read_bytes()


def test_build_takes_definitions_and_further_files(run: Run, tmp_path: Path) -> None:
    (tmp_path / "words.py").write_text("HELLO = 'hello'\n")
    (tmp_path / "a.py").write_text(
        "import words\ndef on_request_headers(ctx):\n    ctx.request.headers['x-w'] = words.HELLO + WHO\n"
    )
    assert run("build", "a.py", "--file", "words.py", "--define", "WHO=you").returncode == 0
    assert "helloyou" in run("send", "a.wasm", "/").stdout
    assert "is not KEY=VALUE" in run("build", "a.py", "--define", "WHO").stderr
