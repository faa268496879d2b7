"""Watching a rollout: requests as an access log notes them, until they say which version is better."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from ..errors import DeployError
from .bounds import difference
from .deployment import Deployment
from .rollout import FEW, Arm, Rollout, Rules, Tick, failing, slower
from .seen import Seen

__all__ = ["FileWitness", "Trial", "Verdict", "Witness", "arm_line", "nothing_there"]

TICK_SECONDS = 0.5


class Witness(Protocol):
    """Who tells of requests."""

    grain: int
    """Microseconds by which a latency may be more than its figure says."""
    lag: float
    """Seconds until a request is told of at the latest."""

    def read(self) -> Iterable[Seen]:
        """The requests since the last call."""
        ...


class FileWitness:
    """A file with a line for each request, and who reads such a line."""

    grain, lag = 0, 0.0

    def __init__(self, file: Path, reads: Callable[[str], Seen | None]) -> None:
        self._file, self._offset, self._rest = file, 0, b""
        self._reads = reads

    def read(self) -> Iterable[Seen]:
        """The requests of all lines that have come since."""
        try:
            with self._file.open("rb") as file:
                file.seek(self._offset, os.SEEK_SET)
                data = file.read()
        except FileNotFoundError:
            return
        self._offset += len(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            seen = self._reads(line.decode("ascii", "replace"))
            if seen is not None:
                yield seen


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was seen of both versions, and whether the new one is as good, with the reason."""

    good: bool
    reason: str
    percent: int
    ticks: tuple[Tick, ...]
    stable: Arm
    canary: Arm

    def rollout(self, start: float, deployment: Deployment) -> Rollout:
        """The rollout that it ends, which began at ``start`` by ``time.perf_counter``."""
        seconds = time.perf_counter() - start
        return Rollout(
            self.good, self.reason, self.percent, seconds, self.stable, self.canary, self.ticks, deployment
        )


@dataclass(frozen=True, slots=True)
class Trial:
    """How a new version is tried: its share of the requests, for how long, and what takes it back.

    ``progress`` is told of each interval. Raises DeployError where ``percent`` is no share.
    """

    percent: int = 10
    seconds: float = 30.0
    rules: Rules = field(default_factory=Rules)
    progress: Callable[[Tick], object] | None = None

    def __post_init__(self) -> None:
        if not 0 < self.percent < 100:
            raise DeployError(f"{self.percent} per cent is no share", do="give 1 to 99")

    def watch(self, witness: Witness) -> Verdict:
        """Read what both versions do for a time, or until it is clear that the new one is worse."""
        start = time.monotonic()
        end = start + self.seconds + witness.lag
        ticks: list[Tick] = []
        seen: list[Seen] = []
        while True:
            time.sleep(min(TICK_SECONDS, max(0.0, end - time.monotonic())))
            now = time.monotonic() - start
            new = tuple(witness.read())
            seen += new
            ticks.append(Tick(now, _arm(new, "stable"), _arm(new, "canary")))
            if self.progress is not None:
                self.progress(ticks[-1])
            stable, canary = _arm(seen, "stable"), _arm(seen, "canary")
            found = _judged(stable, canary, self.rules, witness.grain, over=now >= end - start)
            if found is not None:
                return Verdict(*found, self.percent, tuple(ticks), stable, canary)


def nothing_there(name: str, where: str = "") -> DeployError:
    """The error for a canary of what is not deployed."""
    return DeployError(
        f"{name} is not deployed, so there is nothing to compare it with",
        where=where,
        do="deploy it once without a canary",
    )


def _judged(stable: Arm, canary: Arm, rules: Rules, grain: int, *, over: bool) -> tuple[bool, str] | None:
    # a first request may be slow for once, a failed one counts at once
    bad = failing(stable, canary, rules) or (slower(stable, canary, rules, grain) if over else "")
    if bad:
        return False, bad
    if not over:
        return None
    few, enough = min(stable.requests, canary.requests), max(rules.enough, FEW)
    if few < enough:
        return False, f"{few} requests met one of the versions, and {enough} are needed to judge"
    low, high = difference((canary.errors, canary.requests), (stable.errors, stable.requests))
    return True, f"it did as well as the old version ({low:+.1%} to {high:+.1%} failed requests)"


def _arm(seen: Sequence[Seen], name: str) -> Arm:
    mine = [each for each in seen if each.arm == name]
    return Arm(
        len(mine), sum(each.status >= 500 for each in mine), tuple(sorted(each.micros for each in mine))
    )


def arm_line(line: str) -> Seen | None:
    """A line of ``stable`` or ``canary``, the status, microseconds."""
    arm, _, numbers = line.partition(" ")
    status, _, micros = numbers.partition(" ")
    if arm not in ("stable", "canary") or not status.isdecimal():
        return None
    took = int(micros) if micros.isdecimal() else 0
    return Seen("canary" if arm == "canary" else "stable", int(status), took)
