"""From source to module: cache, interrupts, notes, errors."""

from __future__ import annotations

import contextlib
import os
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import wasmtime

from wasmhub_magics.build import BuildOptions, build_module, find_language, language_of, languages, toolchains
from wasmhub_magics.build import cache as cache_file
from wasmhub_magics.build.c import C
from wasmhub_magics.build.language import Compiled, Progress, Toolchain
from wasmhub_magics.errors import (
    BuildError,
    CompileError,
    Diagnostic,
    LinkError,
    MalformedModule,
    ModuleError,
    RequestError,
    ToolchainMissing,
)
from wasmhub_magics.examples import starter

FILTER = """
(module
  (memory (export "memory") 1)
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "malloc") (param i32) (result i32) (i32.const 1024)))
"""


@dataclass
class Counting:
    """A language that counts how often it compiles."""

    version: str = "1"
    header: str = "a"
    compiled: int = 0
    result: bytes = field(default_factory=lambda: bytes(wasmtime.wat2wasm(FILTER)))
    places: list[Path] = field(default_factory=list)
    name: str = "counting"
    title: str = "Counting"
    aliases: tuple[str, ...] = ()
    suffix: str = ".count"
    cacheable: bool = True

    def detect(self) -> Toolchain:
        return Toolchain("counter", self.version)

    def fingerprint(self) -> str:
        return self.header

    def compile(self, source: str, workdir: Path, options: BuildOptions, progress: Progress) -> Compiled:
        self.compiled += 1
        self.places.append(workdir)
        (workdir / "scratch").write_text(source)
        return Compiled(self.result, (Diagnostic("warning", "beware", 2, 3, code="w"),))


# --- cache ----------------------------------------------------------------------------------------


def test_the_same_source_is_compiled_once_and_keeps_its_warnings() -> None:
    language = Counting()
    first = build_module("x", language)
    again = build_module("x", language, "other")
    assert (first.cached, again.cached, language.compiled) == (False, True, 1)
    assert again.module == first.module
    assert again.diagnostics == first.diagnostics == (Diagnostic("warning", "beware", 2, 3, code="w"),)
    assert again.name == "other"


@pytest.mark.parametrize(
    "change",
    [
        {"source": "y"},
        {"language": Counting(version="2")},
        {"language": Counting(header="b")},
        {"options": BuildOptions(optimize="size")},
        {"options": BuildOptions(debug=True)},
        {"options": BuildOptions(defines=(("A", "1"),))},
        {"options": BuildOptions(files=(("a.h", ""),))},
        {"options": BuildOptions(flags=("-O3",))},
        {"options": BuildOptions(first_line=2)},
    ],
)
def test_whatever_changes_the_result_is_compiled_anew(change: dict) -> None:
    build_module("x", Counting())
    assert not build_module(**{"source": "x", "language": Counting(), **change}).cached


def test_what_does_not_change_the_result_is_not_compiled_anew() -> None:
    build_module("x", Counting())
    assert build_module("x", Counting(), options=BuildOptions(timeout=5, origin="a.c")).cached


def test_force_compiles_anew_and_refreshes_the_cache() -> None:
    language = Counting()
    build_module("x", language)
    assert not build_module("x", language, force=True).cached
    assert language.compiled == 2


def entries(cache: Path) -> list[Path]:
    return sorted((cache / "builds").iterdir())


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "junk"])
def test_a_damaged_entry_is_compiled_anew_and_replaced(cache: Path, damage: str) -> None:
    build_module("x", Counting())
    (entry,) = entries(cache)
    whole = entry.read_bytes()
    damaged = {
        "cut": whole[:-5],
        "flip": whole[:-1] + bytes([whole[-1] ^ 1]),
        "empty": b"",
        "junk": b"\xff" * 99,
    }[damage]
    entry.write_bytes(damaged)
    assert not build_module("x", Counting()).cached
    assert entry.read_bytes() == whole
    assert build_module("x", Counting()).cached


def test_a_cache_that_cannot_be_written_costs_nothing_but_time(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.write_text("a file where the folder should be")
    assert not build_module("x", Counting()).cached
    monkeypatch.setenv("WASMHUB_CACHE", "/proc/no/such/place")
    assert not build_module("x", Counting()).cached


def test_a_cache_under_a_home_that_does_not_exist_is_no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WASMHUB_CACHE", "~nobody-of-that-name/cache")
    assert not build_module("x", Counting()).cached
    assert not build_module("x", Counting()).cached


def test_a_read_only_cache_still_serves_what_it_has(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with tempfile.TemporaryDirectory() as place:
        cache = Path(place) / "cache"
        monkeypatch.setenv("WASMHUB_CACHE", str(cache))
        build_module("x", Counting())
        (entry,) = entries(cache)
        for path, mode in ((Path(place), 0o755), (cache, 0o555), (entry.parent, 0o555), (entry, 0o444)):
            path.chmod(mode)
        with without_privileges():
            assert build_module("x", Counting()).cached
            assert not build_module("y", Counting()).cached
        assert entries(cache) == [entry]
        entry.parent.chmod(0o755)
        cache.chmod(0o755)


@contextlib.contextmanager
def without_privileges() -> Iterator[None]:
    """Root may write anywhere: be somebody else for a while."""
    was = os.geteuid()
    if was == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        if was == 0:
            os.seteuid(0)


def test_a_full_disk_leaves_no_partial_entry(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    build_module("x", Counting())
    assert entries(cache) == []


def test_the_builds_that_were_not_used_for_longest_go_first(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache_file, "KEPT", 3)
    for number in range(5):
        build_module(str(number), Counting())
        for age, entry in enumerate(sorted(entries(cache), key=lambda path: -path.stat().st_mtime)):
            os.utime(entry, (1e9 - age, 1e9 - age))
    assert len(entries(cache)) == 3
    assert build_module("4", Counting()).cached
    assert not build_module("0", Counting()).cached


def test_the_private_directory_is_gone_after_success_and_failure() -> None:
    language = Counting()
    build_module("x", language)
    language.result = b"junk"
    with pytest.raises(MalformedModule):
        build_module("y", language)
    assert len(language.places) == 2
    assert not any(place.exists() for place in language.places)


def test_a_module_that_no_proxy_loads_is_refused_and_not_kept(cache: Path) -> None:
    bad = Counting(result=bytes(wasmtime.wat2wasm("(module)")))
    for _ in range(2):
        with pytest.raises(LinkError, match="declares no ABI version"):
            build_module("x", bad)
    assert bad.compiled == 2


def test_a_misspelt_callback_is_a_warning() -> None:
    wat = FILTER.rstrip().removesuffix(")") + '(func (export "proxy_on_reqest_headers")))'
    (warning,) = build_module(wat, "wat").diagnostics
    assert "did you mean proxy_on_request_headers?" in warning.message


def test_progress_names_the_language_and_the_compiler_and_is_silent_for_the_cache() -> None:
    said: list[str] = []
    for _ in range(2):
        build_module("x", Counting(), progress=said.append)
    assert said == ["compiling Counting with counter 1"]


# --- children -------------------------------------------------------------------------------------


def slow_compiler(folder: Path) -> C:
    """A compiler that starts a child of its own and never ends; the pids are written to files."""
    script = folder / "clang"
    script.write_text(
        f"#!/bin/sh\nsleep 600 &\necho $! > {folder}/grandchild\necho $$ > {folder}/child.new\n"
        f"mv {folder}/child.new {folder}/child\nwait\n"
    )
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return C([lambda: Toolchain("slow", "1", (str(script), str(script)))])


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_for(path: Path) -> int:
    deadline = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < deadline, f"{path.name} did not appear"
        time.sleep(0.01)
    return int(path.read_text())


def wait_gone(*pids: int) -> bool:
    deadline = time.monotonic() + 10
    while any(map(alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not any(map(alive, pids))


@pytest.mark.skipif(not Path("/proc").exists(), reason="reads /proc")
def test_an_interrupt_during_a_build_leaves_no_child_and_no_directory(tmp_path: Path) -> None:
    slow_compiler(tmp_path)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    code = (
        "from wasmhub_magics.build import build_module\n"
        "from wasmhub_magics.build.c import C\n"
        "from wasmhub_magics.build.language import Toolchain\n"
        f"compiler = {str(tmp_path / 'clang')!r}\n"
        "try:\n"
        "    build_module('x', C([lambda: Toolchain('slow', '1', (compiler, compiler))]))\n"
        "except KeyboardInterrupt:\n"
        "    print('interrupted')\n"
    )
    builder = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "TMPDIR": str(scratch)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        child = wait_for(tmp_path / "child")
        grandchild = wait_for(tmp_path / "grandchild")
        assert os.getpgid(child) != os.getpgid(builder.pid)
        builder.send_signal(signal.SIGINT)
        assert builder.communicate(timeout=30)[0] == "interrupted\n"
    finally:
        builder.kill()
        builder.communicate()
    assert wait_gone(child, grandchild)
    assert list(scratch.iterdir()) == []


@pytest.mark.skipif(not Path("/proc").exists(), reason="reads /proc")
def test_an_interrupt_in_the_moment_of_starting_does_not_lose_the_child(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[int] = []

    class Interrupted(subprocess.Popen):
        def __init__(self, *args, **kwargs) -> None:
            super().__init__(*args, **kwargs)
            started.append(self.pid)
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(subprocess, "Popen", Interrupted)
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        build_module("x", slow_compiler(tmp_path))
    assert signal.getsignal(signal.SIGINT) is before
    assert wait_gone(*started)


def test_a_build_works_in_another_thread() -> None:
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(build_module, '#include "proxy_wasm.h"', "c").result(60).module.abi == "0.2.1"


@pytest.mark.skipif(not Path("/proc").exists(), reason="reads /proc")
def test_a_build_that_takes_too_long_is_ended_with_all_its_children(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="took longer than 1 s"):
        build_module("x", slow_compiler(tmp_path), options=BuildOptions(timeout=1))
    assert wait_gone(wait_for(tmp_path / "child"), wait_for(tmp_path / "grandchild"))


def test_a_compiler_that_cannot_be_started_is_a_build_error(tmp_path: Path) -> None:
    gone = C([lambda: Toolchain("gone", "1", (str(tmp_path / "clang"), "wasm-ld"))])
    with pytest.raises(BuildError, match="clang cannot be started: No such file"):
        build_module("x", gone)


@pytest.mark.parametrize("language", ["assemblyscript", "c", "cpp", "go", "rust", "zig"])
def test_messages_are_plain_and_have_their_lines_where_the_environment_asks_for_colour(
    language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (
        ("CI", "true"),
        ("FORCE_COLOR", "1"),
        ("CLICOLOR_FORCE", "1"),
        ("CARGO_TERM_COLOR", "always"),
    ):
        monkeypatch.setenv(name, value)
    with pytest.raises(CompileError) as caught:
        build_module("\n\nthis is no program\n", language, options=BuildOptions(origin="cell"))
    assert "\x1b" not in caught.value.rendered
    assert any(each.line == 3 for each in caught.value.diagnostics)


def test_half_a_character_in_a_source_is_told_with_its_line() -> None:
    with pytest.raises(BuildError, match="half of a character") as caught:
        build_module("a\nb\ud83d", Counting(), options=BuildOptions(first_line=2))
    assert caught.value.where == "cell:3"


def test_options_that_mean_nothing_are_refused() -> None:
    with pytest.raises(RequestError, match="'fast' is nothing to optimize for"):
        BuildOptions(optimize="fast")  # type: ignore[arg-type]
    with pytest.raises(RequestError, match="first_line and timeout"):
        BuildOptions(first_line=0)


# --- languages ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["dotnet", "C#", ".net"])
def test_dotnet_is_told_what_there_is_of_it(name: str) -> None:
    with pytest.raises(BuildError, match=r"\.NET makes no filter today") as caught:
        build_module("", name)
    assert "https://github.com/dotnet/runtime/" in caught.value.do
    with pytest.raises(BuildError, match=r"\.NET makes no filter today"):
        language_of("Filter.cs")


def test_languages_are_found_by_name_alias_and_suffix() -> None:
    assert next(iter(languages())) == "python"
    assert find_language("C") is find_language("clang") is languages()["c"]
    assert language_of("some/filter.WAT") == "wat"
    with pytest.raises(BuildError, match="there is no language 'pyton'") as caught:
        find_language("pyton")
    assert "did you mean python?" in caught.value.do
    with pytest.raises(BuildError, match="tells no language"):
        language_of("filter.rb")


def test_every_toolchain_is_listed_and_one_that_is_missing_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = dict(toolchains())
    assert list(found) == list(languages())
    assert isinstance(found["c"], Toolchain)
    monkeypatch.setattr(languages()["c"], "_finders", [lambda: None])
    missing = dict(toolchains())["c"]
    assert isinstance(missing, ToolchainMissing)
    assert 'pip install "wasmhub-magics[c]"' in missing.do


def test_a_missing_compiler_is_one_sentence_with_the_command() -> None:
    with pytest.raises(ToolchainMissing) as caught:
        build_module("int x;", C([lambda: None]))
    assert "there is none on this machine" in caught.value.what
    assert 'pip install "wasmhub-magics[c]"' in caught.value.do


def test_a_ready_module_comes_in_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "ready.wasm"
    path.write_bytes(wasmtime.wat2wasm(FILTER))
    built = build_module(str(path), "wasm")
    assert built.module.data == path.read_bytes()
    path.write_bytes(b"\0asm\1\0\0\0\1")
    with pytest.raises(MalformedModule, match="ends too early"):
        build_module(str(path), "wasm")
    path.write_bytes(b"")
    with pytest.raises(MalformedModule, match="the module is empty"):
        build_module(str(path), "wasm")
    with pytest.raises(ModuleError, match="No such file"):
        build_module(str(tmp_path / "absent.wasm"), "wasm")


# --- WebAssembly text -----------------------------------------------------------------------------


def test_text_is_assembled_and_counts_as_a_build() -> None:
    built = build_module(FILTER, "wat")
    assert built.module.abi == "0.2.1"
    assert built.language == "wat"
    assert built.toolchain.startswith("wasmtime 5")


def test_a_syntax_error_of_the_text_has_its_line_and_column_in_characters() -> None:
    with pytest.raises(CompileError) as caught:
        build_module("(module\n (; 中😀é ;) (foo))", "wat", options=BuildOptions(first_line=2))
    (found,) = caught.value.diagnostics
    assert (found.line, found.column) == (3, 13)
    assert caught.value.rendered.splitlines() == [
        "cell:3:13: error: expected valid module field",
        "   3 |  (; 中😀é ;) (foo))",
        "     |               ^",
    ]


def test_a_type_error_of_the_text_is_told_with_its_function() -> None:
    with pytest.raises(CompileError) as caught:
        build_module("(module\n (func $f)\n (func $g (result i32)))", "wat")
    (found,) = caught.value.diagnostics
    assert found.line == 3
    assert "in g: type mismatch" in found.message


@pytest.mark.parametrize("language", [name for name in languages() if name != "wasm"])
def test_the_cache_may_be_on_another_file_system_than_temporary_files(
    language: str, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = Path("/dev/shm")
    assert memory.stat().st_dev != kept.stat().st_dev
    monkeypatch.setenv("WASMHUB_CACHE", str(kept))
    monkeypatch.setattr(tempfile, "tempdir", str(memory))
    assert build_module(starter(language), language, force=True).module.size


def test_the_time_of_a_build_is_told_in_a_unit_that_shows_it() -> None:
    built = replace(build_module("", "python"), cached=False)
    assert replace(built, seconds=0.0042).how == "built in 4 ms"
    assert "built in 1.23 s" in repr(replace(built, seconds=1.234))
    assert replace(built, cached=True).how == "cached"
