"""One plain script out of its parts, with the tables of the ABI that it needs to read traces."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from ..abi import CALLBACKS, HOST_FUNCTIONS, WASI_MODULES
from ..proxy import trace, view

__all__ = ["script", "style"]

STATIC = Path(__file__).parent / "static"
PARTS = ("host", "core", "texts", "dom", "view", "engine", "controls", "cases", "tester")
"""The parts in the order of use; all live in one scope."""


@cache
def script() -> str:
    """The whole front end as one ECMAScript module, whose default export has ``render``."""
    parts = [_part(name) for name in PARTS]
    return "\n".join([f"const ABI = {json.dumps(_tables(), separators=(',', ':'))};", *parts])


@cache
def style() -> str:
    """The style sheet."""
    own = (STATIC / "tester.css").read_text(encoding="utf-8")
    return own + (Path(view.__file__).with_suffix(".css")).read_text(encoding="utf-8")


def _part(name: str) -> str:
    return (STATIC / f"{name}.js").read_text(encoding="utf-8")


def _tables() -> dict[str, object]:
    functions = {}
    for function in HOST_FUNCTIONS.values():
        known = f"wasi_{function.name}" if function.module in WASI_MODULES else function.name
        functions[known] = [function.name, function.params]
    return {
        "callbacks": {callback.name: callback.params for callback in CALLBACKS},
        "functions": functions,
        "statuses": trace.STATUSES,
        "words": {
            "map": trace.MAPS,
            "buffer": trace.BUFFERS,
            "level": trace.LEVELS,
            "stream": trace.STREAMS,
        },
        "actions": trace.ACTIONS,
    }
