"""Envoy's own log, taken apart: which line a filter wrote, and which one Envoy wrote about it."""

from __future__ import annotations

import re
import secrets
import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

from ..plugin import Plugin
from ..proxy.exchange import LogLevel, LogLine

__all__ = ["TRAP", "Entry", "EnvoyLog", "filter_lines"]

LEVELS = {"warning": "warn", "off": "critical"}
KEPT = 20_000
KEPT_SIZE = 16 << 20
TRAP = "Function: "
FRAME = re.compile(r"(0x[0-9a-f]+) - .+\(function index:(\d+)\)")
RESTRICTED = "Attempted call to restricted "
LONGEST = 1 << 20


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of Envoy's log; ``number`` counts from 1 over the life of the process."""

    number: int
    level: str
    component: str
    thread: int
    text: str


class EnvoyLog:
    """Envoy's log as it comes: bytes go in, entries come out.

    A mark that nobody can guess stands before and after each entry, so a message of several lines stays one
    entry, and a filter cannot forge one. The last 16 MiB are kept, at most 20,000 entries, of each the first
    MiB.
    """

    def __init__(self) -> None:
        self.mark = secrets.token_hex(8)
        self.entries: deque[Entry] = deque()
        self._size = 0
        self._lock = threading.Lock()
        self.stray: deque[str] = deque(maxlen=200)
        """What came outside of entries: crashes, and complaints of the loader."""
        self.count = 0
        self._rest = b""

    @property
    def format(self) -> str:
        """The value for Envoy's ``--log-format``."""
        return f"{self.mark}<%l|%n|%t|%v>{self.mark}"

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        opening, closing = f"{self.mark}<".encode(), f">{self.mark}\n".encode()
        with self._lock:
            rest, at = self._rest + data, 0
            while (start := rest.find(opening, at)) >= 0:
                end = rest.find(closing, start)
                if end < 0:
                    break
                self._stray(rest[at:start])
                self._entry(rest[start + len(opening) : end])
                at = end + len(closing)
            rest = rest[at:]
            if len(rest) > LONGEST + 4096:  # an entry without end: its head is enough, its end must be found
                rest = rest[:LONGEST] + rest[-4096:]
            self._rest = rest

    def since(self, number: int) -> tuple[Entry, ...]:
        """The entries after that number which are still kept."""
        fresh: list[Entry] = []
        with self._lock:
            for entry in reversed(self.entries):
                if entry.number <= number:
                    break
                fresh.append(entry)
        return tuple(reversed(fresh))

    def tail(self, count: int = 5) -> str:
        """The last words, for the message of an error."""
        with self._lock:
            words = [*self.stray, self._rest.decode("utf-8", "replace").strip()]
            words += [f"[{e.level}] {e.text}" for e in list(self.entries)[-count:]]
        return "\n".join(w for w in words[-2 * count :] if w)

    def _stray(self, data: bytes) -> None:
        self.stray.extend(line for line in data.decode("utf-8", "replace").splitlines() if line.strip())

    def _entry(self, data: bytes) -> None:
        level, component, thread, text = data.decode("utf-8", "replace").split("|", 3)
        self.count += 1
        number = int(thread) if thread.isdecimal() else 0
        self.entries.append(Entry(self.count, level, component, number, text))
        self._size += len(text)
        while len(self.entries) > KEPT or (self._size > KEPT_SIZE and len(self.entries) > 1):
            self._size -= len(self.entries.popleft().text)


def filter_lines(
    entries: Iterable[Entry], plugins: Iterable[tuple[Plugin, str]], *, without: int = -1
) -> tuple[LogLine, ...]:
    """What filters logged (``wasm log NAME ROOT_ID VM_ID: text``), and what Envoy says of their traps.

    ``plugins`` come with the VM id they run under. Root contexts leave the name out (``context.cc log``), so
    a line of a VM that several plugins share goes to the first. ``without`` is the main thread, where Envoy
    tries a configuration on a canary before a worker runs it: its lines would come several times.
    """
    prefixes: list[tuple[str, str]] = []
    owners = list(plugins)
    for plugin, vm_id in owners:
        root = [part for part in (plugin.root_id, vm_id) if part]
        prefixes.append((" ".join(["wasm log", plugin.name, *root]) + ": ", plugin.name))
        prefixes.append((" ".join(["wasm log", *root]) + ": ", plugin.name))
    prefixes.sort(key=lambda prefix: -len(prefix[0]))
    only = owners[0][0].name if len(owners) == 1 else ""
    lines = []
    for entry in entries:
        if entry.component != "wasm" or entry.thread == without:
            continue
        if entry.text.startswith((TRAP, RESTRICTED)):
            lines.append(LogLine("error", entry.text.rstrip("\n"), only or _trapped(entry.text, owners)))
            continue
        if not entry.text.startswith("wasm log"):
            continue
        level = cast("LogLevel", LEVELS.get(entry.level, entry.level))
        for prefix, name in prefixes:
            if entry.text.startswith(prefix):
                lines.append(LogLine(level, entry.text[len(prefix) :], name))
                break
        else:
            lines.append(LogLine(level, entry.text.partition(": ")[2]))
    return tuple(lines)


def _trapped(text: str, owners: list[tuple[Plugin, str]]) -> str:
    """The only plugin whose module has the places of a backtrace; empty where several have, or none."""
    frames = [(int(place, 16), int(index)) for place, index in FRAME.findall(text)]
    fit = {plugin.name for plugin, _ in owners if frames and all(_has(plugin, *each) for each in frames)}
    return fit.pop() if len(fit) == 1 else ""


def _has(plugin: Plugin, place: int, index: int) -> bool:
    contents = plugin.module.contents
    own = index - contents.imported_functions
    if not 0 <= own < len(contents.bodies):
        return False
    start, end = contents.bodies[own]
    return start <= place < end
