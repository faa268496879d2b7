"""WebAssembly text, assembled inside this process."""

from __future__ import annotations

import re
from importlib.metadata import version
from pathlib import Path

from ..binary import parse
from ..errors import Diagnostic
from ..module import Module
from .diagnostics import column_of_width, failure, source_lines
from .language import BuildOptions, Compiled, Progress, Toolchain

__all__ = ["Wat"]

_PLACE = re.compile(r"\n\s*--> <anon>:(\d+):(\d+)")
_OFFSET = re.compile(r"(.*) \(at offset 0x([0-9a-f]+)\)")


class Wat:
    """WebAssembly text (``.wat``), assembled and validated by wasmtime."""

    name = "wat"
    title = "WebAssembly text"
    aliases = ("wast",)
    suffix = ".wat"
    cacheable = False

    def detect(self) -> Toolchain:
        """Wasmtime, which is always here."""
        return Toolchain("wasmtime", version("wasmtime"))

    def fingerprint(self) -> str:
        """Nothing besides the source."""
        return ""

    def compile(self, source: str, workdir: Path, options: BuildOptions, progress: Progress) -> Compiled:
        """Assemble a source. Raises CompileError with the place where the assembler names one."""
        import wasmtime

        del workdir, progress
        try:
            data = bytes(wasmtime.wat2wasm(source))
        except wasmtime.WasmtimeError as error:
            raise failure(self.title, [_syntax(str(error), source, options)], source, options) from None
        try:
            wasmtime.Module.validate(wasmtime.Engine(), data)
        except wasmtime.WasmtimeError as error:
            raise failure(
                self.title, [_validity(str(error), data, source, options)], source, options
            ) from None
        return Compiled(data)


def _syntax(text: str, source: str, options: BuildOptions) -> Diagnostic:
    message = text.partition("\n")[0]
    place = _PLACE.search(text)
    if place is None:
        return Diagnostic("error", message)
    line, column = int(place[1]), int(place[2])
    lines = source_lines(source)
    if line <= len(lines):
        column = column_of_width(lines[line - 1], column)
    return Diagnostic("error", message, line + options.first_line - 1, column)


def _validity(text: str, data: bytes, source: str, options: BuildOptions) -> Diagnostic:
    """A fault that the validator finds has an offset only: it is told by the function around it."""
    parts = _OFFSET.match(text.replace("\n", " "))
    if parts is None:
        return Diagnostic("error", text.partition("\n")[0])
    message, offset = parts[1], int(parts[2], 16)
    contents = parse(data)
    around = next((i for i, (start, end) in enumerate(contents.bodies) if start <= offset < end), None)
    if around is None:
        return Diagnostic("error", message)
    name = Module(data).function_name(around + contents.imported_functions)
    for number, line in enumerate(source_lines(source), options.first_line):
        found = re.search(
            rf"\(\s*func\s+(\${re.escape(name)}|\(export\s+\"{re.escape(name)}\")(?![\w.$-])", line
        )
        if found:
            return Diagnostic("error", f"in {name}: {message}", number, found.start() + 1)
    return Diagnostic("error", f"in {name}: {message}")
