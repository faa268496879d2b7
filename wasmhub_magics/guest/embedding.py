"""Putting a filter's source into a runtime: a module whose last data segment is empty.

The segment has the address of an area that the runtime reads when it starts: the lengths of the source and of
its name, the memory limit, the name, the source.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..binary import parse, uleb
from ..errors import BuildError

__all__ = ["SOURCE_LIMIT", "Runtime"]

SOURCE_LIMIT = (1 << 20) - 12 - 64
"""Bytes of source that fit, with blank lines for the first line's number; 64 are left for the name."""


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

    def embed(self, source: str, name: str, first_line: int, memory_limit: int) -> bytes:
        """The runtime with a source in it.

        Raises BuildError where the source is too long or has no UTF-8 form.
        """
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
