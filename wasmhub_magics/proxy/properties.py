"""Properties of the client, the connection and the route, as a driver may give them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeAlias

from ..errors import RequestError
from .protocol import text

__all__ = ["PropertyValue", "encode_properties"]

PropertyValue: TypeAlias = "str | bytes | int | bool"

_PART = re.compile(r'([^.\[\]"]+)|\["([^"]+)"\]')
_WHOLE = re.compile(r'[^.\[\]"]+(\.[^.\[\]"]+|\["[^"]+"\])*')


def encode_properties(properties: Mapping[str, PropertyValue]) -> bytes:
    """The properties for the host. Raises RequestError for a path or value that there cannot be."""
    parts = [len(properties).to_bytes(4, "little")]
    for path, value in properties.items():
        parts += [text(_path(path)), text(_value(path, value))]
    return b"".join(parts) if properties else b""


def _path(path: str) -> bytes:
    if _WHOLE.fullmatch(path) is None:
        raise RequestError(
            f"{path!r} is no path of a property", do='write parts with dots: source.address, a["b.c"].d'
        )
    return b"\0".join((plain or quoted).encode() for plain, quoted in _PART.findall(path))


def _value(path: str, value: PropertyValue) -> bytes:
    if isinstance(value, bool):
        return bytes([value])
    if isinstance(value, int):
        return value.to_bytes(8, "little", signed=True)
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape")
    if isinstance(value, bytes):
        return value
    raise RequestError(
        f"the property {path} cannot be {type(value).__name__}", do="pass text, bytes, a number or a truth"
    )
