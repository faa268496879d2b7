"""Load by h2load against small servers that behave and misbehave."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest

from wasmhub_magics.errors import EnvoyError, RequestError
from wasmhub_magics.http import Request
from wasmhub_magics.latency.load import Load, run_load

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


@contextmanager
def server(answer: Callable[[int, bytes], bytes | None]) -> Iterator[str]:
    """An HTTP server; ``answer`` gets the number of a request and what came, None hangs up."""
    loop, count = asyncio.new_event_loop(), 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                size = next(
                    (int(x[15:]) for x in head.lower().split(b"\r\n") if x.startswith(b"content-length:")), 0
                )
                body = await reader.readexactly(size)
                count += 1
                reply = answer(count, head + body)
                if reply is None:
                    break
                writer.write(reply)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    listening = loop.run_until_complete(asyncio.start_server(serve, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    finally:
        loop.call_soon_threadsafe(lambda: (listening.close(), loop.stop()))
        thread.join()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0.01))
        loop.close()


def test_every_request_of_the_schedule_is_sent_and_counted() -> None:
    with server(lambda _, __: OK) as url:
        sent = run_load(url, Request(), rate=100, seconds=1, connections=2)
    assert len(sent.replies) == 100
    assert (sent.failed, sent.statuses) == (0, ((200, 100),))
    assert sent.histogram.count >= 100
    times = sorted(reply.sent for reply in sent.replies)
    assert times[-1] - times[0] == pytest.approx(1, abs=0.5)


def test_requests_are_spread_over_time_and_not_sent_in_bursts() -> None:
    with server(lambda _, __: OK) as url:
        sent = run_load(url, Request(), rate=100, seconds=1, connections=5)
    times = sorted(reply.sent for reply in sent.replies)
    gaps = [late - early for early, late in pairwise(times)]
    assert sum(gap > 0.002 for gap in gaps) > len(gaps) / 2


def test_the_request_arrives_as_it_was_given() -> None:
    seen: list[bytes] = []
    request = Request("PUT", "/items?id=1", {"x-user": "ada", "host": "shop.example"}, b"hello")
    with server(lambda _, came: seen.append(came) or OK) as url:
        run_load(url, request, rate=20, seconds=0.2)
    head = seen[0].lower()
    assert seen[0].startswith(b"PUT /items?id=1 HTTP/1.1\r\n")
    assert b"host: shop.example\r\n" in head
    assert b"x-user: ada\r\n" in head
    assert seen[0].endswith(b"\r\n\r\nhello")


def test_a_stall_shows_in_the_corrected_histogram() -> None:
    def answer(number: int, _: bytes) -> bytes:
        if number == 20:
            time.sleep(0.4)
        return OK

    with server(answer) as url:
        sent = run_load(url, Request(), rate=100, seconds=1, connections=1)
    slow = [reply.ns for reply in sent.replies if reply.ns > 200e6]
    assert len(slow) == 1
    assert sum(count for value, count in sent.histogram if value > 200e6) >= 15


def test_requests_whose_connection_is_cut_are_failures() -> None:
    with server(lambda number, _: None if number == 30 else OK) as url:
        sent = run_load(url, Request(), rate=100, seconds=1, connections=1)
    assert sent.failed == 100 - 29
    assert dict(sent.statuses) == {200: 29, -1: 71}


def test_answers_of_500_and_above_are_failures_and_others_are_not() -> None:
    def answer(number: int, _: bytes) -> bytes:
        return OK.replace(b"200 OK", b"503 No" if number % 4 == 0 else b"403 No")

    with server(answer) as url:
        sent = run_load(url, Request(), rate=80, seconds=0.5)
    assert sent.statuses == ((403, 30), (503, 10))
    assert sent.failed == 10


def test_nobody_at_the_address_is_an_error_that_says_so() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    with pytest.raises(EnvoyError, match="none of 10 requests was answered"):
        run_load(f"http://127.0.0.1:{port}", Request(), rate=50, seconds=0.2)


def test_a_missing_h2load_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(EnvoyError, match="apt-get install nghttp2-client"):
        run_load("http://127.0.0.1:1", Request(), rate=50, seconds=0.2)


@pytest.mark.parametrize(("rate", "seconds", "connections"), [(0, 1, 1), (-5, 1, 1), (5, 0, 1), (5, 1, 0)])
def test_an_impossible_rate_is_refused(rate: float, seconds: float, connections: int) -> None:
    with pytest.raises(RequestError, match="no load can be made"):
        Load("http://127.0.0.1:1", Request(), rate=rate, seconds=seconds, connections=connections)


def test_leaving_early_ends_h2load_and_removes_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def interrupted() -> None:
        with Load(url, Request(), rate=20, seconds=60) as load:
            children.append(load._process.pid)
            assert list(tmp_path.iterdir())
            raise KeyboardInterrupt

    children: list[int] = []
    with server(lambda _, __: OK) as url, pytest.raises(KeyboardInterrupt):
        interrupted()
    with pytest.raises(ProcessLookupError):
        os.kill(children[0], 0)
    assert not list(tmp_path.iterdir())


def test_h2load_lives_in_a_process_group_of_its_own() -> None:
    assert shutil.which("h2load"), "the tests of real load need h2load (apt-get install nghttp2-client)"
    with server(lambda _, __: OK) as url, Load(url, Request(), rate=20, seconds=5) as load:
        group = subprocess.run(["ps", "-o", "pgid=", str(load._process.pid)], capture_output=True, check=True)
        assert int(group.stdout) == load._process.pid != os.getpgrp()
