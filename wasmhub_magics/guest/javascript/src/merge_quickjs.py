"""Make ``runtime.wasm``: QuickJS, our glue and our prelude, in one module.

QuickJS comes from npm, locked. The glue (C) is what it imports, placed behind its first pages of memory.
What the prelude leaves in memory becomes the module's data, as in the Python runtime.
"""

from __future__ import annotations

from pathlib import Path

import merge as shared
import sections as wasm

HERE = Path(__file__).parent
PRELUDE = (
    *("host.js", "headers.js", "messages.js", "log.js", "calls.js", "contexts.js", "shared.js"),
    *("callbacks.js", "load.js", "language.js"),
)
MADE_OF = (("language", "JavaScript", "ES2023"), ("processed-by", "QuickJS-ng", "quickjs-wasi 3.6.2"))


def merge_quickjs(target: Path, work: Path) -> None:
    """Make the runtime at ``target``; ``work`` is a directory for what comes in between."""
    shared.install(HERE, work)
    original = (work / "node_modules" / "quickjs-wasi" / "quickjs.wasm").read_bytes()
    base = wasm.unsigned(dict(wasm.read(original))[wasm.MEMORY], 2)[0] * shared.PAGE
    glue = shared.compile_glue(work, base, HERE / "glue.c")
    homes = {(home, name): "glue" for home, name, _ in shared.imports_of(original)}
    (work / "qjs.wasm").write_bytes(shared.rename_imports(enlarged(original, glue), homes))
    # The glue's start function only zeroes memory that it cannot know to be new.
    idle = wasm.write([part for part in wasm.read(glue) if part[0] != wasm.START])
    (work / "glue.wasm").write_bytes(shared.rename_imports(idle, {("env", "memory"): "qjs"}))
    merged = ["qjs.wasm", "qjs", "glue.wasm", "glue", "--rename-export-conflicts", "-o", "merged.wasm"]
    shared.run([*shared.tool(work, "wasm-merge"), *merged, *shared.FEATURES], work)
    (work / "trimmed.wasm").write_bytes(shared.trim((work / "merged.wasm").read_bytes()))
    optimise = ["-O2", "trimmed.wasm", "-o", "optimised.wasm"]
    shared.run([*shared.tool(work, "wasm-opt"), *shared.FEATURES, *optimise], work)
    optimised = (work / "optimised.wasm").read_bytes()
    prelude = b'"use strict";(() => {\n' + shared.prelude(HERE, PRELUDE) + b"})();\n"
    partial = target.with_suffix(".partial")
    partial.write_bytes(shared.snapshot(optimised, prelude, MADE_OF))
    partial.replace(target)


def enlarged(module: bytes, glue: bytes) -> bytes:
    """QuickJS with memory for the glue's data as well."""
    pages = shared.exported_constant(glue, "__heap_base") // shared.PAGE + 1

    def enlarge(content: bytes) -> bytes:
        _, at = wasm.unsigned(content, 2)
        return content[:2] + wasm.leb(pages) + content[at:]

    return wasm.write(wasm.change(wasm.read(module), wasm.MEMORY, enlarge))
