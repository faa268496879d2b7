"""What the doctor says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.notebook.conftest import Shell
from wasmhub_magics import doctor
from wasmhub_magics.build.zig import Zig
from wasmhub_magics.errors import BuildError, ToolchainMissing


def test_it_lists_languages_proxies_notebook_registries_directories_and_settings(shell: Shell) -> None:
    shell.run("%config WasmMagics.timeout = 77")
    report = shell.run("%wasm_doctor")
    for part in ("Python", "wasmtime", "Envoy", "anywidget", "oras", "local store"):
        assert report[part].state == "ok", report[part]
    assert report["timeout"].found == "77.0"
    assert "wasmtime" in repr(report)
    assert "<table" in report._repr_html_()


def test_what_is_missing_comes_with_the_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    report = doctor()
    assert report["skopeo"].state == "missing"
    assert "apt-get install skopeo" in repr(report)
    assert report.healthy


def test_a_broken_envoy_is_told_with_the_way_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WASMHUB_ENVOY", str(tmp_path / "no-envoy"))
    check = doctor()["Envoy"]
    assert check.state == "missing"
    assert "WASMHUB_ENVOY" in check.do


def test_it_works_without_ipython() -> None:
    code = (
        "import sys; from wasmhub_magics import doctor; print(doctor()); assert 'IPython' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "anywidget" in done.stdout


def test_it_warms_the_languages_it_is_told_to(shell: Shell) -> None:
    report = shell.run("%wasm_doctor --warm cpp zig")
    assert [(check.part, check.state) for check in report.checks if check.group == "warmed"] == [
        ("C++", "ok"),
        ("Zig", "ok"),
    ]
    assert "warmed" in repr(report)


def test_it_warms_no_language_that_is_none_or_has_no_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BuildError, match="there is no language 'cobol'"):
        doctor(warm=["cobol"])
    monkeypatch.setattr(Zig, "detect", _missing)
    with pytest.raises(ToolchainMissing):
        doctor(warm=["zig"])


def _missing(_zig: object) -> None:
    raise ToolchainMissing("there is no Zig", do="install it")
