"""A running Envoy as its admin interface shows it: statistics, configuration, log level, filters."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from ..errors import DeployError

__all__ = ["LEVELS", "FilterState", "Running", "adopt"]

SECONDS = 10.0
LEVELS = ("trace", "debug", "info", "warning", "error", "critical", "off")
DISCOVERED = "extension_config_discovery.http_filter."


@dataclass(frozen=True, slots=True)
class FilterState:
    """What an Envoy counts of one filter, since it runs.

    ``taken`` and ``refused`` count configurations. ``reloads``, ``reload_failures`` and ``waits`` count the
    virtual machines that were made anew after a failure, those that could not be, and requests in between.
    ``traps`` are failed callbacks, as far as its log is read here.
    """

    name: str
    taken: int = 0
    refused: int = 0
    reloads: int = 0
    reload_failures: int = 0
    waits: int = 0
    traps: int = 0


class Running:
    """An Envoy by its admin interface. Every method raises DeployError where that does not answer."""

    def __init__(self, ask: Callable[[str, str], str], place: str) -> None:
        self._ask = ask
        self.place = place

    def stats(self, pattern: str = "") -> dict[str, int | str]:
        """Counters, gauges and texts whose name matches a regular expression."""
        told = json.loads(self._ask(f"/stats?format=json&filter={quote(pattern)}", "GET"))
        return {each["name"]: each["value"] for each in told["stats"] if "name" in each and "value" in each}

    def config(self) -> dict[str, Any]:
        """The configuration at work, as ``/config_dump`` gives it: a list of parts under ``configs``."""
        told: dict[str, Any] = json.loads(self._ask("/config_dump", "GET"))
        return told

    def at_work(self) -> list[dict[str, Any]]:
        """The listeners and the discovered extensions in that configuration, without the rest of it."""
        found: list[dict[str, Any]] = []
        for part in ("static_listeners", "dynamic_listeners", "ecds_filters"):
            try:
                told = json.loads(self._ask(f"/config_dump?resource={part}", "GET"))
            except DeployError as error:
                if "not found in config dump" not in error.what:
                    raise
            else:
                found += told.get("configs", [])
        return found

    def log_level(self, level: str = "", *, component: str = "wasm") -> str:
        """The level of a component of its log, set first where one is given. Raises DeployError."""
        if level and level not in LEVELS:
            raise DeployError(f"there is no log level {level!r}", do=f"use one of: {', '.join(LEVELS)}")
        if level:
            self._ask(f"/logging?{component}={level}", "POST")
        found = re.search(rf"^\s*{re.escape(component)}: (\w+)$", self._ask("/logging", "POST"), re.MULTILINE)
        if found is None:
            raise DeployError(f"its log has no component {component!r}", where=self.place)
        return found[1]

    def runtime(self, key: str, value: int) -> None:
        """Set a key of its runtime, where it has a layer for that."""
        self._ask(f"/runtime_modify?{quote(key)}={value}", "POST")

    def filters(self) -> tuple[FilterState, ...]:
        """Its Wasm filters by the names of their plugins, and the discovered extensions it has."""
        counts = self.stats(rf"^(wasm\..*\.vm_reload|{re.escape(DISCOVERED)})")
        names = {key.split(".")[1] for key in counts if key.startswith("wasm.")}
        names |= {key.removeprefix(DISCOVERED).rpartition(".")[0] for key in counts if DISCOVERED in key}
        return tuple(self.counted(name, counts) for name in sorted(names - {"envoy"}))

    def counted(
        self, name: str, counts: dict[str, int | str], *, slot: str = "", traps: int = 0
    ) -> FilterState:
        """One filter out of these counts; ``slot`` is the name of its extension, if that is another."""

        def count(key: str) -> int:
            return int(counts.get(key, 0))

        discovered, reload = f"{DISCOVERED}{slot or name}.", f"wasm.{name}.vm_reload_"
        return FilterState(
            name,
            count(discovered + "config_reload"),
            count(discovered + "update_rejected") + count(discovered + "config_fail"),
            count(reload + "success"),
            count(reload + "failure"),
            count(reload + "backoff"),
            traps,
        )

    def folder(self, name: str) -> str:
        """The directory where it reads the discovered extension of that name; empty where it reads none."""
        for each in _discoveries(self.config()):
            path = ((each.get("config_discovery") or {}).get("config_source") or {}).get("path_config_source")
            if each.get("name") == name and path:
                return str(path.get("path", "")).rpartition("/")[0]
        return ""

    def listener_file(self) -> str:
        """The file where it reads its listeners; empty where it gets them otherwise."""
        for part in self.config()["configs"]:
            resources = (part.get("bootstrap") or {}).get("dynamic_resources") or {}
            if source := (resources.get("lds_config") or {}).get("path_config_source"):
                return str(source.get("path", ""))
        return ""

    def __repr__(self) -> str:
        names = ", ".join(each.name for each in self.filters()) or "none"
        return f"<an Envoy at {self.place}, filters: {names}>"


def adopt(admin: str) -> Running:
    """An Envoy that somebody else started, by the address of its admin interface.

    What it reads from a directory is deployed to by ``deploy(filter, "directory", admin=...)``. Raises
    DeployError where nobody answers there.
    """
    parts = urlsplit(admin if "://" in admin else f"http://{admin}")

    def ask(path: str, method: str) -> str:
        try:
            connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=SECONDS)
            try:
                connection.request(method, path)
                answer = connection.getresponse()
                body = answer.read().decode("utf-8", "replace")
            finally:
                connection.close()
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise DeployError(
                f"the proxy's admin interface does not answer: {error}", where=admin, do="check its address"
            ) from None
        if answer.status != http.client.OK:
            raise DeployError(
                f"the proxy's admin interface answers {answer.status}: {body.strip()[:200]}",
                where=f"{admin}{path}",
                do="check that it is an Envoy's",
            )
        return body

    running = Running(ask, admin)
    try:
        running.stats("^server.live$")
    except (ValueError, KeyError, TypeError):
        raise DeployError("this is no Envoy's admin interface", where=admin, do="check its address") from None
    return running


def _discoveries(value: Any) -> Iterator[dict[str, Any]]:
    """Every element with a ``config_discovery``, however deep."""
    if isinstance(value, dict):
        if "config_discovery" in value:
            yield value
        for inner in value.values():
            yield from _discoveries(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _discoveries(inner)
