"""A cache of its own for every test, and a small host that runs what was built."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import pytest
import wasmtime

from wasmhub_magics.abi import HOST_FUNCTIONS
from wasmhub_magics.module import Module


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WASMHUB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache for the compilers that keep what they compiled once."""
    place = tmp_path_factory.getbasetemp() / "languages"
    place.mkdir(exist_ok=True)
    return place


class Guest:
    """A filter in wasmtime with a host that knows headers, one buffer, properties and the log."""

    def __init__(self, module: Module) -> None:
        config = wasmtime.Config()
        config.consume_fuel = True
        engine = wasmtime.Engine(config)
        self.store = wasmtime.Store(engine)
        self.store.set_fuel(1 << 62)
        self.headers: list[tuple[bytes, bytes]] = []
        self.buffers: dict[int, bytes] = {}
        self.properties: dict[bytes, bytes] = {}
        self.log: list[tuple[int, str]] = []
        self.calls: list[tuple[str, tuple[Any, ...]]] = []
        linker = wasmtime.Linker(engine)
        for wanted in module.imports:
            offered = HOST_FUNCTIONS[wanted.module, wanted.name]
            types = [
                [getattr(wasmtime.ValType, t)() for t in side]
                for side in (offered.type.params, offered.type.results)
            ]
            linker.define_func(
                wanted.module, wanted.name, wasmtime.FuncType(*types), self._function(wanted.name)
            )
        self.instance = linker.instantiate(self.store, wasmtime.Module(engine, module.data))
        exports = self.instance.exports(self.store)
        self.memory = exports["memory"]
        if "_initialize" in exports:
            self("_initialize")

    def __call__(self, name: str, *arguments: int) -> Any:
        return self.instance.exports(self.store)[name](self.store, *arguments)

    def pages(self) -> int:
        return self.memory.size(self.store)

    def read(self, at: int, size: int) -> bytes:
        return bytes(self.memory.read(self.store, at, at + size))

    def give(self, value: bytes, at: int, size_at: int) -> int:
        place = 0
        if value:
            place = self("proxy_on_memory_allocate", len(value))
            if not place:
                return 6
            self.memory.write(self.store, value, place)
        self.memory.write(self.store, struct.pack("<I", place), at)
        self.memory.write(self.store, struct.pack("<I", len(value)), size_at)
        return 0

    def _function(self, name: str) -> Any:
        known = getattr(self, name, None)

        def call(*arguments: int) -> Any:
            plain = tuple(a & 0xFFFFFFFF for a in arguments)
            return known(*plain) if known else self.calls.append((name, plain)) or 0

        return call

    @staticmethod
    def encode(pairs: list[tuple[bytes, bytes]]) -> bytes:
        """Headers in the form of the ABI; no headers are no bytes."""
        if not pairs:
            return b""
        sizes = b"".join(struct.pack("<II", len(name), len(value)) for name, value in pairs)
        return struct.pack("<I", len(pairs)) + sizes + b"".join(n + b"\0" + v + b"\0" for n, v in pairs)

    def proxy_log(self, level: int, at: int, size: int) -> int:
        self.log.append((level, self.read(at, size).decode()))
        return 0

    def proxy_get_header_map_value(self, _map: int, at: int, size: int, out: int, out_size: int) -> int:
        key = self.read(at, size)
        for name, value in self.headers:
            if name == key:
                return self.give(value, out, out_size)
        return 1

    def proxy_add_header_map_value(self, _map: int, at: int, size: int, value: int, value_size: int) -> int:
        self.headers.append((self.read(at, size), self.read(value, value_size)))
        return 0

    def proxy_replace_header_map_value(
        self, map_: int, at: int, size: int, value: int, value_size: int
    ) -> int:
        self.proxy_remove_header_map_value(map_, at, size)
        return self.proxy_add_header_map_value(map_, at, size, value, value_size)

    def proxy_remove_header_map_value(self, _map: int, at: int, size: int) -> int:
        key = self.read(at, size)
        self.headers = [pair for pair in self.headers if pair[0] != key]
        return 0

    def proxy_get_header_map_pairs(self, _map: int, out: int, out_size: int) -> int:
        return self.give(self.encode(self.headers), out, out_size)

    def proxy_get_buffer_bytes(self, buffer: int, start: int, most: int, out: int, out_size: int) -> int:
        data = self.buffers.get(buffer, b"")
        return self.give(data[start : start + most], out, out_size)

    def proxy_set_buffer_bytes(self, buffer: int, start: int, size: int, at: int, value_size: int) -> int:
        data = self.buffers.get(buffer, b"")
        self.buffers[buffer] = data[:start] + self.read(at, value_size) + data[start + size :]
        return 0

    def proxy_get_property(self, at: int, size: int, out: int, out_size: int) -> int:
        value = self.properties.get(self.read(at, size))
        return 1 if value is None else self.give(value, out, out_size)

    def proxy_send_local_response(self, status: int, *parts: int) -> int:
        _, _, body, body_size, pairs, pairs_size, grpc = parts
        self.calls.append(
            ("respond", (status, self.read(body, body_size), self.read(pairs, pairs_size), grpc))
        )
        return 0


@pytest.fixture
def guest() -> type[Guest]:
    return Guest
