"""One filter in every language: what it costs to build, load and run. Writes the table of docs/languages.md.

    python tests/benchmarks/languages.py [LANGUAGE ...] [--dry]

The filter is the example ``headers``. Each figure comes from this run on this machine; of builds and loads
it is the best of three. All times are processor time, which other programs on a machine hardly change.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from wasmhub_magics.build import BuildOptions, Language, find_language, languages
from wasmhub_magics.build.build import build_module
from wasmhub_magics.build.warm import warm
from wasmhub_magics.envoy import EnvoyProxy
from wasmhub_magics.errors import ToolchainMissing, WasmhubError
from wasmhub_magics.examples import example
from wasmhub_magics.latency import bench_envoy
from wasmhub_magics.latency.units import duration
from wasmhub_magics.plugin import Plugin
from wasmhub_magics.proxy import Proxy

DOCS = Path(__file__).parents[2] / "docs" / "languages.md"
TABLE = re.compile(r"(?<=<!-- table -->\n).*?(?=<!-- end -->)", re.S)
HEAD = ("language", "first build", "next build", "size", "load in Envoy", "request, embedded",
        "request, Envoy", "memory")  # fmt: skip
EMPTY = """(module (func (export "proxy_abi_version_0_2_1")) (memory (export "memory") 1)
  (func (export "malloc") (param i32) (result i32) i32.const 8))"""
COMMENTS = {"python": "#", "wat": ";;"}


def spent() -> float:
    """Seconds of processor time that this program and its ended children have used."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in used)


def best(measure: Callable[[], float], times: int = 3) -> float:
    return min(measure() for _ in range(times))


def row(language: Language, unloaded: float) -> tuple[str, ...]:
    """The figures of a language."""
    shown = example("headers")
    source = shown.source(language.name)
    mark = COMMENTS.get(language.name, "//")
    with tempfile.TemporaryDirectory(prefix="wasmhub-bench-") as folder:
        os.environ["WASMHUB_CACHE"] = folder
        copy_downloads(language, Path(folder))
        fresh = spent()
        list(warm([language.name]))
        built = build_module(source, language.name, "headers", options=BuildOptions(timeout=1800))
        cold = spent() - fresh

        def again() -> float:
            start = spent()
            build_module(f"{source}\n{mark} {time.time_ns()}\n", language.name, "headers")
            return spent() - start

        next_build = best(again)
    plugin = Plugin(built.module, "headers")
    request = shown.table.expectations[0].request
    load = best(lambda: started(plugin)) - unloaded
    with Proxy([plugin], trace=False) as proxy:
        count = 2000 if language.name in ("python", "javascript") else 50_000
        proxy.loop(request, count // 10)

        def looped() -> float:
            start = time.process_time()
            proxy.loop(request, count)
            return (time.process_time() - start) / count * 1e9

        inside = best(looped, 5)
        memory = proxy.memory[0]
    outside = bench_envoy([plugin], request, rate=400, seconds=4, rounds=8)
    added = outside.added_cpu or 0.0
    return (
        language.title,
        f"{cold:.1f} s" if cold > 0.05 else f"{cold * 1000:.0f} ms",
        f"{next_build:.2f} s" if next_build > 0.05 else f"{next_build * 1000:.0f} ms",
        size(built.module.size),
        f"{max(load, 0) * 1000:.0f} ms",
        duration(inside),
        duration(max(added, 0.0)),
        size(memory),
    )


def copy_downloads(language: Language, folder: Path) -> None:
    """What only a network's speed decides is not measured: npm's packages are taken along."""
    kept = Path("~/.cache/wasmhub").expanduser()
    if language.name == "assemblyscript":
        for found in kept.glob("assemblyscript-*"):
            shutil.copytree(found, folder / found.name, symlinks=True)


def started(plugin: Plugin) -> float:
    """Seconds of processor time of an Envoy that starts with the filter and answers a request."""
    start = spent()
    with EnvoyProxy(plugin, start_timeout=240) as envoy:
        envoy.send()
    return spent() - start


def size(count: int) -> str:
    return f"{count / 1024:,.0f} KB" if count < 10 << 20 else f"{count / (1 << 20):.0f} MB"


def table(rows: list[tuple[str, ...]]) -> str:
    lines = [HEAD, ("---", *["---:"] * (len(HEAD) - 1)), *rows]
    return "".join(f"| {' | '.join(each)} |\n" for each in lines)


def kept(old: str, rows: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """The rows of a table that were not measured now."""
    cells = [tuple(part.strip() for part in line.strip("| \n").split("|")) for line in old.splitlines()]
    found = [each for each in cells if len(each) == len(HEAD) and each != HEAD and set(each[0]) != {"-"}]
    return [each for each in found if each[0] not in {row[0] for row in rows}]


def machine() -> str:
    """What was measured on, in a sentence."""
    return f"Processor time, measured on {platform.machine()} with {os.cpu_count()} cores.\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    known = [name for name in languages() if name != "wasm"]
    parser.add_argument("names", nargs="*", metavar="LANGUAGE", help=f"which: {', '.join(known)}")
    parser.add_argument("--dry", action="store_true", help="print the table only")
    options = parser.parse_args()
    before = machine()
    unloaded = best(lambda: started(Plugin(build_module(EMPTY, "wat").module, "nothing")))
    rows, failed = [], False
    for name in options.names or known:
        try:
            rows.append(row(find_language(name), unloaded))
            print("  ".join(rows[-1]), flush=True)
        except ToolchainMissing as missing:
            print(f"{name}: {missing}", flush=True)
        except WasmhubError as error:
            failed = True
            print(f"{name}: {error}", flush=True)
    if not options.dry and rows:
        DOCS.write_text(
            TABLE.sub(lambda old: f"{before}\n{table([*rows, *kept(old[0], rows)])}", DOCS.read_text())
        )
        print(f"written: {DOCS}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
