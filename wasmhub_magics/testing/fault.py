"""A fault built into a module: its callback fails at a call of choice, as the real thing would."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from ..abi import CALLBACKS, FuncType
from ..binary import uleb
from ..errors import RequestError
from ..module import Module

__all__ = ["Fault", "Kind", "faulty"]

Kind: TypeAlias = Literal["trap", "time-out", "memory"]
KINDS: tuple[Kind, ...] = ("trap", "time-out", "memory")

_VALUES = {"i32": 0x7F, "i64": 0x7E, "f32": 0x7D, "f64": 0x7C}
_ORDER = (1, 2, 3, 4, 5, 13, 6, 7, 8, 9, 12, 10, 11)
_FAIL: dict[Kind, bytes] = {
    "trap": b"\x00",  # unreachable
    "time-out": b"\x03\x40\x0c\x00\x0b\x00",  # loop: br 0
    # loop: memory.grow of 16 pages, until it gives -1; then what an allocator does that gets no more
    "memory": b"\x03\x40\x41\x10\x40\x00\x41\x7f\x47\x0d\x00\x0b\x00",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong: ``kind`` in the ``call``-th call of ``callback``, counted in each virtual machine.

    ``trap`` is an ``unreachable``; ``time-out`` an endless loop; ``memory`` takes memory until there is none
    and then traps. Raises RequestError for a kind or callback that there is not.
    """

    kind: Kind
    callback: str = "proxy_on_request_headers"
    call: int = 1

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise RequestError(f"{self.kind!r} is no fault", do=f"use one of {', '.join(KINDS)}")
        if self.callback not in {callback.name for callback in CALLBACKS}:
            raise RequestError(
                f"{self.callback!r} is no callback", do="use a name such as proxy_on_request_headers"
            )
        if not 1 <= self.call < 1 << 31:
            raise RequestError(f"there is no call {self.call}", do="count from 1")

    def __str__(self) -> str:
        return f"{self.kind} in call {self.call} of {self.callback}"


def faulty(module: Module, fault: Fault) -> Module:
    """The module with the fault built in: the same code for every proxy, the real Envoy included.

    The callback's export is replaced by a function that counts its calls, fails at the chosen one and calls
    the callback otherwise; where the module has none, it gets one that does nothing else.
    """
    contents = module.contents
    own = next((e for e in module.exports if e.name == fault.callback and e.kind == "func"), None)
    version = module.abi or "0.2.1"
    known = next(
        (c for c in CALLBACKS if c.name == fault.callback and version in c.versions),
        next(c for c in CALLBACKS if c.name == fault.callback),
    )
    kind = own.type if own is not None and isinstance(own.type, FuncType) else known.type
    counter = len(contents.globals)
    function = contents.imported_functions + len(contents.bodies)
    changes = {
        1: b"\x60" + _types(kind.params) + _types(kind.results),
        3: uleb(len(contents.types)),
        6: b"\x7f\x01\x41\x00\x0b",
        7: _name(fault.callback) + b"\x00" + uleb(function),
        10: _sized(_body(kind, fault, counter, None if own is None else own.index)),
    }
    return Module(_rewritten(module, changes, fault.callback))


def _body(kind: FuncType, fault: Fault, counter: int, original: int | None) -> bytes:
    at = uleb(counter)
    code = b"\x00"  # no locals
    code += b"\x23" + at + b"\x41\x01\x6a\x24" + at
    code += b"\x23" + at + b"\x41" + _sleb(fault.call) + b"\x46\x04\x40" + _FAIL[fault.kind] + b"\x0b"
    if original is not None:
        code += b"".join(b"\x20" + uleb(number) for number in range(len(kind.params)))
        code += b"\x10" + uleb(original)
    elif kind.results:
        code += b"\x41\x01" if fault.callback in _ACCEPTING else b"\x41\x00"
    return code + b"\x0b"


_ACCEPTING = {"proxy_on_vm_start", "proxy_on_configure", "proxy_on_done"}
"""Callbacks whose 0 is a refusal."""


def _rewritten(module: Module, changes: dict[int, bytes], replaced: str) -> bytes:
    """The module with one more item in each of these sections, which are made where there are none."""
    sections = {section.id: section for section in module.sections if section.id}
    parts = [module.data[:8]]
    todo = dict(changes)
    for section in module.sections:
        if section.id:
            missing = [n for n in todo if n not in sections and _before(n, section.id)]
            parts += [_section(number, b"\x01" + todo.pop(number)) for number in missing]
        whole = module.data[section.header : section.offset + section.size]
        if section.id not in todo or section.id == 0:
            parts.append(whole)
            continue
        content = module.data[section.offset : section.offset + section.size]
        count, size = _number(content)
        items = content[size:]
        if section.id == 7:
            kept = [e for e in module.exports if e.name != replaced]
            count, items = len(kept), b"".join(_kept(content, size, {e.name for e in kept}))
        parts.append(_section(section.id, uleb(count + 1) + items + todo.pop(section.id)))
    parts += [_section(number, b"\x01" + item) for number, item in todo.items()]
    return b"".join(parts)


def _kept(content: bytes, at: int, names: set[str]) -> list[bytes]:
    """The bytes of each export that stays."""
    found = []
    while at < len(content):
        start = at
        length, size = _number(content[at : at + 5])
        name = content[at + size : at + size + length].decode("utf-8", "replace")
        at += size + length + 1
        at += _number(content[at : at + 5])[1]
        if name in names:
            found.append(content[start:at])
    return found


def _before(number: int, other: int) -> bool:
    return _ORDER.index(number) < _ORDER.index(other)


def _section(number: int, content: bytes) -> bytes:
    return bytes([number]) + uleb(len(content)) + content


def _sized(content: bytes) -> bytes:
    return uleb(len(content)) + content


def _name(text: str) -> bytes:
    return _sized(text.encode())


def _types(names: tuple[str, ...]) -> bytes:
    return uleb(len(names)) + bytes(_VALUES[name] for name in names)


def _number(data: bytes) -> tuple[int, int]:
    """An unsigned number at the front of the bytes, and how many of them it takes."""
    value = shift = at = 0
    while True:
        value |= (data[at] & 127) << shift
        at += 1
        shift += 7
        if data[at - 1] < 128:
            return value, at


def _sleb(value: int) -> bytes:
    out = bytearray()
    while True:
        byte = value & 127
        value >>= 7
        if value == 0 and not byte & 64:
            out.append(byte)
            return bytes(out)
        out.append(byte | 128)
