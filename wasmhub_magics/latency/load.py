"""Load at a constant rate, by h2load: what the latency of the real Envoy is measured with."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Self

from ..errors import EnvoyError, RequestError
from ..http import Request
from .histogram import Histogram
from .mix import Mix

__all__ = ["Load", "Reply", "Sent", "run_load", "run_mix"]

_GRACE = 5.0  # seconds to wait for late answers


@dataclass(frozen=True, slots=True)
class Reply:
    """One request: when it was sent (seconds since the epoch), its status (-1: none), how long it took."""

    sent: float
    status: int
    ns: int


@dataclass(frozen=True)
class Sent:
    """What a load run saw, in the order of the answers.

    ``interval_ns`` lies between two requests of one connection. ``parts`` are the runs side by side of which
    this one is made, each with an interval of its own.
    """

    replies: tuple[Reply, ...]
    interval_ns: float
    unanswered: int = 0
    parts: tuple[Sent, ...] = ()

    @classmethod
    def merged(cls, parts: Sequence[Sent]) -> Sent:
        """Runs that took place at the same time, as one."""
        if len(parts) == 1:
            return parts[0]
        replies = sorted((reply for part in parts for reply in part.replies), key=lambda reply: reply.sent)
        return cls(tuple(replies), 0.0, sum(part.unanswered for part in parts), tuple(parts))

    @cached_property
    def histogram(self) -> Histogram:
        """Latencies of the answered requests, corrected for coordinated omission.

        h2load measures from the moment it sends; a connection with a late answer sends late, so what the
        late requests would have seen is added (``Histogram.corrected``).
        """
        if self.parts:
            return Histogram.merged([part.histogram for part in self.parts])
        return Histogram.of(reply.ns for reply in self.replies if reply.status >= 0).corrected(
            self.interval_ns
        )

    @property
    def failed(self) -> int:
        """How many requests failed: without an answer, or with a 5xx."""
        return self.unanswered + sum(reply.status >= 500 for reply in self.replies)

    @property
    def statuses(self) -> tuple[tuple[int, int], ...]:
        """(status, count), -1 for requests without an answer."""
        counts = Counter(reply.status for reply in self.replies if reply.status >= 0)
        if self.unanswered:
            counts[-1] = self.unanswered
        return tuple(sorted(counts.items()))


class Load:
    """Requests to a URL at a constant rate, sent by h2load in the background until they are all answered.

    ``rate`` is in requests a second over all ``connections``. Use it in a ``with`` block: leaving it ends
    h2load and removes its files. Raises EnvoyError where h2load is not on this machine, RequestError for a
    rate or a time that is not above 0.
    """

    def __init__(
        self, url: str, request: Request, *, rate: float, seconds: float, connections: int | None = None
    ) -> None:
        if not (rate > 0 and seconds > 0 and (connections is None or connections > 0)):
            raise RequestError(
                f"no load can be made of {rate} requests a second for {seconds} seconds",
                do="give a rate, seconds and connections above 0",
            )
        program = shutil.which("h2load")
        if program is None:
            raise EnvoyError(
                "h2load, which sends requests at a constant rate, is not on this machine",
                where="PATH",
                do="install it: apt-get install nghttp2-client (macOS: brew install nghttp2)",
            )
        self.seconds = seconds
        self.requests = max(1, round(rate * seconds))
        self.connections = min(connections or max(1, min(10, round(rate / 50))), self.requests)
        self.interval_ns = self.connections * 1e9 / rate
        self._folder = tempfile.TemporaryDirectory(prefix="wasmhub-load-")
        self._log = Path(self._folder.name, "log")
        self._output = Path(self._folder.name, "output")
        command = [
            program,
            "--h1",
            f"--clients={self.connections}",
            f"--rps={rate / self.connections}",
            *_spread(rate, self.connections),
            f"--requests={self.requests}",
            f"--log-file={self._log}",
            *_options(request, Path(self._folder.name, "body")),
            url.rstrip("/") + request.path if request.path.startswith("/") else url,
        ]
        try:
            with self._output.open("wb") as output:
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        except BaseException:
            self._folder.cleanup()
            raise
        self._deadline = time.monotonic() + seconds + _GRACE

    @property
    def running(self) -> bool:
        """Whether h2load is still at it."""
        return self._process.poll() is None

    def wait(self) -> Sent:
        """Wait until all requests are answered and tell what was seen.

        A request counts as unanswered where no answer came within some seconds after the end, and where it
        could not be sent because its connection was closed: h2load does not open a lost one again.
        Raises EnvoyError where nothing was answered at all.
        """
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(max(self._deadline - time.monotonic(), 0.1))
        self._end(signal.SIGTERM)
        replies = _read(self._log)
        answered = sum(reply.status >= 0 for reply in replies)
        if not answered:
            raise EnvoyError(
                f"none of {self.requests:,} requests was answered",
                where=_complaint(self._output.read_text(errors="replace")),
                do="look whether the proxy is up: its log tells why",
            )
        return Sent(replies, self.interval_ns, max(self.requests - answered, 0))

    def close(self) -> None:
        """End h2load and remove its files; a second call does nothing."""
        self._end(signal.SIGKILL)
        self._folder.cleanup()

    def _end(self, how: signal.Signals) -> None:
        for step in (how, signal.SIGKILL):
            if self._process.poll() is not None:
                return
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, step)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(2)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def run_load(
    url: str, request: Request, *, rate: float, seconds: float, connections: int | None = None
) -> Sent:
    """Send requests to a URL at a constant rate for some seconds, and wait. Raises as ``Load`` does."""
    with Load(url, request, rate=rate, seconds=seconds, connections=connections) as load:
        return load.wait()


def run_mix(url: str, mix: Mix, *, rate: float, seconds: float, connections: int | None = None) -> Sent:
    """Send the requests of a mix at the same time, each at its share of the rate. Raises as ``Load`` does.

    Each has connections of its own, by its share and at least one.
    """
    with contextlib.ExitStack() as stack:
        loads = []
        for request, share in mix.shares:
            own = None if connections is None else max(1, round(share * connections))
            load = Load(url, request, rate=share * rate, seconds=seconds, connections=own)
            loads.append(stack.enter_context(load))
        return Sent.merged([load.wait() for load in loads])


def _spread(rate: float, connections: int) -> list[str]:
    """Open the connections one by one: those opened at once would all send at the same moments."""
    if connections == 1:
        return []
    period = max(1, round(1000 / rate))
    return [f"--rate={max(1, round(rate * period / 1000))}", f"--rate-period={period}ms"]


def _options(request: Request, body: Path) -> list[str]:
    """The request as h2load's options: pseudo-headers say what its defaults would get wrong."""
    pairs = [(":method", request.method), (":authority", request.authority), *request.headers.pairs]
    options = [f"--header={name}: {value}" for name, value in pairs if name != "content-length"]
    if request.body:
        body.write_bytes(request.body)
        options.append(f"--data={body}")
    return options


def _complaint(output: str) -> str:
    words = ("fail", "error", "refused", "invalid")
    lines = [line.strip() for line in output.splitlines() if any(word in line.lower() for word in words)]
    return lines[0] if lines else ""


def _read(log: Path) -> tuple[Reply, ...]:
    if not log.exists():
        return ()
    replies = []
    for line in log.read_text().splitlines():
        fields = line.split("\t")
        if len(fields) >= 3:
            replies.append(Reply(int(fields[0]) / 1e6, int(fields[1]), int(fields[2]) * 1000))
    return tuple(replies)
