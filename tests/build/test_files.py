"""What compilers say about the further files of a build, in every language that has them."""

from __future__ import annotations

from pathlib import Path

import pytest

from wasmhub_magics.build import BuildOptions, build_module
from wasmhub_magics.errors import CompileError


@pytest.fixture(autouse=True)
def cache(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WASMHUB_CACHE", str(kept))


FILES = {
    "c": ('#include "lib/more.h"\nint f(void) { return 0; }', "lib/more.h", "static int é = nope;", 16),
    "cpp": ("int f(); int g() { return f(); }", "lib/more.cc", "int é = nope;", 9),
    "zig": (
        'pub fn onLog(_: @import("proxy_wasm").Stream) void { _ = @import("lib/more.zig").x; }',
        *("lib/more.zig", 'pub const x = "é" ++ nope;', 22),
    ),
    "rust": ('#[path = "lib/more.rs"] mod more;', "lib/more.rs", 'pub fn f() { let _ = ("é", nope); }', 28),
    "go": ("package main\n\nfunc main() {}", "more.go", 'package main; var x = "é" + nope', 29),
    "assemblyscript": (
        'import { x } from "./lib/more";\nexport function f(): void { x; }',
        *("lib/more.ts", 'export const x: string = "😀" + nope;', 32),
    ),
    "javascript": ("import { x } from './lib/more.js';\nexport const y = x;", "lib/more.js", "let é = ;", 9),
    "python": ("import lib.more", "lib/more.py", "é = )", 5),
}


@pytest.mark.parametrize("language", FILES)
def test_an_error_in_a_further_file_names_its_place_and_marks_it_there(language: str) -> None:
    source, name, wrong, column = FILES[language]
    before = "" if language == "go" else "\n"
    options = BuildOptions(files=((name, f"{before}{wrong}\n"),), origin="main", first_line=2)
    with pytest.raises(CompileError) as caught:
        build_module(source, language, options=options)
    line = 1 + len(before)
    found = next(each for each in caught.value.diagnostics if each.severity == "error" and each.line)
    assert (found.file, found.line, found.column) == (name, line, column)
    head, shown, mark = caught.value.rendered.splitlines()[:3]
    assert head.startswith(f"{name}:{line}:{column}: error: ")
    assert shown == f"{line:>4} | {wrong}"
    assert mark.startswith("     | " + " " * (column - 1 + wrong.count("😀")) + "^")


def test_an_editor_of_the_source_alone_is_told_the_place_in_words() -> None:
    source, name, wrong, column = FILES["python"]
    with pytest.raises(CompileError) as caught:
        build_module(source, "python", options=BuildOptions(files=((name, wrong),)))
    told = caught.value.diagnostics[0].for_source()
    assert (told.file, told.line, told.column) == ("", 0, 0)
    assert told.message == f"{name}:1:{column}: unmatched ')'"
