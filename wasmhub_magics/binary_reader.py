"""A window on the bytes of a WebAssembly module, and the smallest things that are read through it."""

from __future__ import annotations

from collections.abc import Iterator

from .binary_types import GlobalType, MemoryType, TableType
from .errors import MalformedModule

__all__ = ["Reader"]

_TYPES = {0x7F: "i32", 0x7E: "i64", 0x7D: "f32", 0x7C: "f64", 0x7B: "v128", 0x78: "i8", 0x77: "i16"} | {
    code: f"{name}ref"
    for code, name in enumerate(
        (
            "exn",
            "array",
            "struct",
            "i31",
            "eq",
            "any",
            "extern",
            "func",
            "null",
            "nullextern",
            "nullfunc",
            "nullexn",
        ),
        0x69,
    )
}


class Reader:
    """A window on the bytes; reading past its end is a MalformedModule with the offset."""

    __slots__ = ("data", "end", "pos", "what")

    def __init__(self, data: bytes, pos: int, end: int, what: str) -> None:
        self.data = data
        self.pos = pos
        self.end = end
        self.what = what

    def fail(self, problem: str, at: int | None = None) -> MalformedModule:
        """The error for a fault here, or at an offset."""
        return MalformedModule(
            f"the module is damaged: {problem}",
            where=f"byte {self.pos if at is None else at} ({self.what})",
            do="build or download it again",
        )

    def byte(self) -> int:
        """One byte."""
        if self.pos >= self.end:
            raise self.fail("it ends too early")
        value = self.data[self.pos]
        self.pos += 1
        return value

    def skip(self, count: int) -> None:
        """Step over bytes."""
        if count > self.end - self.pos:
            raise self.fail(f"{count} bytes should follow, but {self.end - self.pos} are left")
        self.pos += count

    def unsigned(self, bits: int = 32) -> int:
        """An unsigned LEB128 number of so many bits."""
        start, result, shift = self.pos, 0, 0
        while True:
            byte = self.byte()
            result |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
            shift += 7
            if shift >= bits:
                raise self.fail("a number is too long", start)
        if result >> bits:
            raise self.fail("a number is too large", start)
        return result

    def signed(self, bits: int) -> int:
        """A signed LEB128 number of so many bits."""
        start, result, shift = self.pos, 0, 0
        while True:
            byte = self.byte()
            result |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
            if shift >= bits:
                raise self.fail("a number is too long", start)
        if byte & 0x40:
            result -= 1 << shift
        if not -(1 << (bits - 1)) <= result < 1 << (bits - 1):
            raise self.fail("a number is too large", start)
        return result

    def items(self) -> Iterator[int]:
        """Count through a vector whose items take at least one byte each."""
        start = self.pos
        count = self.unsigned()
        if count > self.end - self.pos:
            raise self.fail(f"{count} items should follow in {self.end - self.pos} bytes", start)
        return iter(range(count))

    def name(self) -> str:
        """A text with its size before it."""
        size = self.unsigned()
        start = self.pos
        self.skip(size)
        try:
            return self.data[start : self.pos].decode()
        except UnicodeDecodeError:
            raise self.fail("a name is not UTF-8", start) from None

    def heap_type(self) -> str:
        """What a reference refers to."""
        value = self.signed(33)
        return str(value) if value >= 0 else _TYPES.get(value & 0x7F, "?").removesuffix("ref")

    def value_type(self) -> str:
        """The type of a value, by its name in the text format."""
        start = self.pos
        code = self.byte()
        if code in (0x63, 0x64):
            return f"(ref {'null ' if code == 0x63 else ''}{self.heap_type()})"
        if code not in _TYPES:
            raise self.fail(f"0x{code:02x} is no value type", start)
        return _TYPES[code]

    def limits(self) -> tuple[int, int | None, int]:
        """The least and the greatest size, and the flags."""
        start = self.pos
        flags = self.byte()
        if flags > 15:
            raise self.fail(f"0x{flags:02x} is no kind of limit", start)
        bits = 64 if flags & 4 else 32
        minimum = self.unsigned(bits)
        maximum = self.unsigned(bits) if flags & 1 else None
        if flags & 8:
            self.unsigned()
        return minimum, maximum, flags

    def memory_type(self) -> MemoryType:
        """The type of a memory."""
        minimum, maximum, flags = self.limits()
        return MemoryType(minimum, maximum, bool(flags & 2), "i64" if flags & 4 else "i32")

    def table_type(self) -> TableType:
        """The type of a table."""
        element = self.value_type()
        minimum, maximum, _ = self.limits()
        return TableType(element, minimum, maximum)

    def global_type(self) -> GlobalType:
        """The type of a global variable, or of a field."""
        value = self.value_type()
        start = self.pos
        mutable = self.byte()
        if mutable > 3:
            raise self.fail(f"0x{mutable:02x} is no mutability", start)
        return GlobalType(value, bool(mutable & 1))

    def constant(self) -> int | None:
        """Step over a constant expression; its value where it is a lone i32.const, as an unsigned number."""
        value: int | None = None
        count = 0
        while (op := self.byte()) != 0x0B:
            count += 1
            if op == 0x41:
                value = self.signed(32) & 0xFFFFFFFF
            else:
                value = None
                self.operands(op)
        return value if count == 1 else None

    def operands(self, op: int) -> None:
        """Step over the operands of an instruction that may stand in a constant expression."""
        if op == 0x42:
            self.signed(64)
        elif op in (0x43, 0x44):
            self.skip(4 if op == 0x43 else 8)
        elif op in (0x23, 0xD2):  # global.get, ref.func
            self.unsigned()
        elif op == 0xD0:  # ref.null
            self.heap_type()
        elif op in (0x6A, 0x6B, 0x6C, 0x7C, 0x7D, 0x7E):  # integer sums and products
            pass
        elif op == 0xFD and self.unsigned() == 12:  # v128.const
            self.skip(16)
        elif op == 0xFB:  # struct.new, array.new and the like
            kind = self.unsigned()
            for _ in range({0: 1, 1: 1, 6: 1, 7: 1, 8: 2, 26: 0, 27: 0, 28: 0}.get(kind, 0)):
                self.unsigned()
        else:
            raise self.fail(f"0x{op:02x} may not stand in a constant expression", self.pos - 1)
