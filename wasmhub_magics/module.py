"""A WebAssembly module: its bytes, and what they say about themselves."""

from __future__ import annotations

import hashlib
import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from . import link
from .abi import FuncType
from .binary import function_names, parse, uleb
from .binary_types import Contents, Export, Import, Section, Segment
from .dwarf import LineTable
from .errors import LinkError, MalformedModule, ModuleError, WasmhubError
from .link import Problem
from .source_map import SECTION, lines_of

__all__ = ["Export", "FuncType", "Import", "Module", "Problem", "Section"]


@dataclass(frozen=True, repr=False)
class Module:
    """A WebAssembly core module.

    It is read when something is first asked of it; MalformedModule is raised then where the bytes are none.
    """

    data: bytes

    def __post_init__(self) -> None:
        if not isinstance(self.data, bytes | bytearray | memoryview):
            raise TypeError(f"a module is made of bytes, not of {type(self.data).__name__}")
        object.__setattr__(self, "data", bytes(self.data))

    @classmethod
    def read(cls, path: str | Path) -> Module:
        """The module in a file. Raises ModuleError where the file cannot be read."""
        try:
            return cls(Path(path).read_bytes())
        except OSError as error:
            raise ModuleError(
                f"the module cannot be read: {error.strerror}", where=str(path), do="check the path"
            ) from None

    @classmethod
    def hashed(cls, data: bytes, digest: str) -> Module:
        """A module whose digest was computed while it was read."""
        made = cls(data)
        object.__setattr__(made, "digest", digest)
        return made

    @classmethod
    def promised(cls, data: bytes, digest: str, otherwise: WasmhubError) -> Module:
        """A module that should have this digest; whoever asks for its digest gets the error if it has not."""
        made = cls(data)
        object.__setattr__(made, "_promise", (digest, otherwise))
        return made

    @cached_property
    def digest(self) -> str:
        """``sha256:`` and the hex digest of the bytes. Raises what was said where another was promised."""
        found = "sha256:" + hashlib.sha256(self.data).hexdigest()
        digest, otherwise = self.__dict__.get("_promise") or (found, None)
        if otherwise is not None and found != digest:
            raise otherwise
        return found

    @property
    def size(self) -> int:
        """The number of bytes."""
        return len(self.data)

    @cached_property
    def contents(self) -> Contents:
        """Everything that was read; the other properties are views of it."""
        return parse(self.data)

    @cached_property
    def imports(self) -> tuple[Import, ...]:
        """What it wants from a proxy, in order."""
        return tuple(self.contents.imports)

    @cached_property
    def exports(self) -> tuple[Export, ...]:
        """What it shows to a proxy, in order."""
        return tuple(self.contents.exports)

    @cached_property
    def sections(self) -> tuple[Section, ...]:
        """Its sections, in order."""
        return tuple(self.contents.sections)

    @cached_property
    def abi(self) -> str | None:
        """The ABI version it declares (``0.1.0``, ``0.2.0`` or ``0.2.1``); None where it declares none."""
        return link.declared_version(self.contents)

    @cached_property
    def problems(self) -> tuple[Problem, ...]:
        """Every reason why a proxy cannot load it; empty where there is none."""
        return link.problems(self.contents)

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What a proxy ignores although it is hardly meant, such as a misspelt callback."""
        return link.notes(self.contents)

    def check(self) -> None:
        """Raise LinkError, with every problem and its remedy, where a proxy cannot load the module."""
        found = self.problems
        if len(found) == 1:
            raise LinkError(f"a proxy cannot load this module: {found[0].what}", do=found[0].do)
        if found:
            lines = "".join(f"\n  {number}. {problem}" for number, problem in enumerate(found, 1))
            raise LinkError(f"a proxy cannot load this module, for {len(found)} reasons:{lines}")

    def export(self, name: str) -> Export | None:
        """The export of that name, or None."""
        return next((found for found in self.exports if found.name == name), None)

    def custom(self, name: str) -> bytes | None:
        """The content of the first custom section of that name, or None."""
        for section in self.sections:
            if section.id == 0 and section.name == name:
                return self.data[section.offset : section.offset + section.size]
        return None

    def function_name(self, index: int) -> str:
        """The name of a function: of the name section, an export or an import, else ``function 7``."""
        return self._names.get(index, f"function {index}")

    def source_line(self, function: int, offset: int) -> tuple[str, int] | None:
        """The file's name and the line of a place in a function; None where the module does not tell."""
        own = function - self.contents.imported_functions
        if not self._lines.rows or not 0 <= own < len(self.contents.bodies):
            return None
        code = next(section for section in self.sections if section.id == 10)
        return self._lines.at(self.contents.bodies[own][0] - code.offset + offset)

    @cached_property
    def _lines(self) -> LineTable:
        if (mapped := self.custom(SECTION)) is not None:
            code = next((section.offset for section in self.sections if section.id == 10), 0)
            return lines_of(mapped, code)
        found = (self.custom(name) or b"" for name in (".debug_line", ".debug_str", ".debug_line_str"))
        return LineTable.read(*found)

    @cached_property
    def _names(self) -> dict[int, str]:
        wanted = (f"{i.module}.{i.name}" for i in self.imports if i.kind == "func")
        names = dict(enumerate(wanted))
        names |= {e.index: e.name for e in reversed(self.exports) if e.kind == "func"}
        return names | function_names(self.custom("name") or b"")

    def hollow(self) -> tuple[bytes, tuple[tuple[int, bytes], ...]] | None:
        """The module with its data taken out, and that data as (address, bytes) in the order of writing.

        Writing the data into memory 0 right after instantiation, with its bounds checked, gives the same
        instance: segments keep their indices, and an active one is dropped once it is written. None where
        that would not be the same (a start function, an address that is computed, another memory or one of
        64 bits) and where there is no data.
        """
        contents = self.contents
        active = [segment for segment in contents.segments if segment.active]
        if contents.start is not None or not any(segment.size for segment in active):
            return None
        if contents.memories[:1] == [] or contents.memories[0].index != "i32":
            return None
        taken: list[tuple[int, bytes]] = []
        for segment in active:
            if segment.address is None or segment.memory:
                return None
            taken.append((segment.address, self.data[segment.offset : segment.offset + segment.size]))
        section = next(s for s in contents.sections if s.id == 11)
        content = uleb(len(contents.segments)) + b"".join(self._hollowed(s) for s in contents.segments)
        rest = self.data[section.offset + section.size :]
        data = self.data[: section.header] + b"\x0b" + uleb(len(content)) + content + rest
        return data, tuple(pair for pair in taken if pair[1])

    def _hollowed(self, segment: Segment) -> bytes:
        if segment.active:
            return self.data[segment.head : segment.length_at] + b"\0"
        return self.data[segment.head : segment.offset + segment.size]

    def __repr__(self) -> str:
        try:
            about = f"ABI {self.abi}" if self.abi else "no ABI version"
        except MalformedModule:
            about = "malformed"
        return f"<Module {self.size} bytes, {about}, {self.digest[:19]}>"

    def _repr_html_(self) -> str:
        title = f"<b>Module</b> {self.size:,} bytes, <code>{self.digest}</code>"
        try:
            about = f"ABI {self.abi}" if self.abi else "no ABI version"
            imports = [(f"{i.module}.{i.name}", i.kind, i.type) for i in self.imports]
            exports = [(e.name, e.kind, e.type) for e in self.exports]
            sections = [(s.name, f"byte {s.offset}", f"{s.size:,} bytes") for s in self.sections]
            verdict = "".join(f"<li>{html.escape(str(problem))}</li>" for problem in self.problems)
        except MalformedModule as error:
            return f"<div>{title}<br>{html.escape(error.what)}, {html.escape(error.where)}</div>"
        return (
            f"<div>{title}, {about}"
            + (f"<ul>{verdict}</ul>" if verdict else "")
            + _table("imports", imports)
            + _table("exports", exports)
            + _table("sections", sections)
            + "</div>"
        )


def _table(title: str, rows: Sequence[Iterable[object]]) -> str:
    shown = rows[:100]
    cells = ("".join(f"<td>{html.escape(str(cell))}</td>" for cell in row) for row in shown)
    body = "".join(f"<tr>{row}</tr>" for row in cells)
    more = f"<tr><td>and {len(rows) - len(shown)} more</td></tr>" if len(rows) > len(shown) else ""
    return f"<details><summary>{len(rows)} {title}</summary><table>{body}{more}</table></details>"
