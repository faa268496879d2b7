"""Compilers' messages, told alike for every language: place, message, and the line with a mark under it."""

from __future__ import annotations

import posixpath
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..errors import CompileError, Diagnostic
from .language import BuildOptions

__all__ = ["Line", "Sources", "column_of_byte", "column_of_width", "failure", "render", "source_lines"]


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a build's sources: the file as ``Diagnostic`` names it, and the text."""

    file: str
    number: int
    text: str


class Sources:
    """The texts of a build by the names that its compiler knows them by; ``main`` is the source's own."""

    def __init__(self, source: str, options: BuildOptions, main: str = "") -> None:
        self.options = options
        self._main = posixpath.normpath(main)
        files = {posixpath.normpath(name): source_lines(text) for name, text in options.files}
        self._files = {self._main: source_lines(source)} | files

    def line(self, file: str, number: int) -> Line | None:
        """The line that a compiler speaks of; None where that is not the user's."""
        name = posixpath.normpath(file)
        at = number - self._first_line(name)
        lines = self._files.get(name, [])
        return Line(self._told(name), number, lines[at]) if 0 <= at < len(lines) else None

    def __iter__(self) -> Iterator[Line]:
        """Every line there is, the source's own first."""
        for name, lines in self._files.items():
            for number, text in enumerate(lines, self._first_line(name)):
                yield Line(self._told(name), number, text)

    def _first_line(self, name: str) -> int:
        return self.options.first_line if name == self._main else 1

    def _told(self, name: str) -> str:
        return "" if name == self._main else name


def source_lines(source: str) -> list[str]:
    """The lines of a source as compilers count them: by line feeds only."""
    return [line.removesuffix("\r") for line in source.split("\n")]


def column_of_byte(line: str, byte: int) -> int:
    """The column, in characters from 1, of a column that counts UTF-8 bytes from 1."""
    return len(line.encode()[: max(byte - 1, 0)].decode(errors="ignore")) + 1


def column_of_width(line: str, cell: int) -> int:
    """The column, in characters from 1, of a column that counts cells of a terminal from 1."""
    seen = 0
    for column, character in enumerate(line, 1):
        seen += _width(character)
        if seen >= cell:
            return column
    return len(line) + 1


def render(diagnostics: Sequence[Diagnostic], source: str, options: BuildOptions | None = None) -> str:
    """Diagnostics as text, one after the other, each with its line of the source and a mark under its place.

    It is the same for the same input: it holds no path and no time.
    """
    options = options or BuildOptions()
    sources = Sources(source, options)
    return "\n".join(_render(each, sources) for each in diagnostics)


def failure(
    title: str, diagnostics: Sequence[Diagnostic], source: str, options: BuildOptions, do: str = ""
) -> CompileError:
    """The error for a source that a compiler refused."""
    errors = sum(each.severity == "error" for each in diagnostics) or 1
    return CompileError(
        f"the {title} source has {'an error' if errors == 1 else f'{errors} errors'}",
        diagnostics=diagnostics,
        rendered=render(diagnostics, source, options),
        do=do,
    )


def _render(one: Diagnostic, sources: Sources) -> str:
    code = f" [{one.code}]" if one.code else ""
    name = one.file or sources.options.origin
    if not one.line:
        return f"{name}: {one.severity}: {one.message}{code}"
    column = f":{one.column}" if one.column else ""
    head = f"{name}:{one.line}{column}: {one.severity}: {one.message}{code}"
    found = sources.line(one.file, one.line)
    if found is None:
        return head
    line = found.text
    number = f"{one.line:>4}"
    shown = "".join(character if character.isprintable() or character == "\t" else "�" for character in line)
    text = f"{head}\n{number} | {shown}"
    if one.column:
        before = shown[: one.column - 1]
        pad = "".join("\t" if character == "\t" else " " * _width(character) for character in before)
        end = one.end_column if one.end_line in (0, one.line) else len(line) + 1
        marked = shown[one.column - 1 : max(end - 1, one.column)]
        text += f"\n     | {pad}{'^' * max(1, sum(map(_width, marked)))}"
    return text


def _width(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
