"""Build hook: compile the proxy's host module, merge the guest runtimes, build the JupyterLab extension.

All are made from committed sources and locked packages, so that the wheel needs neither zig nor node.
A part that is newer than its sources is left as it is. ``python hatch_build.py`` does the same in place.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent
PROXY = ROOT / "wasmhub_magics" / "proxy"
PYTHON = ROOT / "wasmhub_magics" / "guest" / "python"
LAB = ROOT / "labextension"
# What the host module is compiled for, and how it is linked.
HOST_TARGET = ["-target", "wasm32-freestanding"]
HOST_TARGET += ["-mcpu=generic+bulk_memory+multivalue+sign_ext+nontrapping_fptoint+simd128"]
HOST_LINK = ["-fno-entry", "-rdynamic", "--export-table", "--growable-table", "--export=__stack_pointer"]
HOST_LINK += ["--stack", "262144"]
JAVASCRIPT = ROOT / "wasmhub_magics" / "guest" / "javascript"
CPP_LIBRARY = ROOT / "wasmhub_magics" / "guest" / "cpp" / "lib"


def main(whole: bool = True) -> None:
    """Make every generated part that is missing or older than its sources.

    What is made on a machine as well when it is first needed is left out unless the ``whole`` is wanted.
    """
    for target, sources, make in (
        (PROXY / "host.wasm", sorted((PROXY / "src").glob("*.zig")), make_host),
        (PYTHON / "runtime.wasm", sorted((PYTHON / "src").rglob("*.*")), make_python_runtime),
        (
            JAVASCRIPT / "runtime.wasm",
            [*(JAVASCRIPT / "src").rglob("*.*"), *(PYTHON / "src").glob("[ms]*.py")],
            make_javascript_runtime,
        ),
        (ROOT / "wasmhub_magics" / "labextension" / "package.json", lab_sources(), make_labextension),
    ):
        newest = max(source.stat().st_mtime for source in [*sources, Path(__file__)])
        if not target.exists() or target.stat().st_mtime < newest:
            print(f"making {target.relative_to(ROOT)}", file=sys.stderr)
            make(target)
    if whole:
        make_cpp_library()


def make_cpp_library() -> None:
    """Compile the standard library of C++ for WebAssembly, once for each version of Zig."""
    sys.path.insert(0, str(ROOT))
    from wasmhub_magics.build.clang import find_ziglang
    from wasmhub_magics.build.cpp_library import cached, made_by, make_library

    zig = find_ziglang()
    if zig is None:
        raise SystemExit("ziglang is not on this machine; building the package needs it")
    if made_by(CPP_LIBRARY) != zig.version:
        print(f"making {CPP_LIBRARY.relative_to(ROOT)}", file=sys.stderr)
        if made_by(cached(zig)) == zig.version:
            shutil.rmtree(CPP_LIBRARY, ignore_errors=True)
            shutil.copytree(cached(zig), CPP_LIBRARY)
        else:
            make_library(zig, CPP_LIBRARY)


def make_host(target: Path) -> None:
    """Compile the Zig host module for a freestanding WebAssembly host."""
    cache = ROOT / "build" / "zig"
    cache.mkdir(parents=True, exist_ok=True)
    partial = cache / "wasmhub_host.wasm"  # backtraces tell the host from filters by this name
    run(
        [sys.executable, "-m", "ziglang", "build-exe", "-O", "ReleaseSafe", *HOST_TARGET, *HOST_LINK]
        + ["--cache-dir", str(cache / "cache"), f"-femit-bin={partial}", str(PROXY / "src" / "host.zig")]
    )
    partial.write_bytes(without_debug_sections(partial.read_bytes()))
    partial.replace(target)


def without_debug_sections(module: bytes) -> bytes:
    """The module with function names, but without the much larger rest of what debuggers want."""
    kept, at = [module[:8]], 8
    while at < len(module):
        size, start, shift = 0, at + 1, 0
        while True:
            size |= (module[start] & 127) << shift
            shift += 7
            start += 1
            if module[start - 1] < 128:
                break
        if module[at] != 0 or not module[start + 1 : start + size].startswith(b".debug_"):
            kept.append(module[at : start + size])
        at = start + size
    return b"".join(kept)


def make_python_runtime(target: Path) -> None:
    """Merge MicroPython's own WebAssembly build with our glue; the npm packages are locked."""
    sys.path.insert(0, str(PYTHON / "src"))
    from merge import merge

    merge(target, work=ROOT / "build" / "python-runtime")


def make_javascript_runtime(target: Path) -> None:
    """Merge QuickJS with our glue, by the same means."""
    sys.path[:0] = [str(PYTHON / "src"), str(JAVASCRIPT / "src")]
    from merge_quickjs import merge_quickjs

    merge_quickjs(target, work=ROOT / "build" / "javascript-runtime")


def lab_sources() -> list[Path]:
    """What the JupyterLab extension is made of."""
    folders = [LAB / folder for folder in ("src", "style", "schema")]
    files = [each for folder in folders for each in folder.rglob("*") if each.is_file()]
    tops = ("package.json", "package-lock.json", "tsconfig.json", "builder.config.cjs")
    return sorted([*files, *(LAB / name for name in tops)])


def make_labextension(target: Path) -> None:
    """Compile and bundle the JupyterLab extension with npm's locked packages; JupyterLab is not needed."""
    lock, installed = LAB / "package-lock.json", LAB / "node_modules" / ".package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
        run(["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"], LAB)
    shutil.rmtree(LAB / "lib", ignore_errors=True)  # what a removed source left there would be bundled
    run(["npm", "run", "--silent", "build"], LAB)
    target.touch()  # the newest part of the bundle: it was written after all others


def run(command: list[str], folder: Path = ROOT) -> None:
    """Run a tool, or end with what it said."""
    if shutil.which(command[0]) is None:
        raise SystemExit(f"{command[0]} is not on this machine; building the package needs it")
    done = subprocess.run(command, check=False, cwd=folder, env={**os.environ})
    if done.returncode:
        raise SystemExit(f"{' '.join(command[:4])} ... failed with exit status {done.returncode}")


if __name__ == "__main__":
    main()
else:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface

    class BuildHook(BuildHookInterface[Any]):
        """What hatchling calls before it packs a wheel or links an editable install."""

        PLUGIN_NAME = "custom"

        def initialize(self, version: str, build_data: dict[str, Any]) -> None:
            """Make the generated parts; an sdist carries sources only."""
            if self.target_name == "wheel":
                main(whole=version != "editable")
