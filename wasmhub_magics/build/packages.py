"""What is in a module besides its source: every package, those of packages too, as name and version."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Collection
from typing import TypeAlias

__all__ = ["Packages", "in_cargo_lock", "in_go_module", "in_package_lock"]

Packages: TypeAlias = tuple[tuple[str, str], ...]

_START = bytes.fromhex("3077af0c9274080241e1c107e6d618e6")
_END = bytes.fromhex("f932433186182072008242104116d8f2")
"""What Go writes around the list of its modules (``cmd/go/internal/modload/build.go``)."""


def in_cargo_lock(text: str) -> Packages:
    """The crates of a ``Cargo.lock``, without the one that is built."""
    listed = tomllib.loads(text).get("package", [])
    return tuple((each["name"], each["version"]) for each in listed if each["name"] != "cell")


def in_go_module(data: bytes) -> Packages:
    """The modules that Go linked into a program, as ``go version -m`` lists them."""
    _, _, rest = data.partition(_START)
    text, end, _ = rest.partition(_END)
    lines = text.decode(errors="replace").splitlines() if end else []
    words = (line.split("\t") for line in lines)
    return tuple((each[1], each[2]) for each in words if each[0] == "dep" and len(each) > 2)


def in_package_lock(text: str, names: Collection[str]) -> Packages:
    """Those packages, as a ``package-lock.json`` has them."""
    locked = json.loads(text)["packages"]
    return tuple((name, str(locked[f"node_modules/{name}"]["version"])) for name in names)
