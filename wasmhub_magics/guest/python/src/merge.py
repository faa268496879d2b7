"""Make ``runtime.wasm``: MicroPython's own WebAssembly build, our glue and our prelude, in one module.

MicroPython comes from npm, locked. The glue (C) takes the place of the JavaScript that it expects around it.
Then the runtime is started once and the prelude run in it, and what it left in memory becomes the
module's data: a filter starts where that start ended.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import sections as wasm

HERE = Path(__file__).parent
PAGE = 65536
FEATURES = [
    f"--enable-{feature}"
    for feature in (
        *("bulk-memory", "bulk-memory-opt", "reference-types", "multivalue", "sign-ext", "mutable-globals"),
        *("nontrapping-float-to-int", "exception-handling"),
    )
]

Fields = tuple[tuple[str, str, str], ...]
"""What a module was made of, as (field, name, version)."""

PRELUDE = (
    *("host.py", "headers.py", "messages.py", "calls.py", "log.py", "contexts.py", "metrics.py", "shared.py"),
    *("callbacks.py", "files.py", "load.py", "modules.py", "names.py"),
)
CHECK = "wasmhub_check"
"""What a build calls, besides what a proxy calls."""
BREAK = 179028
"""Where MicroPython 1.27.0 keeps the end of its heap (``sbrk``)."""

FOREVER, TRAP = b"\x03\x40\x0c\x00\x0b", b"\x00\x01\x01\x01\x01"
"""``for (;;) {}``, with which MicroPython ends on a fatal error, and ``unreachable`` of the same length."""


def merge(target: Path, work: Path) -> None:
    """Make the runtime at ``target``; ``work`` is a directory for what comes in between."""
    install(HERE, work)
    package = work / "node_modules" / "@micropython" / "micropython-webassembly-pyscript"
    original = (package / "micropython.wasm").read_bytes()

    heap = heap_start(original)
    glue = compile_glue(work, heap, HERE / "glue.c")
    (work / "mp.wasm").write_bytes(prepare_micropython(original, exported_constant(glue, "__heap_base")))
    # Its start function only zeroes memory that it cannot know to be new.
    idle = wasm.write([part for part in wasm.read(glue) if part[0] != wasm.START])
    (work / "glue.wasm").write_bytes(rename_imports(idle, {("env", "memory"): "mp"}))
    signatures = re.findall(r"invoke_(\w+)", " ".join(name for _, name, _ in imports_of(original)))
    (work / "jump.wat").write_text(jumps(signatures))
    run([*tool(work, "wasm-as"), *FEATURES, "jump.wat", "-o", "jump.wasm"], work)
    parts = ["mp.wasm", "mp", "glue.wasm", "glue", "jump.wasm", "jump"]
    run(
        [*tool(work, "wasm-merge"), *parts, *FEATURES, "--rename-export-conflicts", "-o", "merged.wasm"], work
    )
    (work / "trimmed.wasm").write_bytes(trim((work / "merged.wasm").read_bytes()))
    run([*tool(work, "wasm-opt"), *FEATURES, "-O2", "trimmed.wasm", "-o", "optimised.wasm"], work)
    partial = target.with_suffix(".partial")
    optimised = (work / "optimised.wasm").read_bytes()
    made_of = (("language", "Python", "3"), ("processed-by", "MicroPython", "1.27.0"))
    partial.write_bytes(snapshot(optimised, prelude(HERE, PRELUDE), made_of))
    partial.replace(target)


def prelude(source: Path, names: Sequence[str]) -> bytes:
    """The parts of the prelude at ``source``, one after the other: they share their names."""
    return b"\n".join((source / "prelude" / name).read_bytes() for name in names)


def install(source: Path, work: Path) -> None:
    """Install the npm packages that are locked at ``source``."""
    work.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(source / name, work / name)
    npm = shutil.which("npm")
    if npm is None:
        raise SystemExit("npm is not on this machine; making the runtimes needs Node 20 or later")
    run([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], work)


def heap_start(module: bytes) -> int:
    """Where MicroPython's static data ends and its heap starts."""
    content = dict(wasm.read(module))[wasm.DATA]
    end = max(address + len(data) for address, data in wasm.segments(content))
    for address, data in wasm.segments(content):
        if address <= BREAK < address + len(data):
            at = BREAK - address
            found = int.from_bytes(data[at : at + 4], "little")
            if end <= found <= end + PAGE and found % 16 == 0:
                return found
    raise SystemExit("this is not the MicroPython that the glue was written for")


def compile_glue(work: Path, base: int, source: Path) -> bytes:
    """Compile the glue, its data and stack placed at ``base``."""
    flags = ["-target", "wasm32-freestanding", "-O2", "-nostdlib", "-ffreestanding", "-mbulk-memory", "-Wall"]
    link = ["--no-entry", "--import-memory", f"--global-base={base}", "--export=__heap_base"]
    command = [sys.executable, "-m", "ziglang", "cc", *flags, *(f"-Wl,{option}" for option in link)]
    run([*command, "-Wl,-z,stack-size=16384", "-o", "compiled.wasm", str(source)], work)
    return (work / "compiled.wasm").read_bytes()


def prepare_micropython(module: bytes, heap: int) -> bytes:
    """MicroPython, its imports renamed, its heap moved behind the glue, its endless loops made traps."""

    def move_heap(content: bytes) -> bytes:
        moved = []
        for address, data in wasm.segments(content):
            at = BREAK - address
            if 0 <= at < len(data):
                moved.append((address, data[:at] + heap.to_bytes(4, "little") + data[at + 4 :]))
            else:
                moved.append((address, data))
        return wasm.data_section(moved)

    def end_loops(content: bytes) -> bytes:
        if content.count(FOREVER) != 2:
            raise SystemExit("this is not the MicroPython that the glue was written for")
        return content.replace(FOREVER, TRAP)

    def shrink(content: bytes) -> bytes:
        _, at = wasm.unsigned(content, 2)  # one memory, with a maximum
        return content[:2] + wasm.leb(heap // PAGE + 1) + content[at:]

    homes = {
        (home, name): "jump" if name.startswith("invoke_") or name.endswith("throw_longjmp") else "glue"
        for home, name, _ in imports_of(module)
    }
    parts = wasm.read(rename_imports(module, homes))
    parts = wasm.change(parts, wasm.DATA, move_heap)
    parts = wasm.change(parts, wasm.CODE, end_loops)
    return wasm.write(wasm.change(parts, wasm.MEMORY, shrink))


def jumps(signatures: list[str]) -> str:
    """The module behind C's setjmp and longjmp, which Emscripten leaves to JavaScript's exceptions."""
    functions = []
    for signature in signatures:
        count = len(signature) - 1
        parameters = f"(param{' i32' * count})" if count else ""
        result = "(result i32)" if signature[0] == "i" else ""
        arguments = " ".join(f"(local.get {i})" for i in range(1, count + 1))
        functions.append(f"""
  (func (export "invoke_{signature}") (param{" i32" * (count + 1)}) {result}
    (local $stack i32)
    (local.set $stack (call $stack_now))
    (block $jumped
      (try_table {result} (catch $longjmp $jumped)
        (call_indirect {parameters} {result} {arguments} (local.get 0)))
      (return))
    (call $stack_restore (local.get $stack))
    (call $set_threw (i32.const 1) (i32.const 0))
    {"(i32.const 0)" if result else ""})""")
    return f"""(module
  (import "mp" "__indirect_function_table" (table 0 funcref))
  (import "mp" "emscripten_stack_get_current" (func $stack_now (result i32)))
  (import "mp" "_emscripten_stack_restore" (func $stack_restore (param i32)))
  (import "mp" "setThrew" (func $set_threw (param i32 i32)))
  (tag $longjmp)
  (func (export "_emscripten_throw_longjmp") (throw $longjmp)){"".join(functions)})
"""


def trim(module: bytes) -> bytes:
    """The module with those exports only that a proxy or `snapshot` uses."""

    def keep(content: bytes) -> bytes:
        kept = [
            (name, what)
            for name, what in wasm.exports(content)
            if name == "memory" or name.startswith(("proxy_on_", "proxy_abi_", "wasmhub_"))
        ]
        return wasm.vector(wasm.text(name) + what for name, what in kept)

    return wasm.write(wasm.change(wasm.read(module), wasm.EXPORT, keep))


def snapshot(module: bytes, prelude: bytes, made_of: Fields) -> bytes:
    """The module as it is after it has run a prelude: its memory and variables hold what that left there.

    Its last data segment is that of the filter's own bytes, empty.
    """
    import wasmtime

    variables = wasm.globals_(dict(wasm.read(module))[wasm.GLOBAL])
    mutable = [index for index, (kind, _) in enumerate(variables) if kind[1] == 1]

    def show(content: bytes) -> bytes:
        shown = [wasm.text(name) + what for name, what in wasm.exports(content)]
        return wasm.vector([*shown, *(wasm.text(f"variable{i}") + b"\x03" + wasm.leb(i) for i in mutable)])

    config = wasmtime.Config()
    config.wasm_exceptions = True
    store = wasmtime.Store(wasmtime.Engine(config))
    opened = wasmtime.Module(store.engine, wasm.write(wasm.change(wasm.read(module), wasm.EXPORT, show)))
    said: list[str] = []

    def absent(name: str) -> Any:
        def call(*arguments: int) -> int:
            if name == "proxy_log":
                said.append(bytes(memory.read(store, arguments[1], sum(arguments[1:]))).decode())
                return 0
            raise SystemExit(f"the prelude calls {name} while the runtime is made; {said}")

        return call

    wanted: list[Any] = opened.imports
    functions = [wasmtime.Func(store, each.type, absent(each.name)) for each in wanted]
    exported: Any = wasmtime.Instance(store, opened, functions).exports(store)
    memory = exported["memory"]
    area = exported["wasmhub_area"](store)
    memory.write(store, prelude + b"\0", area)
    if exported["wasmhub_prepare"](store, area, len(prelude)) or said:
        raise SystemExit("the prelude fails:\n" + "\n".join(said))
    memory.write(store, bytes(len(prelude)), area)
    content = bytes(memory.read(store, 0, memory.data_len(store)))

    def initialise(_: bytes) -> bytes:
        entries = []
        for index, (kind, constant) in enumerate(variables):
            value = exported[f"variable{index}"].value(store) if index in mutable else constant
            entries.append(kind + b"\x41" + wasm.signed_leb(value) + b"\x0b")
        return wasm.vector(entries)

    def hide(content: bytes) -> bytes:
        kept = [(n, what) for n, what in wasm.exports(content) if not n.startswith("wasmhub_") or n == CHECK]
        return wasm.vector(wasm.text(name) + what for name, what in kept)

    runs = [(m.start(), m.group()) for m in re.finditer(rb"[^\0](?:\0{0,15}[^\0]+)*", content)]
    parts = [(kind, part) for kind, part in wasm.read(module) if kind not in (wasm.CUSTOM, wasm.DATA_COUNT)]
    parts.insert(0, (wasm.CUSTOM, producers(made_of)))
    parts = wasm.change(parts, wasm.GLOBAL, initialise)
    parts = wasm.change(parts, wasm.EXPORT, hide)
    parts = wasm.change(
        parts,
        wasm.MEMORY,
        lambda old: old[:2] + wasm.leb(len(content) // PAGE) + old[wasm.unsigned(old, 2)[1] :],
    )
    return wasm.write(wasm.change(parts, wasm.DATA, lambda _: wasm.data_section([*runs, (area, b"")])))


def producers(made_of: Fields) -> bytes:
    """A custom section that says what made the module, after WebAssembly's tool conventions."""
    entries = (
        wasm.text(field) + wasm.vector([wasm.text(name) + wasm.text(version)])
        for field, name, version in made_of
    )
    return wasm.text("producers") + wasm.vector(entries)


def imports_of(module: bytes) -> list[tuple[str, str, bytes]]:
    """The imports of a module."""
    return wasm.imports(dict(wasm.read(module))[wasm.IMPORT])


def rename_imports(module: bytes, homes: dict[tuple[str, str], str]) -> bytes:
    """The module with other modules' names for some imports, by (module, name)."""
    entries = (
        wasm.text(homes.get((home, name), home)) + wasm.text(name) + what
        for home, name, what in imports_of(module)
    )
    renamed = wasm.vector(entries)
    return wasm.write(wasm.change(wasm.read(module), wasm.IMPORT, lambda _: renamed))


def exported_constant(module: bytes, name: str) -> int:
    """The value of an exported constant."""
    parts = dict(wasm.read(module))
    what = dict(wasm.exports(parts[wasm.EXPORT]))[name]
    return wasm.globals_(parts[wasm.GLOBAL])[wasm.unsigned(what, 1)[0]][1]


def tool(work: Path, name: str) -> list[str]:
    """How to start one of binaryen's tools."""
    return ["node", str(work / "node_modules" / "binaryen" / "bin" / name)]


def run(command: list[str], work: Path) -> None:
    """Run a tool, or end with what it said."""
    done = subprocess.run(
        command, cwd=work, check=False, capture_output=True, text=True, timeout=600, env={**os.environ}
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(command[:4])} ... failed:\n{done.stdout}{done.stderr}")
