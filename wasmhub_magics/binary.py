"""The WebAssembly binary format, read as far as a proxy needs to know a module.

Function bodies and element segments are stepped over. Every count is held against the bytes that are left
before it is believed, so a lying module costs no more than its own size.
"""

from __future__ import annotations

from collections.abc import Callable

from .abi import FuncType
from .binary_reader import Reader
from .binary_types import (
    AnyType,
    Contents,
    Export,
    GlobalType,
    Import,
    Kind,
    MemoryType,
    Section,
    Segment,
    TableType,
)
from .errors import MalformedModule

__all__ = ["Contents", "MemoryType", "TableType", "custom_pairs", "function_names", "parse", "uleb"]

_KINDS: tuple[Kind, ...] = ("func", "table", "memory", "global", "tag")
_SECTIONS = (
    *("custom", "type", "import", "function", "table", "memory", "global", "export", "start", "element"),
    *("code", "data", "datacount", "tag"),
)
# The order in which sections must come; "custom" may come anywhere.
_ORDER = [1, 2, 3, 4, 5, 13, 6, 7, 8, 9, 12, 10, 11]


def parse(data: bytes) -> Contents:
    """Read a module. Raises MalformedModule where the bytes are none, with the offset of the fault."""
    _header(data)
    contents = Contents()
    reader = Reader(data, 8, len(data), "between sections")
    last = -1
    while reader.pos < reader.end:
        header = reader.pos
        number = reader.byte()
        if number >= len(_SECTIONS):
            raise reader.fail(f"{number} is no kind of section", header)
        title = _SECTIONS[number]
        reader.what = f"{title} section"
        size = reader.unsigned()
        start = reader.pos
        reader.skip(size)
        section = Reader(data, start, reader.pos, reader.what)
        if number == 0:
            title = section.name()
        else:
            place = _ORDER.index(number)
            if place <= last:
                raise reader.fail(f"a {title} section comes twice or too late", header)
            last = place
        contents.sections.append(Section(number, title, section.pos, section.end - section.pos, header))
        if number in _READERS:
            _READERS[number](section, contents)
            if section.pos != section.end and number not in (0, 9, 10):
                raise section.fail("bytes are left over at the end of the section")
        reader.what = "between sections"
    _agree(reader, contents)
    return contents


def _header(data: bytes) -> None:
    again = "build or download it again"
    if not data:
        raise MalformedModule("the module is empty", where="byte 0", do=again)
    if not b"\0asm".startswith(data[:4]):
        seen = data[:16]
        kind = "text" if all(32 <= byte < 127 or byte in b"\t\r\n" for byte in seen) else "something else"
        hint = "build it first: WebAssembly text starts with (module" if seen.lstrip()[:1] == b"(" else ""
        raise MalformedModule(
            f"this is not WebAssembly but {kind}: it starts with {seen!r} instead of b'\\x00asm'",
            where="byte 0",
            do=hint or "pass the bytes of a .wasm file",
        )
    if len(data) < 8:
        raise MalformedModule("the module ends inside its header", where=f"byte {len(data)}", do=again)
    if data[6:8] == b"\1\0":
        raise MalformedModule(
            "this is a component, Envoy takes core modules",
            where="byte 4",
            do="build for a core module: target wasm32-wasip1 or wasm32-unknown-unknown, not wasm32-wasip2",
        )
    if data[4:8] != b"\1\0\0\0":
        raise MalformedModule(
            f"the module has the unknown version {int.from_bytes(data[4:8], 'little')}",
            where="byte 4",
            do="build it for WebAssembly version 1",
        )


def _agree(reader: Reader, contents: Contents) -> None:
    """Hold the sections against each other: what one announces, another must bring."""
    own = len(contents.functions) - contents.imported_functions
    if own != len(contents.bodies):
        raise reader.fail(f"{own} functions are announced, {len(contents.bodies)} are there")
    if contents.data_count is not None and contents.data_count != len(contents.segments):
        raise reader.fail(
            f"{contents.data_count} data segments are announced, {len(contents.segments)} are there"
        )


def _types(r: Reader, c: Contents) -> None:
    for _ in r.items():
        if r.pos < r.end and r.data[r.pos] == 0x4E:  # a group of types that name each other
            r.byte()
            for _ in r.items():
                c.types.append(_type(r))
        else:
            c.types.append(_type(r))


def _type(r: Reader) -> FuncType | None:
    start = r.pos
    form = r.byte()
    if form in (0x50, 0x4F):  # a subtype: its parents come first
        for _ in r.items():
            r.unsigned()
        form = r.byte()
    if form == 0x60:
        params = tuple([r.value_type() for _ in r.items()])
        return FuncType(params, tuple([r.value_type() for _ in r.items()]))
    if form == 0x5F:  # struct
        for _ in r.items():
            r.global_type()
    elif form in (0x5E, 0x5D):  # array, continuation
        _ = r.global_type() if form == 0x5E else r.heap_type()
    else:
        raise r.fail(f"0x{form:02x} is no kind of type", start)
    return None


def _func_type(r: Reader, c: Contents) -> FuncType:
    start = r.pos
    index = r.unsigned()
    found = c.types[index] if index < len(c.types) else None
    if found is None:
        raise r.fail(f"there is no function type {index}", start)
    return found


def _tag_type(r: Reader, c: Contents) -> FuncType:
    r.byte()
    return _func_type(r, c)


def _imports(r: Reader, c: Contents) -> None:
    for _ in r.items():
        module, name = r.name(), r.name()
        start = r.pos
        kind = r.byte()
        found: AnyType
        if kind == 0:
            found = _func_type(r, c)
            c.functions.append(found)
            c.imported_functions += 1
        elif kind == 1:
            found = r.table_type()
            c.tables.append(found)
        elif kind == 2:
            found = r.memory_type()
            c.memories.append(found)
        elif kind == 3:
            found = r.global_type()
            c.globals.append(found)
        elif kind == 4:
            found = _tag_type(r, c)
            c.tags.append(found)
        else:
            raise r.fail(f"0x{kind:02x} is no kind of import", start)
        c.imports.append(Import(module, name, _KINDS[kind], found))


def _functions(r: Reader, c: Contents) -> None:
    for _ in r.items():
        c.functions.append(_func_type(r, c))


def _tables(r: Reader, c: Contents) -> None:
    for _ in r.items():
        initialised = r.data[r.pos : r.pos + 2] == b"\x40\x00" and r.pos + 2 <= r.end
        if initialised:
            r.skip(2)
        c.tables.append(r.table_type())
        if initialised:
            r.constant()


def _memories(r: Reader, c: Contents) -> None:
    for _ in r.items():
        c.memories.append(r.memory_type())


def _globals(r: Reader, c: Contents) -> None:
    for _ in r.items():
        c.globals.append(r.global_type())
        r.constant()


def _tags(r: Reader, c: Contents) -> None:
    for _ in r.items():
        c.tags.append(_tag_type(r, c))


def _exports(r: Reader, c: Contents) -> None:
    spaces: tuple[list[FuncType] | list[TableType] | list[MemoryType] | list[GlobalType], ...] = (
        c.functions,
        c.tables,
        c.memories,
        c.globals,
        c.tags,
    )
    seen: set[str] = set()
    for _ in r.items():
        at = r.pos
        name = r.name()
        if name in seen:
            raise r.fail(f"{name!r} is exported twice", at)
        seen.add(name)
        start = r.pos
        kind = r.byte()
        if kind >= len(_KINDS):
            raise r.fail(f"0x{kind:02x} is no kind of export", start)
        index = r.unsigned()
        space = spaces[kind]
        if index >= len(space):
            raise r.fail(f"{name!r} is {_KINDS[kind]} {index}, but there are {len(space)}", start)
        c.exports.append(Export(name, _KINDS[kind], space[index], index))


def _start(r: Reader, c: Contents) -> None:
    at = r.pos
    c.start = r.unsigned()
    if c.start >= len(c.functions):
        raise r.fail(f"it starts with function {c.start}, but there are {len(c.functions)}", at)


def _code(r: Reader, c: Contents) -> None:
    for _ in r.items():
        size = r.unsigned()
        start = r.pos
        r.skip(size)
        c.bodies.append((start, r.pos))
    if r.pos != r.end:
        raise r.fail("bytes are left over at the end of the section")


def _data_count(r: Reader, c: Contents) -> None:
    c.data_count = r.unsigned()


def _data(r: Reader, c: Contents) -> None:
    for _ in r.items():
        head = r.pos
        flags = r.unsigned()
        if flags > 2:
            raise r.fail(f"{flags} is no kind of data segment", head)
        memory = r.unsigned() if flags == 2 else 0
        address = None if flags == 1 else r.constant()
        length_at = r.pos
        size = r.unsigned()
        offset = r.pos
        r.skip(size)
        c.segments.append(Segment(flags != 1, memory, address, head, length_at, offset, size))


_READERS: dict[int, Callable[[Reader, Contents], None]] = {
    1: _types,
    2: _imports,
    3: _functions,
    4: _tables,
    5: _memories,
    6: _globals,
    7: _exports,
    8: _start,
    10: _code,
    11: _data,
    12: _data_count,
    13: _tags,
}


def function_names(section: bytes) -> dict[int, str]:
    """The function names of a ``name`` section; a damaged one names as far as it can be read.

    Engines ignore a damaged name section too: it never keeps a module from loading.
    """
    names: dict[int, str] = {}
    reader = Reader(section, 0, len(section), "name section")
    try:
        while reader.pos < reader.end:
            kind, size = reader.byte(), reader.unsigned()
            end = reader.pos + size
            if kind == 1:
                for _ in reader.items():
                    index = reader.unsigned()
                    names[index] = reader.name()
            reader.pos = end
    except MalformedModule:
        pass
    return names


def custom_pairs(section: bytes) -> tuple[tuple[str, str], ...]:
    """The (name, version) pairs of a ``producers`` section, as far as it can be read."""
    found: list[tuple[str, str]] = []
    reader = Reader(section, 0, len(section), "producers section")
    try:
        for _ in reader.items():
            reader.name()
            found += [(reader.name(), reader.name()) for _ in reader.items()]
    except MalformedModule:
        pass
    return tuple(found)


def uleb(value: int) -> bytes:
    """An unsigned number in the variable-length form of the format."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
