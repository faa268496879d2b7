"""Read what clang and its linker say, in places of the source."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Literal

from ..abi import CALLBACKS, HOST_FUNCTIONS
from ..errors import Diagnostic
from .diagnostics import Line, Sources, column_of_byte

__all__ = ["ASKED", "Reader", "undefined", "unplaced"]

ASKED = ("-fno-caret-diagnostics", "-fdiagnostics-print-source-range-info", "-fno-color-diagnostics")
"""The flags with which clang speaks as it is read here."""

_LINE = re.compile(
    r"^(?P<file>[^:\n]+):(?P<line>\d+):(?P<column>\d+):(?P<ranges>(?:\{[\d:-]+\})*:?) "
    r"(?P<severity>fatal error|error|warning|note): (?P<message>.*?)(?: \[(?P<code>-W[^\]]*)\])?$",
    re.M,
)
_RANGE = re.compile(r"\{(\d+):(\d+)-(\d+):(\d+)\}")
_SEVERITIES: dict[str, Literal["error", "warning", "note"]] = {"warning": "warning", "note": "note"}


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads clang's messages about the user's sources; its columns count bytes, ours characters.

    ``elsewhere`` gets file, line, column, message and whether it is a note, of one about another file, and
    returns what to say, or nothing.
    """

    sources: Sources
    workdir: Path
    elsewhere: Callable[[str, int, int, str, bool], str]

    def messages(self, text: str) -> Iterator[Diagnostic]:
        """All that was said; an error elsewhere is told at the place of the user's source that led there."""
        groups: list[list[Diagnostic]] = []
        for told in self._said(text):
            if told.severity == "note" and groups:
                groups[-1].append(told)
            else:
                groups.append([told])
        for told, *notes in groups:
            led = next((note for note in notes if note.line), None)
            if not told.line and led is not None and "requested here" in led.message:
                yield replace(led, severity=told.severity, message=told.message, code=told.code)
            else:
                yield told
                led = None
            yield from (note for note in notes if note is not led and note.message)

    def _said(self, text: str) -> Iterator[Diagnostic]:
        skipping = False
        for match in _LINE.finditer(text):
            severity = _SEVERITIES.get(match["severity"], "error")
            message = match["message"].replace(f"{self.workdir}/", "")
            if severity == "note" and (skipping or "expanded from macro" in message):
                continue
            skipping = match["code"] == "-Wmissing-prototypes"
            if skipping:  # asked for only to find callbacks that are misspelt
                found = re.search(r"'(\w+)'", message)
                if found is None or not found[1].startswith("proxy_"):
                    continue
                near = get_close_matches(found[1], [callback.name for callback in CALLBACKS], 1, 0.6)
                message = f"{found[1]} is no callback, so no proxy calls it" + (
                    f"; did you mean {near[0]}?" if near else ""
                )
            code = "" if skipping else (match["code"] or "").partition(",")[0]
            number, column = int(match["line"]), int(match["column"])
            line = self.sources.line(match["file"], number)
            if line is None:
                message = self.elsewhere(match["file"], number, column, message, severity == "note")
                yield Diagnostic(severity, message, code=code)
                continue
            end_line = end_column = 0
            for start_line, start, last_line, end in _RANGE.findall(match["ranges"]):
                inside = int(start_line) == number and int(start) <= column
                if inside and int(last_line) == number and int(end) > column:
                    end_line, end_column = number, column_of_byte(line.text, int(end))
                    break
            place = (number, column_of_byte(line.text, column), end_line, end_column)
            yield Diagnostic(severity, message, *place, code, line.file)


def undefined(text: str, sources: Sources) -> Iterator[Diagnostic]:
    """The functions that the linker misses, at the first line of the user's sources that names them."""
    offered = [name for module, name in HOST_FUNCTIONS if module == "env"]
    for symbol in dict.fromkeys(re.findall(r"undefined symbol: (.+)", text)):
        name = _last_name(symbol)
        near = get_close_matches(name, offered, 1, 0.75)
        message = f"{symbol} is declared but not defined" + (f"; did you mean {near[0]}?" if near else "")
        if symbol.startswith("vtable for "):
            message = f"a virtual method of {name} is declared but not defined"
        if name.startswith("__"):
            message = f"the code needs {name}, but no runtime library of a compiler is linked"
        place = next((place for line in sources if (place := _named(name, line))), (0, 0, 0, 0, ""))
        yield Diagnostic("error", message, *place[:4], "undefined symbol", place[4])


def _named(name: str, line: Line) -> tuple[int, int, int, int, str] | None:
    found = re.search(rf"\b{re.escape(name)}\b", line.text)
    return found and (line.number, found.start() + 1, line.number, found.end() + 1, line.file)


def _last_name(symbol: str) -> str:
    """``helper`` of ``Filter::helper(int)``."""
    return re.split(r"::|\s", symbol.partition("(")[0].partition("<")[0])[-1] or symbol


def unplaced(text: str, workdir: Path) -> tuple[Diagnostic, ...]:
    """What a compiler or linker said without a place, such as about an unknown flag."""
    lines = [line.strip().replace(f"{workdir}/", "") for line in text.splitlines() if line.strip()]
    said = [line for line in lines if "error" in line] or lines or ["the compiler failed without a word"]
    return tuple(
        Diagnostic("error", re.sub(r"^\S*?(zig|clang|wasm-ld)\S*: (error: )?", "", line)) for line in said
    )
