"""Filters written for ``@solo-io/proxy-runtime``: its sources, made fit for the newest compiler."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

__all__ = ["ABORT", "SDK", "place_sdk", "uses_sdk"]

SDK = "@solo-io/proxy-runtime"
ABORT = f"--use=abort=~lib/{SDK}/runtime/abort_proc_exit"

_MALLOC = """// Memory for what the proxy hands over: kept until it is taken.
export function malloc(size: i32): usize { return __pin(changetype<usize>(new ArrayBuffer(size))); }
export function free(at: usize): void { __unpin(at); }
"""
_EXIT = """// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "proc_exit")
declare function proc_exit(code: u32): void;"""
_CALLBACK = "(origin_context: BaseContext, headers: u32, body_size: usize, trailers: u32) => void"


def uses_sdk(texts: Iterable[str]) -> bool:
    """Whether sources import the package."""
    return any(re.search(rf"""\bfrom\s+["']{SDK}(/|["'])""", text) for text in texts)


def place_sdk(library: Path, installed: Path, source: str) -> None:
    """Put the package, from where npm has ``installed`` it, into the folder of a compiler's libraries.

    It was written for a compiler of 2020: memory is pinned now and was counted then, the module for WASI is
    another. Its reading of an empty configuration and the name of a callback are mended, and later names of
    its entry points are there.
    """
    folder = library / SDK
    (folder / "assembly").mkdir(parents=True)
    for part in (installed / SDK / "assembly").glob("*.ts"):
        text = part.read_text()
        if part.name == "runtime.ts":
            text = _fit(text, "BaseContext" if "BaseContext" in source else "Context")
        text = text.replace("proxy_on_grpc_trailing_metadata", "proxy_on_grpc_receive_trailing_metadata")
        (folder / part.name).write_text(_MALLOC if part.name == "malloc.ts" else text)
    (folder / "assembly" / "index.ts").write_text(
        f'export * from "{SDK}/index";\nexport * from "{SDK}/runtime";\n'
    )
    (folder / "assembly" / "proxy.ts").write_text(f'export * from "{SDK}/proxy";\n')


def _fit(runtime: str, context: str) -> str:
    """The package's main file, with callbacks of calls that take a context of that class."""
    for old, new in (
        ('import { proc_exit } from "bindings/wasi_unstable";', _EXIT),
        (".bufferPtr(), configuration_size)", ".bufferPtr(), globalArrayBufferReference.sizePtr())"),
        ("cb: (origin_context: Context, headers", f"cb: (origin_context: {context}, headers"),
        (
            "new HttpCallback(origin_context, cb)",
            f"new HttpCallback(origin_context, changetype<{_CALLBACK}>(cb))",
        ),
    ):
        runtime = runtime.replace(old, new)
    return runtime
