"""Loops measure, traces tell, and a fixed clock and seed repeat a run exactly."""

from __future__ import annotations

import os
import stat

import pytest

from wasmhub_magics.errors import RequestError
from wasmhub_magics.http import Request, Response
from wasmhub_magics.proxy import Proxy
from wasmhub_magics.proxy import compile as compiling


def test_a_loop_runs_every_exchange_and_counts_each_once(run):
    loop = run("request_headers add 0 x-a 1").loop(Request(), 5000, timed=True)
    assert loop.n == 5000
    assert sum(count for _, count in loop.buckets()) == 5000
    values = [value for value, _ in loop.buckets()]
    assert values == sorted(values)
    assert 50 < values[0] < 10_000_000
    assert loop.seconds > 0


def test_an_untimed_loop_has_no_histogram(run):
    assert not list(run("").loop(Request(), 10).buckets())


def test_a_loop_of_nothing_is_refused(run):
    with pytest.raises(RequestError):
        run("").loop(Request(), 0)


def test_the_hosts_memory_is_flat_over_a_loop():
    with Proxy([]) as proxy:
        request = Request(headers=[(f"x-{n}", "v") for n in range(20)])
        proxy.loop(request, 1000, upstream=Response(200, body="abc"))
        loop = proxy.loop(request, 100_000, upstream=Response(200, body="abc"))
    assert loop.host_before == loop.host_after


def test_a_loop_goes_on_after_a_trap(run):
    proxy = run("request_headers trap")
    assert proxy.loop(Request(), 100, upstream=Response(200)).n == 100
    assert proxy.send().response.status == 503


def test_a_loop_counts_fuel_where_the_proxy_does(run):
    loop = run("", fuel=True).loop(Request(), 100)
    assert loop.fuel > 0


def test_an_exchange_after_a_loop_is_as_before(run):
    proxy = run("request_headers log 2 hello")
    before = [line.message for line in proxy.send().log]
    proxy.loop(Request(), 10)
    after = proxy.send()
    assert [line.message.split(" ")[0] for line in after.log] == [m.split(" ")[0] for m in before]
    assert after.trace.callbacks


def test_a_trace_tells_callbacks_with_their_host_calls(run):
    trace = run("request_headers get 0 :path\nrequest_headers add 0 x-a 1").send(Request("GET", "/p")).trace
    headers = next(callback for callback in trace if callback.name == "proxy_on_request_headers")
    assert headers.plugin == "puppet"
    assert headers.arguments["end_of_stream"] == 1
    get = next(call for call in headers.calls if call.name == "proxy_get_header_map_value")
    assert (get.taken, get.given, get.status, get.arguments["map"]) == ((b":path",), (b"/p",), "Ok", 0)
    add = next(call for call in headers.calls if call.name == "proxy_add_header_map_value")
    assert add.taken == (b"x-a", b"1")
    assert headers.ns >= get.ns >= 0
    assert "proxy_get_header_map_value(map=request headers, key=':path') -> Ok '/p'" in str(trace)
    assert "<script>" not in trace._repr_html_()


def test_a_trace_escapes_what_a_filter_says(run):
    trace = run("request_headers log 2 <script>alert(1)</script>").send().trace
    assert "<script>" not in trace._repr_html_()


def test_without_a_trace_nothing_is_recorded(run):
    trace = run("", trace=False).send().trace
    assert not trace
    assert list(trace) == []


def test_a_trace_that_grows_too_long_is_cut_and_says_so(run, puppet):
    trace = run("request_headers flood 200000").send().trace
    assert trace.dropped > 0
    assert trace.callbacks[0].name == "proxy_on_context_create"


def test_a_fixed_clock_and_seed_repeat_a_run_byte_for_byte(run):
    script = "request_headers pairs 0\nrequest_headers prop request.time\nlog prop request.duration"
    runs = []
    for _ in range(2):
        proxy = run(script, clock=1_700_000_000, seed=7)
        runs.append([proxy.send(Request("POST", "/", body="x")) for _ in range(2)])
    assert runs[0] == runs[1]
    assert runs[0][0].received.headers["x-request-id"] != runs[0][1].received.headers["x-request-id"]


def test_other_seeds_make_other_request_ids(run):
    ids = {run("", seed=seed).send().received.headers["x-request-id"] for seed in (1, 2, None, None)}
    assert len(ids) == 4


@pytest.fixture
def fresh(tmp_path, monkeypatch):
    """An empty cache, in memory and on disk."""
    monkeypatch.setenv("WASMHUB_CACHE", str(tmp_path / "cache"))
    compiling._memory.clear()
    return tmp_path / "cache" / "code"


def works():
    with Proxy([]) as proxy:
        return proxy.send(upstream=Response(204)).response.status == 204


def test_compiled_code_is_kept_on_disk(fresh):
    assert works()
    kept = {path.name: path.read_bytes() for path in fresh.iterdir()}
    assert kept
    compiling._memory.clear()
    assert works()
    assert {path.name: path.read_bytes() for path in fresh.iterdir()} == kept


@pytest.mark.parametrize("damage", [b"", b"garbage", None])
def test_damaged_code_is_compiled_again(fresh, damage):
    assert works()
    for path in fresh.iterdir():
        raw = bytearray(path.read_bytes())
        raw[-100] ^= 1
        path.write_bytes(bytes(raw) if damage is None else damage)
    compiling._memory.clear()
    assert works()


def test_a_cache_that_cannot_be_written_breaks_nothing(fresh):
    fresh.parent.mkdir(parents=True)
    fresh.write_text("a file where the folder should be")
    assert works()
    fresh.unlink()
    fresh.mkdir()
    fresh.chmod(stat.S_IRUSR | stat.S_IXUSR)
    compiling._memory.clear()
    assert works()
    if os.geteuid():
        assert not list(fresh.iterdir())
