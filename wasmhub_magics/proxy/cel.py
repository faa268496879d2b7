"""CEL expressions over the attributes of a stream, run by the library that Envoy runs."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from .protocol import Reader

__all__ = ["Expression", "attributes_from"]

OK, SERIALIZATION_FAILURE, INTERNAL_FAILURE = 0, 3, 10
ROOTS = (
    "request", "response", "source", "destination", "connection", "upstream", "xds", "metadata",
    "filter_state", "upstream_filter_state", "plugin_name", "plugin_root_id", "plugin_vm_id",
    "connection_id",
)  # fmt: skip
FUNCTIONS = {
    "all", "bool", "bytes", "contains", "double", "duration", "dyn", "endsWith", "exists", "exists_one",
    "filter", "getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear", "getFullYear", "getHours",
    "getMilliseconds", "getMinutes", "getMonth", "getSeconds", "has", "in", "int", "map", "matches", "size",
    "startsWith", "string", "timestamp", "type", "uint",
}  # fmt: skip
"""What Envoy registers."""
NUMBERS = {
    "request.size", "request.total_size", "response.code", "response.flags", "response.grpc_status",
    "response.size", "response.total_size", "source.port", "destination.port", "upstream.port",
    "xds.listener_direction",
}  # fmt: skip
MAPS = {"request.headers", "response.headers", "response.trailers"}
TYPED = {
    "request.time": "TIMESTAMP",
    "request.duration": "DURATION",
    "response.backend_latency": "DURATION",
    "connection.id": "UINT",
    "upstream.request_attempt_count": "UINT",
}
"""The library takes these types from variables only, not from inside a map: expressions get variables."""
_TEXT = re.compile(
    r"""([rRbB]{0,2}(?:\"{3}.*?\"{3}|'{3}.*?'{3}|\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'))""", re.DOTALL
)
"""A text in an expression."""
_TYPED = re.compile(r"(?<![\w.])(" + "|".join(map(re.escape, TYPED)) + r")(?![\w(])")
_CALL = re.compile(r"([A-Za-z_]\w*)\s*\(")


@dataclass(frozen=True)
class Expression:
    """One expression; ``known`` tells whether Envoy has all functions that it calls."""

    compiled: Any
    known: bool

    @classmethod
    def parse(cls, text: str) -> Expression:
        """Raises ValueError where it is none."""
        from cel_expr_python import cel

        variables = dict.fromkeys(ROOTS, cel.Type.DYN)
        variables |= {_variable(path): getattr(cel.Type, kind) for path, kind in TYPED.items()}
        env = cel.NewEnv(variables=variables | {"connection_id": cel.Type.UINT})
        parts = _TEXT.split(text)
        parts[::2] = [_TYPED.sub(lambda found: _variable(found[1]), part) for part in parts[::2]]
        try:
            compiled = env.compile("".join(parts), disable_check=True)
        except RuntimeError as error:
            raise ValueError(str(error)) from None
        called = set(_CALL.findall("0".join(parts[::2])))
        return cls(compiled, called <= FUNCTIONS)

    def evaluate(self, attributes: dict[str, Any]) -> tuple[int, bytes]:
        """A WasmResult and the value as properties are serialised."""
        from cel_expr_python import cel

        types = cel.Type
        value = self.compiled.eval(data=attributes)
        if value.type() == types.ERROR or value.type() == types.UNKNOWN:
            return INTERNAL_FAILURE, b""
        data = serialized(value)
        return (SERIALIZATION_FAILURE, b"") if data is None else (OK, data)


def serialized(value: Any) -> bytes | None:
    """A value as the proxy hands properties over; None for what has no such form."""
    kind, plain = value.type().name(), value.value()
    simple = {"INT": "<q", "UINT": "<Q", "DOUBLE": "<d"}
    if kind in simple:
        return struct.pack(simple[kind], plain)
    if kind == "BOOL":
        return bytes([plain])
    if kind == "STRING":
        return bytes(plain.encode("utf-8", "surrogateescape"))
    if kind == "BYTES":
        return bytes(plain)
    if kind == "DURATION":
        return struct.pack("<q", int(plain / timedelta(microseconds=1)) * 1000)
    if kind == "TIMESTAMP":
        since = plain.replace(tzinfo=UTC) if plain.tzinfo is None else plain
        return struct.pack(
            "<q", round((since - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(microseconds=1)) * 1000
        )
    if kind.startswith("LIST"):
        return _pairs([(serialized(item), b"") for item in plain])
    if kind.startswith("MAP"):
        plain_keys = [key.encode() if isinstance(key, str) else struct.pack("<q", key) for key in plain]
        return _pairs(list(zip(plain_keys, map(serialized, plain.values()), strict=True)))
    return None


def _pairs(pairs: list[tuple[bytes | None, bytes | None]]) -> bytes | None:
    head, body = [struct.pack("<I", len(pairs))], []
    for key, value in pairs:
        if key is None or value is None:
            return None
        head.append(struct.pack("<II", len(key), len(value)))
        body.append(key + b"\0" + value + b"\0")
    return b"".join(head + body)


def attributes_from(data: bytes) -> dict[str, Any]:
    """What expressions can name, from the list that the host gives."""
    reader = Reader(data)
    found: dict[str, Any] = {}
    for _ in range(reader.u32()):
        path, value = reader.text().decode().split("\0"), reader.text()
        if ".".join(path) in TYPED:
            found[_variable(".".join(path))] = _value(".".join(path), value)
            continue
        *parents, name = path
        place = found
        for parent in parents:
            place = place.setdefault(parent, {})
        place[name] = _value(".".join(path), value)
    states = found.setdefault("filter_state", {})
    for _ in range(reader.u32()):
        name, is_text, value = reader.text().decode("utf-8", "replace"), reader.u8(), reader.text()
        known = value.decode("utf-8", "surrogateescape") if is_text else value
        states[name] = known
        if name.startswith("wasm."):
            found[name.removeprefix("wasm.")] = known
    return found


def _variable(path: str) -> str:
    return "attribute_" + path.replace(".", "_")


def _value(path: str, value: bytes) -> Any:
    number = int.from_bytes(value, "little", signed=TYPED.get(path) != "UINT")
    if path in NUMBERS or path == "connection_id" or TYPED.get(path) == "UINT":
        return number
    if path in MAPS:
        return _map(value)
    if TYPED.get(path) == "DURATION":
        return timedelta(microseconds=number / 1000)
    if path == "request.time":
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=number // 1000)
    if path == "connection.mtls":
        return value == b"\1"
    return value.decode("utf-8", "surrogateescape")


def _map(data: bytes) -> dict[str, str]:
    reader = Reader(data)
    sizes = [(reader.u32(), reader.u32()) for _ in range(reader.u32())]
    found = {}
    for key_size, value_size in sizes:
        key = data[reader.at : reader.at + key_size]
        reader.at += key_size + 1
        found[key.decode("utf-8", "surrogateescape")] = data[reader.at : reader.at + value_size].decode(
            "utf-8", "surrogateescape"
        )
        reader.at += value_size + 1
    return found
