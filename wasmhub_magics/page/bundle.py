"""One plain script out of its parts, with the tables of the ABI that it needs to read traces."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from ..abi import CALLBACKS, HOST_FUNCTIONS, WASI_MODULES
from ..proxy import view, words

__all__ = ["script", "style"]

STATIC = Path(__file__).parent / "static"
WORKER = ("wire", "messages", "host", "fault", "chain", "exchange", "main")
"""The parts of the worker, in one scope of their own: its source goes to the worker as text."""
PARTS = (
    "core",
    "texts",
    "dom",
    "view",
    "timeline",
    "engine",
    "controls",
    "config",
    "transfer",
    "cases",
    "fault",
    "tester",
)
"""The parts in the order of use; all live in one scope."""


@cache
def script() -> str:
    """The whole front end as one ECMAScript module, whose default export has ``render``."""
    worker = "\n".join(_part(f"worker/{name}") for name in WORKER)
    return "\n".join(
        [
            f"const ABI = {json.dumps(_tables(), separators=(',', ':'))};",
            f"function proxyWorker(scope) {{\n{worker}}}",
            *(_part(name) for name in PARTS),
        ]
    )


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
    types: dict[str, dict[str, tuple[int, int]]] = {}
    for callback in CALLBACKS:
        shape = (len(callback.type.params), len(callback.type.results))
        types.setdefault(callback.name, {}).update(dict.fromkeys(callback.versions, shape))
    return {
        "types": types,
        "callbacks": {callback.name: callback.params for callback in CALLBACKS},
        "functions": functions,
        "statuses": words.STATUSES,
        "words": {
            "map": words.MAPS,
            "buffer": words.BUFFERS,
            "level": words.LEVELS,
            "stream": words.STREAMS,
        },
        "actions": words.ACTIONS,
    }
