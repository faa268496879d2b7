"""An Envoy whose filters can be swapped while it serves."""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
import threading
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from ..errors import EnvoyError, EnvoyRejected
from ..http import Response
from ..plugin import Plugin
from ..proxy.exchange import LogLine
from . import config
from .barrier import Barrier
from .binary import find_envoy
from .log import Entry, filter_lines
from .patience import Patience
from .process import EnvoyProcess
from .reasons import reason

__all__ = ["EnvoyServer", "Swap", "replace_file"]

WORKER_SECONDS = 5.0
LOOK_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Swap:
    """A hot swap that is live, ``seconds`` after the call; ``version`` counts swaps of slots."""

    seconds: float
    version: int

    def __repr__(self) -> str:
        return f"<Swap to version {self.version} in {self.seconds * 1000:.1f} ms>"


@dataclass(frozen=True, slots=True)
class _Place:
    """What one slot of the filter chain holds."""

    plugin: Plugin | None = None
    vm_id: str = ""
    version: int = 0


class EnvoyServer:
    """Envoy on loopback with a chain of slots, each empty or with one filter in it.

    ``upstream`` is the address of a server, a fixed response that Envoy gives by itself, or None for an echo
    inside Envoy. ``slots`` is the number of places, at least one and never fewer than the plugins; ``port`` 0
    takes a free one. A filter has ``start_timeout`` seconds to start and configure itself. ``clusters`` are
    the ports on loopback of clusters that filters can call; ``http2`` names those that speak it,
    ``upstream_http2`` says whether the upstream does. Raises EnvoyError where Envoy does not start,
    EnvoyRejected where it refuses a plugin.
    """

    split = False
    """Whether each slot has a second one."""

    def __init__(
        self,
        plugins: Sequence[Plugin] = (),
        upstream: tuple[str, int] | Response | None = None,
        *,
        slots: int = 0,
        port: int = 0,
        access_log: bool = False,
        log_level: str = "info",
        start_timeout: float = 30.0,
        clusters: Mapping[str, int] | None = None,
        http2: Collection[str] = (),
        upstream_http2: bool = False,
    ) -> None:
        self.lock = threading.RLock()
        self.version = 0
        self.start_timeout = start_timeout
        self._places = [_Place(p, p.vm_id) for p in plugins]
        self._places += [_Place()] * (max(1, slots) - len(plugins))
        self._slots = len(self._places)
        if self.split:
            self._places += [_Place()] * self._slots
        self._main: tuple[Entry, ...] = ()
        directory = Path(tempfile.mkdtemp(prefix="wasmhub-envoy-"))
        try:
            binary = find_envoy()
            filters = [self._write(directory, number, place) for number, place in enumerate(self._places)]
            filters = self._chain(directory, filters)
            extra: list[config.Json] = []
            if isinstance(upstream, tuple):
                cluster = config.cluster(*upstream, http2=upstream_http2)
            else:
                extra = [config.echo_in_envoy() if upstream is None else config.fixed_in_envoy(upstream)]
                cluster = config.cluster(listener="upstream")
            bootstrap = config.bootstrap(
                filters,
                cluster,
                port=port,
                buffer_bytes=min((p.limits.body_bytes for p in plugins), default=1 << 20),
                access_log=access_log,
                extra=extra,
                clusters=[
                    config.cluster(config.HOST, port, name=name, http2=name in http2)
                    for name, port in (clusters or {}).items()
                ],
                split=directory if self.split else None,
            )
        except BaseException:
            shutil.rmtree(directory, ignore_errors=True)
            raise
        try:
            self.process = EnvoyProcess(
                binary, bootstrap, directory, log_level=log_level, start_timeout=start_timeout
            )
        except BaseException as error:
            shutil.rmtree(directory, ignore_errors=True)
            if isinstance(error, EnvoyError) and "Address already in use" in str(error):
                raise EnvoyError(
                    f"port {port} on {config.HOST} is in use",
                    do="choose another port, or none to get a free one",
                ) from None
            raise
        self.barrier = Barrier(self.process.ports["barrier"])
        try:
            self._accepted(range(len(self._places)), {}, 0)
            self.barrier.wait(WORKER_SECONDS)
        except BaseException:
            self.close()
            raise

    @property
    def port(self) -> int:
        """The port where it serves."""
        return self.process.ports["main"]

    @property
    def url(self) -> str:
        """The address where it serves."""
        return f"http://{config.HOST}:{self.port}"

    @property
    def running(self) -> bool:
        """Whether its process is alive."""
        return self.process.running

    @property
    def plugins(self) -> tuple[Plugin, ...]:
        """The filters in order, empty slots left out."""
        return tuple(place.plugin for place in self._places if place.plugin is not None)

    @property
    def slots(self) -> int:
        """How many filters have room."""
        return self._slots

    def filled(self, slot: int) -> bool:
        """Whether a filter is in that slot."""
        return self._places[slot].plugin is not None

    def swap(self, changes: Mapping[int, Plugin | None]) -> Swap:
        """Put plugins into slots, or None to empty one, and wait until the new code serves.

        No request fails on the way. Raises EnvoyRejected with Envoy's reason where it refuses a plugin; what
        served before then goes on serving, in all slots.
        """
        start = time.perf_counter()
        with self.lock:
            self._alive()
            before = list(self._places)
            tried: list[int] = []
            try:
                for number, plugin in changes.items():
                    tried.append(number)
                    self._put(number, plugin)
                self.barrier.wait(WORKER_SECONDS)
            except BaseException:
                for number in tried:
                    self._restore(number, before[number])
                raise
            finally:
                self._tidy()
            return Swap(time.perf_counter() - start, self.version)

    def lines(self, entries: Iterable[Entry], *, canary: bool = False) -> tuple[LogLine, ...]:
        """The lines that filters logged there; the canary's are wanted where no worker came to run."""
        names = [(place.plugin, place.vm_id) for place in self._places if place.plugin is not None]
        return filter_lines(entries, names, without=-1 if canary else self.process.pid)

    def close(self) -> None:
        """Stop Envoy and remove its files; a second call does nothing."""
        self.barrier.close()
        self.process.stop()

    def _chain(self, directory: Path, filters: list[config.Json]) -> list[config.Json]:  # noqa: ARG002
        return filters

    def _name(self, number: int) -> str:
        return f"slot-{number}"

    def _alive(self) -> None:
        if not self.running:
            raise EnvoyError(
                "Envoy is not running any more", where=self.process.log.tail(), do="start a new one"
            )

    def _put(self, number: int, plugin: Plugin | None) -> None:
        self.version += 1
        vm_id = "" if plugin is None else plugin.vm_id or f"version-{self.version}"
        place = _Place(plugin, vm_id, self.version)
        self.process.drain()
        mark, refused = self.process.log.count, self._refusals(number)
        self._places[number] = place
        self._write(self.process.directory, number, place)
        self._accepted([number], refused, mark)

    def _restore(self, number: int, place: _Place) -> None:
        """Put a slot back; the same content in the same virtual machine, so nothing can refuse it."""
        self._places[number] = place
        if not self.running:
            return
        with contextlib.suppress(EnvoyError):
            self._write(self.process.directory, number, place)
            self._accepted([number], self._refusals(number), self.process.log.count)

    def _write(self, directory: Path, number: int, place: _Place) -> config.Json:
        """Write the file that Envoy watches for this slot; only a rename wakes it."""
        name = self._name(number)
        path = directory / f"{name}.json"
        filter_config = None
        if place.plugin is not None:
            module = place.plugin.module
            code = directory / f"{module.digest.removeprefix('sha256:')}.wasm"
            if not code.exists():
                replace_file(code, module.data)
            filter_config = config.wasm_filter(place.plugin, code, place.vm_id)
        content = config.resource(name, str(place.version), filter_config)
        replace_file(path, json.dumps(content).encode())
        return config.slot(name, path)

    def _accepted(self, numbers: Iterable[int], refused: Mapping[str, int], mark: int) -> None:
        """Wait until Envoy has taken what the slots say. Raises EnvoyRejected where it refuses."""
        patience = self.process.patience(self.start_timeout)
        for number in numbers:
            wanted = str(self._places[number].version)
            while True:
                stats = self._slot_stats(number, patience)
                if stats.get("version_text") == wanted:
                    break
                for kind in ("update_rejected", "update_failure"):
                    if int(stats.get(kind, 0)) > refused.get(kind, 0):
                        self._refuse(number, mark)
                if patience.left <= 0:
                    self._give_up(number)
                time.sleep(0.001)

    def _refuse(self, number: int, mark: int) -> NoReturn:
        self.process.drain()
        entries = self.process.log.since(mark)
        plugin = self._places[number].plugin
        raise reason(plugin, entries, self.lines(entries, canary=True))

    def _give_up(self, number: int) -> NoReturn:
        """End an Envoy whose main thread a filter holds: it would take no other filter either."""
        self.close()
        raise EnvoyRejected(
            f"{self._places[number].plugin!r} is not configured after {self.start_timeout:g} s",
            where="proxy_on_vm_start or proxy_on_configure",
            do="look for an endless loop there",
        )

    def _refusals(self, number: int) -> dict[str, int]:
        stats = self._slot_stats(number, self.process.patience(self.start_timeout))
        return {kind: int(stats.get(kind, 0)) for kind in ("update_rejected", "update_failure")}

    def _slot_stats(self, number: int, patience: Patience) -> dict[str, int | str]:
        prefix = f"extension_config_discovery.http_filter.{self._name(number)}."
        while True:
            if (left := patience.left) <= 0:
                self._give_up(number)
            with contextlib.suppress(EnvoyError):
                stats = self.process.stats("^" + prefix.replace(".", r"\."), timeout=max(LOOK_SECONDS, left))
                return {key.removeprefix(prefix): value for key, value in stats.items()}
            self._alive()

    def _tidy(self) -> None:
        used = {p.plugin.module.digest.removeprefix("sha256:") for p in self._places if p.plugin is not None}
        for file in self.process.directory.glob("*.wasm"):
            if file.stem not in used:
                file.unlink(missing_ok=True)


def replace_file(path: Path, data: bytes) -> None:
    """Put a file in place of another at once, which wakes an Envoy that watches it."""
    partial = path.with_suffix(".partial")
    partial.write_bytes(data)
    partial.replace(path)
