"""The proxy's host module with a counter in each of its blocks, so that a fuzzer sees where it has been.

Zig's compiler puts the counters in (``-ffuzz``) and gives LLVM's text; its tables of code addresses, which
WebAssembly cannot have, are emptied there, and two functions tell where the counters lie.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[3]
sys.path.insert(0, str(ROOT))

from hatch_build import HOST_LINK, HOST_TARGET, PROXY  # noqa: E402

__all__ = ["instrumented"]

ADDRESSES = re.compile(
    r'(@__sancov_gen_\S* = private constant \[\d+ x ptr\]) \[.*\], section "__sancov_pcs1"'
)
STACK = "@__sancov_lowest_stack = external thread_local(initialexec) global i32"
WHERE = """
@__start___sancov_cntrs = external hidden global i8
@__stop___sancov_cntrs = external hidden global i8
define i32 @coverage_begin() { ret i32 ptrtoint (ptr @__start___sancov_cntrs to i32) }
define i32 @coverage_end() { ret i32 ptrtoint (ptr @__stop___sancov_cntrs to i32) }
"""


@cache
def instrumented() -> bytes:
    """The host module with counters, made once for each state of its sources."""
    sources = sorted((PROXY / "src").glob("*.zig"))
    digest = hashlib.sha256(b"".join(each.read_bytes() for each in [*sources, Path(__file__)])).hexdigest()
    work = ROOT / "build" / "fuzz"
    work.mkdir(parents=True, exist_ok=True)
    made = work / f"host-{digest[:16]}.wasm"
    if not made.exists():
        text, part = work / "host.ll", work / "wasmhub_host.wasm"
        whole = ["-O", "ReleaseSafe", *HOST_TARGET]
        emit = ["-fno-emit-bin", f"-femit-llvm-ir={text}"]
        _zig("build-obj", "-ffuzz", *whole, *emit, str(PROXY / "src" / "host.zig"))
        code = ADDRESSES.sub(r"\1 zeroinitializer", text.read_text())
        code = code.replace(STACK, "@__sancov_lowest_stack = internal global i32 0")
        text.write_text(code + WHERE)
        _zig("cc", *HOST_TARGET, "-O2", "-g0", "-c", str(text), "-o", str(work / "host.o"))
        emit = [f"-femit-bin={part}", "--name", "wasmhub_host"]
        _zig("build-exe", *whole, *HOST_LINK, "-fstrip", *emit, str(work / "host.o"))
        part.replace(made)
        text.unlink()
    return made.read_bytes()


def _zig(*arguments: str) -> None:
    cache = ["--cache-dir", str(ROOT / "build" / "zig" / "cache")] if arguments[0] != "cc" else []
    subprocess.run([sys.executable, "-m", "ziglang", *arguments, *cache], check=True)
