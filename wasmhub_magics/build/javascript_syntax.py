"""JavaScript's syntax, checked by the QuickJS that will run it."""

from __future__ import annotations

import contextlib
import json
import re
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from ..errors import BuildError, Diagnostic
from ..guest.javascript import RUNTIME
from .cache import cache_root
from .diagnostics import Sources, column_of_byte
from .language import Progress
from .sources import shared_folder

__all__ = ["prepare", "syntax_error"]

_PLACE = re.compile(r"\n\s*at (?:.*\()?cell:(\d+)(?::(\d+))?")


def prepare(progress: Progress) -> None:
    """Compile QuickJS for this process; the first time on a machine that takes a second or two."""
    with contextlib.suppress(RuntimeError):  # there is no home directory
        if not (cache_root() / "javascript" / "code").is_dir():
            progress("JavaScript's parser is compiled, once")
    _runtime()


def syntax_error(sources: Sources, file: str, text: str, module: bool) -> Diagnostic | None:
    """What is wrong with the text of a file, as a script or as a module.

    None for a text that QuickJS can read, and for one that is too much for it, which fails when it runs.
    """
    told = _asked(text.encode("utf-8", "replace"), module)
    if not told.startswith("SyntaxError: "):  # also a file that is not there is told when it runs
        return None
    message = told.partition("\n")[0].removeprefix("SyntaxError: ")
    place = _PLACE.search(told)
    number = int(place[1]) + (0 if file else sources.options.first_line - 1) if place else 0
    line = sources.line(file, number)
    if place is None or line is None:
        return Diagnostic("error", message, code="SyntaxError", file=file)
    column = column_of_byte(line.text, int(place[2] or 1))
    return Diagnostic("error", message, number, column, code="SyntaxError", file=line.file)


def _asked(text: bytes, module: bool) -> str:
    """What QuickJS says of a text that it parses and does not run; its columns count bytes."""
    import wasmtime

    said: list[str] = []
    runtime = _runtime()
    store = wasmtime.Store(runtime.engine)

    def log(_level: int, at: int, size: int) -> int:
        said.append(bytes(exports["memory"].read(store, at, at + size)).decode("utf-8", "replace"))
        return 0

    linker = wasmtime.Linker(runtime.engine)
    for wanted in runtime.module.imports:
        kind: Any = wanted.type
        answer = log if wanted.name == "proxy_log" else _refused
        linker.define_func(wanted.module, str(wanted.name), kind, answer)
    exports: Any = linker.instantiate(store, runtime.module).exports(store)
    try:
        place = exports["proxy_on_memory_allocate"](store, len(text) + 1)
        exports["memory"].write(store, text + b"\0", place)
        exports["wasmhub_check"](store, place, len(text), int(module))
    except (wasmtime.WasmtimeError, wasmtime.Trap, IndexError):
        return ""
    return "\n".join(said)


def _refused(*_: int) -> int:
    return 1


class _Runtime:
    """QuickJS, compiled quickly rather than well, and once a machine."""

    def __init__(self) -> None:
        import wasmtime

        config = wasmtime.Config()
        config.wasm_exceptions = True
        config.cranelift_opt_level = "none"
        with contextlib.suppress(BuildError, OSError):  # without a cache it takes a second more
            config.cache = str(_cache_settings())
        self.engine = wasmtime.Engine(config)
        self.module = wasmtime.Module(self.engine, RUNTIME.read_bytes())


def _cache_settings() -> Path:
    """The file that tells wasmtime where to keep code."""
    folder = shared_folder("javascript")
    settings = folder / "wasmtime.toml"
    with tempfile.NamedTemporaryFile("w", dir=folder, delete=False) as partial:
        partial.write(f"[cache]\ndirectory = {json.dumps(str(folder / 'code'))}\n")
    Path(partial.name).replace(settings)
    return settings


@cache
def _runtime() -> _Runtime:
    return _Runtime()
