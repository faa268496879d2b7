"""What AssemblyScript's compiler says, and what it does not: functions that nobody calls."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches

from ..errors import Diagnostic
from .assemblyscript_entry import CALLBACKS, exported_functions, wanted_shape
from .diagnostics import Sources
from .language import BuildOptions

__all__ = ["SOURCE", "messages", "uncalled"]

SOURCE = "cell.ts"
"""What the source is called where it is compiled."""

_MESSAGE = re.compile(
    r"^(?P<severity>ERROR|WARNING|INFO|PEDANTIC) (?P<code>(?:TS|AS)\d+): (?P<message>.*?)\n"
    r"(?P<shown>.*?)\s└─ in (?P<file>[^\n]*?)\((?P<line>\d+),(?P<column>\d+)\)",
    re.M | re.S,
)


def messages(text: str, source: str, options: BuildOptions) -> Iterator[Diagnostic]:
    """Read the compiler's messages; its columns count UTF-16 units, ours characters."""
    sources = Sources(source, options, SOURCE)
    seen = set()
    for match in _MESSAGE.finditer(text):
        if match["severity"] in ("INFO", "PEDANTIC"):
            continue
        severity = match["severity"]
        number, unit = int(match["line"]), int(match["column"])
        line, file = sources.line(match["file"], number), ""
        if line is not None:
            mark = re.findall(r"│\s*(~+)\s*$", match["shown"], re.M)
            column = _column(line.text, unit)
            end = _column(line.text, unit + len(mark[-1])) if mark else 0
            place = (number, column, number if end > column else 0, end if end > column else 0)
            message, file = match["message"], line.file
        else:
            place = (0, 0, 0, 0)
            name = match["file"].removeprefix("~lib/")
            message = f"{name}:{number}:{unit}: {match['message']}"
            called = re.search(r"\bcell\.(on\w+)\(", match["shown"])
            if match["file"] == "entry.ts" and called:
                place, message = (
                    _declared(called[1], source, options),
                    f"{called[1]} is called with {wanted_shape(called[1])}: {match['message']}",
                )
        one = Diagnostic("error" if severity == "ERROR" else "warning", message, *place, match["code"], file)
        if one not in seen:
            seen.add(one)
            yield one


def _declared(name: str, source: str, options: BuildOptions) -> tuple[int, int, int, int]:
    offset = exported_functions(source)[name][0]
    line = source.count("\n", 0, offset) + options.first_line
    column = offset - source.rfind("\n", 0, offset)
    return line, column, line, column + len(name)


def _column(line: str, unit: int) -> int:
    """The column, in characters from 1, of a column that counts UTF-16 units from 1."""
    return len(line.encode("utf-16-le")[: 2 * (unit - 1)].decode("utf-16-le", "ignore")) + 1


def uncalled(source: str, options: BuildOptions) -> Iterator[Diagnostic]:
    """Functions that look like callbacks and are none."""
    exported = exported_functions(source)
    for match in re.finditer(r"^[ \t]*(?:export\s+)?function\s+(on[A-Z]\w*)", source, re.M):
        name = match[1]
        if name in exported and name in CALLBACKS:
            continue
        if name in CALLBACKS:
            message = f"{name} is not exported, so nobody calls it"
        elif name in exported:
            near = get_close_matches(name, CALLBACKS, 1, 0.6)
            message = f"{name} is no callback, so nobody calls it" + (
                f"; did you mean {near[0]}?" if near else ""
            )
        else:
            continue
        line = source.count("\n", 0, match.start(1)) + options.first_line
        column = match.start(1) - source.rfind("\n", 0, match.start(1))
        yield Diagnostic("warning", message, line, column, line, column + len(name))
