"""Where in its cell a filter failed: as its own words tell, or the frames of the trap."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from ..errors import Diagnostic, WasmhubError

if TYPE_CHECKING:
    from ..filter import Filter
    from ..module import Module
    from ..proxy import LogLine

__all__ = ["findings"]

INNERMOST_FIRST = ("go", "javascript", "assemblyscript", "rust")
FRAME = re.compile(r"^  \d+: ( ?)0x([0-9a-f]+) - (.*?)(?: \((\S+) line (\d+)\))?$", re.MULTILINE)
"""Two spaces are V8's, in Envoy and in the page: it counts from the start of the module."""
TWINS = ("c", "cpp", "zig", "assemblyscript")
"""Languages whose compiler soon makes the same code with source positions."""


def findings(made: Filter, log: Iterable[LogLine]) -> tuple[Diagnostic, ...]:
    """A mark for each line of the cell in which the filter failed; none where its log does not tell.

    Where the module has no source positions, its source is compiled once more with them.
    """
    logged = [each for each in log if each.level in ("error", "critical") and each.plugin in ("", made.name)]
    said = _places(made)
    found: dict[int, Diagnostic] = {}
    last = "the filter failed here"
    for entry in logged:
        text = entry.message.strip()
        places = list(said.finditer(text))
        if places:
            own, other, column = places[0 if made.language in INNERMOST_FIRST else -1].groups()
            number = int(own or other)
            found[number] = Diagnostic("error", _reason(text, said), number, int(column or 0))
        elif "backtrace:" not in text:
            last = text.splitlines()[-1] if text else last
    for entry in [] if found else logged:
        number = next(_lines(made, entry.message), 0)
        if number:
            trap = re.search(r"Uncaught RuntimeError: (.*)", entry.message)
            reason = f"{last} ({trap[1]})" if trap else last
            found[number] = Diagnostic("error", reason, number)
    return tuple(found.values())


def _places(made: Filter) -> re.Pattern[str]:
    """Places in the words of Python, of JavaScript and AssemblyScript, of Rust and Go."""
    origin = re.escape(made.built.options.origin) if made.built is not None else "cell"
    return re.compile(rf'File "{origin}", line (\d+)|\b(?:{origin}|cell(?:\.\w+)?):(\d+)(?::(\d+))?')


def _reason(text: str, said: re.Pattern[str]) -> str:
    """What a language says of an error, without its frames."""
    lines = text.splitlines()
    if lines[0].startswith("Traceback"):
        return lines[-1].strip()
    told = [line.strip() for line in lines if line.strip() and not said.search(line)]
    return told[0] if told else lines[0]


def _lines(made: Filter, backtrace: str) -> Iterator[int]:
    """The lines of the cell in a backtrace, the innermost first."""
    frames = FRAME.findall(backtrace)
    known = any(line for *_, line in frames)
    positions = made.module if known else _with_positions(made) or made.module
    for whole, told, name, file, line in frames:
        place, offset = (file, int(line or 0)), int(told, 16)
        index, offset = _inside(made.module, offset) if whole else (_index(made.module, name), offset)
        place = positions.source_line(index, offset) or place
        if place[0].split(".")[0] == "cell" and place[1]:
            yield place[1]
        elif made.language == "wat":
            yield from _function(made, made.module.function_name(index) if whole else name)
    callback = re.match(r"Function: (\w+) failed", backtrace)
    if callback and not frames and made.language == "wat":  # Envoy names no frames of a module without names
        yield from _function(made, callback[1])


def _function(made: Filter, name: str) -> Iterator[int]:
    """The line of WebAssembly text where a function begins: its compiler knows no places."""
    assert made.built is not None
    for number, line in enumerate(made.built.source.splitlines(), made.built.options.first_line):
        if re.search(rf"""\(func.*(?:\${re.escape(name)}(?![\w.])|"{re.escape(name)}")""", line):
            yield number


def _with_positions(made: Filter) -> Module | None:
    """The same code with source positions, which stand outside of it; None where that cannot be had."""
    from ..build import build_module

    built = made.built
    if built is None or built.language not in TWINS or built.options.debug:
        return None
    try:
        twin = build_module(
            built.source, built.language, built.name, options=replace(built.options, debug=True)
        ).module
    except WasmhubError:
        return None
    return twin if _code(twin) == _code(made.module) else None


def _code(module: Module) -> list[bytes]:
    return [module.data[start:end] for start, end in module.contents.bodies]


def _inside(module: Module, offset: int) -> tuple[int, int]:
    """The function whose code has this byte of the module, and where in it; -1 where there is none."""
    for own, (start, end) in enumerate(module.contents.bodies):
        if start <= offset < end:
            return module.contents.imported_functions + own, offset - start
    return -1, 0


def _index(module: Module, name: str) -> int:
    """The function of that name; -1 where there is none."""
    count = module.contents.imported_functions + len(module.contents.bodies)
    return next((index for index in range(count) if module.function_name(index) == name), -1)
