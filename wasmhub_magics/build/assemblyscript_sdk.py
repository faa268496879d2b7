"""Filters written for ``@solo-io/proxy-runtime``: its sources, made fit for the newest compiler."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

__all__ = ["ABORT", "SDK", "sdk_files", "uses_sdk"]

SDK = "@solo-io/proxy-runtime"
ABORT = f"--use=abort=~lib/{SDK}/runtime/abort_proc_exit"

_MALLOC = """// Memory for what the proxy hands over: kept until it is taken.
export function malloc(size: i32): usize { return __pin(changetype<usize>(new ArrayBuffer(size))); }
export function free(at: usize): void { __unpin(at); }
"""
_EXIT = """// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "proc_exit")
declare function proc_exit(code: u32): void;"""
_LATER = """export function makeHeaderPair(key: string, value: string): HeaderPair {
  return new HeaderPair(String.UTF8.encode(key), String.UTF8.encode(value));
}
class GetSharedData {
  result: WasmResultValues = WasmResultValues.Ok;
  value: ArrayBuffer | null = null;
  cas: u32 = 0;
}
export function get_shared_data(key: string): GetSharedData {
  const name = String.UTF8.encode(key), data = globalArrayBufferReference, cas = globalUsizeRef;
  const found = new GetSharedData();
  found.result = imports.proxy_get_shared_data(
    changetype<usize>(name), name.byteLength, data.bufferPtr(), data.sizePtr(), cas.ptr());
  if (found.result == WasmResultValues.Ok) {
    found.value = data.toArrayBuffer();
    found.cas = cas.data as u32;
  }
  return found;
}
export function set_shared_data(key: string, value: ArrayBuffer, cas: u32 = 0): WasmResultValues {
  const name = String.UTF8.encode(key);
  return imports.proxy_set_shared_data(
    changetype<usize>(name), name.byteLength, changetype<usize>(value), value.byteLength, cas);
}

"""
_CALLBACK = "(origin_context: BaseContext, headers: u32, body_size: usize, trailers: u32) => void"


def uses_sdk(texts: Iterable[str]) -> bool:
    """Whether sources import the package."""
    return any(re.search(rf"""\bfrom\s+["']{SDK}(/|["'])""", text) for text in texts)


def sdk_files(installed: Path, source: str) -> dict[str, str]:
    """The package, from where npm has ``installed`` it: files for the folder of a compiler's libraries.

    It was written for a compiler of 2020: memory is pinned now and was counted then, the module for WASI is
    another. Its reading of an empty configuration, the name of a callback and its functions for shared data,
    whose parameters are mixed up, are mended; later names of its entry points and what its sources have since
    are there.
    """
    files = {}
    for part in sorted((installed / SDK / "assembly").glob("*.ts")):
        text = part.read_text()
        if part.name == "runtime.ts":
            text = _fit(text, "BaseContext" if "BaseContext" in source else "Context")
        text = text.replace("proxy_on_grpc_trailing_metadata", "proxy_on_grpc_receive_trailing_metadata")
        files[f"{SDK}/{part.name}"] = _MALLOC if part.name == "malloc.ts" else text
    both = f'export * from "{SDK}/index";\nexport * from "{SDK}/runtime";\n'
    return {
        **files,
        f"{SDK}/assembly/index.ts": both,
        f"{SDK}/assembly/proxy.ts": f'export * from "{SDK}/proxy";\n',
    }


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
    shared = r"export function get_shared_data\(.*?(?=export function register_shared_queue)"
    return re.sub(shared, lambda _: _LATER, runtime, flags=re.S)
