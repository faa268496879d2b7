"""The project's speed, measured: prints a table and writes ``build/bench.json``.

    python tests/benchmarks/run.py [NAME ...] [--out FILE]

An entry of the file is ``name -> {value, unit, sides}``; ``sides`` are the figures that a value was made of,
in the unit their names end with. Each figure comes from this run on this machine.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import importlib.util
import json
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

from entries import MILLION, PYTHON, ROOT, VERSIONED, C, Entry, simple_request
from images import Moved, moved, searched
from limits import LIMITS
from screens import SCREENS
from starts import STARTS

from wasmhub_magics.deploy import undeploy
from wasmhub_magics.errors import WasmhubError
from wasmhub_magics.filter import Filter, build
from wasmhub_magics.http import Request
from wasmhub_magics.latency import bench_envoy
from wasmhub_magics.latency.load import Load
from wasmhub_magics.latency.units import duration, short
from wasmhub_magics.proxy import Loop, Proxy


def embedded_simple() -> Entry:
    """Exchanges a second of the C filter, without and with a clock read on each side of an exchange."""
    return throughput(build(C, "c", "probe"), MILLION)


def embedded_python() -> Entry:
    """The same filter in Python."""
    return throughput(build(PYTHON, "python", "probe"), 20_000)


def embedded_flat() -> Entry:
    """Memory of host and filter after one and after ten million exchanges."""
    with Proxy([build(C, "c", "probe").plugin], trace=False) as proxy:
        request = simple_request()
        early, late = (memory_after(proxy.loop(request, n)) for n in (MILLION, 9 * MILLION))
    sides: dict[str, float] = {"after_1e6_bytes": early, "after_1e7_bytes": late}
    return Entry(late / early, "ratio", sides, "1 is flat")


def embedded_vs_envoy() -> Entry:
    """What the C filter adds to a request in the embedded proxy and in the real Envoy."""
    made = build(C, "c", "probe")
    inside = made.bench(simple_request(), seconds=2)
    real = bench_envoy([made.plugin], simple_request(), rate=500, seconds=6, rounds=12)
    sides = {
        "embedded_exchange_ns": inside.p50,
        "embedded_added_ns": inside.added(50) or 0.0,
        "envoy_request_ns": real.p50,
        "envoy_added_ns": real.added(50) or 0.0,
        "envoy_added_cpu_ns": real.added_cpu or 0.0,
        "envoy_failed": real.errors,
    }
    low, high = real.added_range(50) or (0.0, 0.0)
    note = f"Envoy adds {duration(sides['envoy_added_ns'])} ({duration(low)} to {duration(high)})"
    return Entry(sides["embedded_exchange_ns"] / sides["envoy_added_ns"], "ratio", sides, note)


def loop_c() -> Entry:
    """From changed C source to its first answer, beside the compiler alone on the same source."""
    whole, cell, bare = turns(C, "// {}", "c", "--lang c", compile_c)
    sides = {"whole_s": whole, "cell_s": cell, "compiler_s": bare}
    note = f"cell {cell:.3f} s, compiler alone {bare:.3f} s"
    return Entry(whole - bare, "s over the compiler", sides, note)


def loop_python() -> Entry:
    """From changed Python source to its first answer."""
    whole, cell, _ = turns(PYTHON, "# {}", "python", "")
    sides = {"whole_ms": whole * 1000, "cell_ms": cell * 1000}
    return Entry(whole * 1000, "ms", sides, f"cell {cell * 1000:.0f} ms")


def turns(
    source: str, comment: str, language: str, flags: str, alone: Callable[[str], object] = lambda _: None
) -> tuple[float, float, float]:
    """Medians in seconds on changed source: build and send, the same by a cell, and the compiler alone."""
    shell, request = notebook(), simple_request()
    whole, cell, bare = [], [], []
    for turn in range(7):
        fresh = f"{source}{comment.format(f'{turn} {time.time_ns()}')}\n"
        bare.append(timed(lambda text=fresh: alone(text)))
        whole.append(timed(lambda text=fresh: build(text + " ", language, "probe").send(request)))
        cell.append(timed(lambda text=fresh: shell(f"%%wasm_filter probe {flags}\n{text}  ", request)))
    return median(whole[1:]), median(cell[1:]), median(bare[1:])


def compile_c(source: str) -> None:
    """The compiler in one run, as a person would call it."""
    spec = importlib.util.find_spec("ziglang")
    if spec is None or spec.origin is None:
        raise SystemExit("loop.c needs the compiler that it is compared with: pip install ziglang")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "cell.c").write_text(source)
        command = [
            Path(spec.origin).parent / "zig",
            "cc",
            "-target",
            "wasm32-freestanding",
            "-O2",
            "-nostdlib",
        ]
        command += [
            "-Wl,--no-entry",
            "-I",
            ROOT / "wasmhub_magics" / "guest" / "c",
            "-o",
            "cell.wasm",
            "cell.c",
        ]
        subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=60)


def notebook() -> Callable[[str, Request], object]:
    """An IPython shell with the magics: a function that runs a cell and sends a request to its filter."""
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.utils.capture import capture_output

    shell = InteractiveShell.instance()
    with capture_output():
        shell.run_line_magic("load_ext", "wasmhub_magics")

    def run(cell: str, request: Request) -> object:
        with capture_output():
            shell.run_cell(cell).raise_error()
        return shell.user_ns["probe"].send(request)

    return run


def swap_envoy() -> Entry:
    """From deploy to the new code serving in a running Envoy, under constant load."""
    versions = [build(VERSIONED.format(version=n), name="versioned") for n in range(8)]
    url = versions[0].deploy("envoy").url
    swaps: list[tuple[float, float]] = []
    try:
        with Load(url, Request(), rate=200, seconds=8) as load:
            for version, made in enumerate(versions[1:], 1):
                swap = serving_after(url, made, str(version))
                if not load.running:  # this one was not under load
                    break
                swaps.append(swap)
            sent = load.wait()
    finally:
        undeploy("versioned")
    if not swaps:
        raise SystemExit("swap.envoy: no swap was over before the load ended")
    whole, inside = [each[0] for each in swaps], median(each[1] for each in swaps)
    sides = {
        "slowest_ms": max(whole),
        "swap_alone_ms": inside,
        "swaps": len(swaps),
        "requests": len(sent.replies),
        "failed": sent.failed,
    }
    note = f"{sent.failed} of {len(sent.replies)} requests failed; {inside:.0f} ms in Envoy, the rest checks"
    return Entry(median(whole), "ms", sides, note)


def hub_push() -> Entry:
    """A push of a 20 MB module, beside a bare PUT of as many bytes into the same registry."""
    return beside(moved()[0], "PUT")


def hub_pull() -> Entry:
    """A pull of a 20 MB module, beside a bare GET of as many bytes from the same registry."""
    return beside(moved()[1], "GET")


def beside(figure: Moved, verb: str) -> Entry:
    """The ratio to the leanest client, and in the note that to the library that everybody uses."""
    seconds = asdict(figure)
    note = (
        f"{figure.ours * 1000:.0f} ms; bare {verb} {figure.bare * 1000:.0f} ms by http.client, "
        f"{figure.library * 1000:.0f} ms by requests (so {figure.ours / figure.library:.2f} of that); "
        f"of the bare one takes a plain client {figure.checked / figure.bare:.2f} with one sha256, "
        f"{figure.whole / figure.bare:.2f} with two and all requests of an image"
    )
    if verb == "GET":
        note += f"; ours {figure.used / figure.bare:.2f} with the module's own sha256 too"
    sides = {f"{side}_ms": value * 1000 for side, value in seconds.items()}
    return Entry(figure.ratio, "ratio", sides | {"library_ratio": figure.ours / figure.library}, note)


def hub_search() -> Entry:
    """A search among 10,000 images in the local index."""
    middle, slowest = searched()
    return Entry(middle, "ms", {"slowest_ms": slowest}, f"slowest {slowest:.1f} ms, 10,000 images")


def memory_after(loop: Loop) -> int:
    return loop.host_after + sum(loop.memory_after)


def throughput(made: Filter, count: int) -> Entry:
    with Proxy([made.plugin], trace=False) as proxy:
        request = simple_request()
        proxy.loop(request, max(count // 10, 1))
        untimed, clocked = [], []
        for _ in range(5):  # the best is what a core can do while nobody else wants it
            untimed.append(proxy.loop(request, count).rate)
            clocked.append(proxy.loop(request, count, timed=True).rate)
    sides = {
        "untimed_per_second": max(untimed),
        "timed_per_second": max(clocked),
        "untimed_median_per_second": median(untimed),
        "timed_median_per_second": median(clocked),
    }
    note = f"timed {short(max(clocked))}; medians of 5: {short(median(untimed))}, {short(median(clocked))}"
    return Entry(max(untimed), "exchanges/s", sides, note)


def timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def serving_after(url: str, made: Filter, version: str) -> tuple[float, float]:
    """Milliseconds from the call of deploy to the first answer of the new code, and of the swap alone."""
    address = urlsplit(url).netloc
    start = time.perf_counter()
    done = threading.Event()
    seen: list[float] = []

    def watch() -> None:
        connection = http.client.HTTPConnection(address, timeout=5)
        with contextlib.closing(connection):
            while not done.is_set():
                connection.request("GET", "/")
                answer = connection.getresponse()
                answer.read()
                if answer.getheader("x-version") == version:
                    seen.append(time.perf_counter() - start)
                    return
                time.sleep(0.002)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        deployment = made.deploy("envoy")
        watcher.join(10)
    finally:
        done.set()
    if not seen:
        raise SystemExit(f"swap.envoy: version {version} did not serve within 10 s of its deployment")
    return seen[0] * 1000, deployment.swap_seconds * 1000


ENTRIES: dict[str, Callable[[], Entry]] = {
    "embedded.simple": embedded_simple,
    "embedded.python": embedded_python,
    "embedded.flat": embedded_flat,
    "embedded.vs_envoy": embedded_vs_envoy,
    **LIMITS,
    **STARTS,
    "loop.c": loop_c,
    "loop.python": loop_python,
    "swap.envoy": swap_envoy,
    "hub.push": hub_push,
    "hub.pull": hub_pull,
    "hub.search": hub_search,
    **SCREENS,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which to run: {', '.join(ENTRIES)}")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "bench.json", metavar="FILE")
    options = parser.parse_args()
    unknown = set(options.names) - set(ENTRIES)
    if unknown:
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    # Servers and browsers end with their context managers, which the signal's default would pass by.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    found: dict[str, Entry] = {}
    failed = []
    print(f"{'benchmark':<20}{'value':>12}  {'unit':<22}notes")
    for name in options.names or ENTRIES:
        try:
            entry = found[name] = ENTRIES[name]()
        except WasmhubError as error:
            failed.append(name)
            print(f"{name:<20}{'failed':>12}  {error}", flush=True)
        else:
            print(f"{name:<20}{number(entry.value):>12}  {entry.unit:<22}{entry.note}", flush=True)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(
        json.dumps({title: asdict(entry) for title, entry in found.items()}, indent=2) + "\n"
    )
    print(f"written: {options.out}")
    return 1 if failed else 0


def number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


if __name__ == "__main__":
    sys.exit(main())
