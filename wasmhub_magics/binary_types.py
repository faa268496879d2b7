"""What is read out of a WebAssembly module: types, imports, exports, sections, data segments."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from .abi import FuncType

__all__ = [
    "AnyType",
    "Contents",
    "Export",
    "GlobalType",
    "Import",
    "Kind",
    "MemoryType",
    "Section",
    "Segment",
    "TableType",
]

Kind: TypeAlias = Literal["func", "table", "memory", "global", "tag"]


@dataclass(frozen=True, slots=True)
class MemoryType:
    """A memory: its size in pages, and whether it is shared or takes 64-bit addresses."""

    minimum: int
    maximum: int | None = None
    shared: bool = False
    index: str = "i32"

    def __str__(self) -> str:
        limit = "" if self.maximum is None else f" to {self.maximum}"
        flags = (" shared" if self.shared else "") + (" i64" if self.index == "i64" else "")
        return f"{self.minimum}{limit} pages{flags}"


@dataclass(frozen=True, slots=True)
class TableType:
    """A table: the type and number of its elements."""

    element: str
    minimum: int
    maximum: int | None = None

    def __str__(self) -> str:
        limit = "" if self.maximum is None else f" to {self.maximum}"
        return f"{self.minimum}{limit} {self.element}"


@dataclass(frozen=True, slots=True)
class GlobalType:
    """A global variable."""

    value: str
    mutable: bool

    def __str__(self) -> str:
        return f"mut {self.value}" if self.mutable else self.value


AnyType: TypeAlias = FuncType | MemoryType | TableType | GlobalType


@dataclass(frozen=True, slots=True)
class Import:
    """What a module wants from its host; ``type`` is a FuncType for ``kind`` func and tag."""

    module: str
    name: str
    kind: Kind
    type: AnyType


@dataclass(frozen=True, slots=True)
class Export:
    """What a module shows its host; ``type`` is a FuncType for ``kind`` func and tag."""

    name: str
    kind: Kind
    type: AnyType
    index: int


@dataclass(frozen=True, slots=True)
class Section:
    """A section: ``offset`` and ``size`` are those of its content in the module's bytes.

    ``name`` is the kind of the section, or the own name of a custom one; ``header`` is where its id stands.
    """

    id: int
    name: str
    offset: int
    size: int
    header: int


@dataclass(frozen=True, slots=True)
class Segment:
    """A data segment; ``address`` is its constant place in memory, None where that is computed or passive.

    ``head`` and ``offset`` are where the segment and its bytes start, ``size`` counts the bytes.
    """

    active: bool
    memory: int
    address: int | None
    head: int
    length_at: int
    offset: int
    size: int


@dataclass(slots=True)
class Contents:
    """What the sections of a module say."""

    sections: list[Section] = field(default_factory=list)
    types: list[FuncType | None] = field(default_factory=list)
    imports: list[Import] = field(default_factory=list)
    functions: list[FuncType] = field(default_factory=list)
    tables: list[TableType] = field(default_factory=list)
    memories: list[MemoryType] = field(default_factory=list)
    globals: list[GlobalType] = field(default_factory=list)
    tags: list[FuncType] = field(default_factory=list)
    exports: list[Export] = field(default_factory=list)
    segments: list[Segment] = field(default_factory=list)
    start: int | None = None
    data_count: int | None = None
    imported_functions: int = 0
    bodies: list[tuple[int, int]] = field(default_factory=list)
    """Where the body of each own function starts and ends."""
