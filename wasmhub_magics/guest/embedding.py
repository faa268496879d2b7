"""Putting a filter's source into a runtime: a module whose last data segment is empty.

The segment has the address of an area that the runtime reads when it starts: the lengths of the source and of
its name, the memory limit, the name, the source. Behind a NUL the source may have what it was built with:
constants and further files, as JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ..binary import parse, uleb
from ..errors import BuildError

__all__ = ["SOURCE_LIMIT", "Extras", "Runtime"]

SOURCE_LIMIT = (1 << 20) - 12 - 64
"""Bytes of source that fit, with blank lines for the first line's number; 64 are left for the name."""


@dataclass(frozen=True, slots=True)
class Extras:
    """What a source is built with: constants as (name, text), and further files as (name, text)."""

    defines: Sequence[tuple[str, str]] = ()
    files: Sequence[tuple[str, str]] = ()
    module: bool = False
    """Whether the source itself is a module, in a language that makes a difference."""

    def encode(self, title: str, reserved: Collection[str] = ()) -> str:
        """The text that follows the source's NUL; empty where there is nothing to say. Raises BuildError."""
        if not (self.defines or self.files or self.module):
            return ""
        for name, _ in self.defines:
            if not name.isidentifier() or name in reserved:
                raise BuildError(
                    f"{name!r} cannot be defined in {title}", do="use a name that a variable can have"
                )
        for name, _ in self.files:
            parts = PurePosixPath(name).parts
            if not parts or name.startswith("/") or ".." in parts or "\\" in name or "\0" in name:
                raise BuildError(
                    f"{name!r} cannot be the name of a source file", do="use a plain relative name"
                )
        return json.dumps(
            {
                "defines": {name: _value(text) for name, text in self.defines},
                "files": {str(PurePosixPath(name)): text for name, text in self.files},
                "module": self.module,
            }
        )


def _value(text: str) -> object:
    """What a definition stands for: numbers and booleans as such, anything else as text."""
    if re.fullmatch(r"-?(0|[1-9]\d{0,14})(\.\d+)?|true|false", text):
        return json.loads(text)
    return text


@dataclass(frozen=True, slots=True)
class Runtime:
    """A runtime in parts: what comes before its data section, its segments, and the head of the last one."""

    title: str
    before: bytes
    segments: bytes
    head: bytes

    @classmethod
    def read(cls, path: Path, title: str) -> Runtime:
        """The runtime of a language. Raises BuildError where the package lacks it."""
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            raise BuildError(
                f"this installation lacks its {title} runtime",
                where=str(path),
                do="install the package again; from a clone run: python hatch_build.py",
            ) from None
        contents = parse(data)
        section, last = contents.sections[-1], contents.segments[-1]
        return cls(
            title,
            data[: section.header],
            data[section.offset : last.head],
            data[last.head : last.length_at],
        )

    def embed(self, source: str, name: str, first_line: int, memory_limit: int, extras: str = "") -> bytes:
        """The runtime with a source in it, and what ``Extras.encode`` makes of what it is built with.

        Raises BuildError where the source is too long, holds a NUL or has no UTF-8 form.
        """
        if "\0" in source:
            raise BuildError("the source holds a NUL character", do="remove it")
        if extras:
            source += "\0" + extras
        try:
            text = ("\n" * (first_line - 1) + source).encode()
            title = name.encode()[:64] or b"cell"
        except UnicodeEncodeError as error:
            raise BuildError(
                f"the source holds {error.object[error.start]!r}, which has no UTF-8 form", do="remove it"
            ) from None
        if len(text) > SOURCE_LIMIT:
            raise BuildError(
                f"the source has {len(text):,} bytes; a {self.title} filter may have {SOURCE_LIMIT:,}",
                do="move large tables into the plugin configuration",
            )
        numbers = (len(text), len(title), memory_limit)
        content = b"".join(number.to_bytes(4, "little") for number in numbers) + title + text
        data = self.segments + self.head + uleb(len(content)) + content
        return self.before + b"\x0b" + uleb(len(data)) + data
