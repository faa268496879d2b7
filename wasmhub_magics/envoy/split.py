"""An Envoy that gives a share of its requests to another version of a filter.

Every slot has a second one right behind it, disabled, so that order is kept. While a share is diverted, a
route of its own, chosen by a runtime fraction, runs the second slot instead of the first.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from ..errors import EnvoyError
from .config import TYPE, Json
from .server import WORKER_SECONDS, EnvoyServer, replace_file

__all__ = ["SplitServer", "divided"]

ROUTES, ARMS = "routes.json", "arms.log"
VERSION = "http.main.rds.main.version_text"


class SplitServer(EnvoyServer):
    """An Envoy whose slots each have a second one: that of slot ``n`` has the number ``slots + n``."""

    split = True

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._routes = 0
        super().__init__(*arguments, **options)

    @property
    def arms(self) -> Path:
        """The file with one line for each request while a share is diverted: route, status, microseconds."""
        return self.process.directory / ARMS

    def divert(self, slot: int | None, percent: int = 0) -> None:
        """Let the second slot behind ``slot`` run instead for ``percent`` of the requests; None ends it.

        Raises EnvoyError where Envoy is not running.
        """
        with self.lock:
            self._alive()
            on = slot is not None
            self.process.admin(
                f"/runtime_modify?wasmhub.canary={percent if on else 0}&wasmhub.watch={100 if on else 0}",
                "POST",
            )
            self._write_routes(self.process.directory, slot)
            patience = self.process.patience(self.start_timeout)
            while self.process.stats(f"^{VERSION}$").get(VERSION) != str(self._routes):
                self._alive()
                if patience.left <= 0:
                    raise EnvoyError("Envoy does not take its routes", where=self.process.log.tail())
                time.sleep(0.001)
            self.barrier.wait(WORKER_SECONDS)

    def _chain(self, directory: Path, filters: list[Json]) -> list[Json]:
        self._write_routes(directory, None)
        spare = [{**each, "disabled": True} for each in filters[self.slots :]]
        return [each for pair in zip(filters, spare, strict=False) for each in pair]

    def _name(self, number: int) -> str:
        return f"slot-{number}" if number < self.slots else f"canary-{number - self.slots}"

    def _write_routes(self, directory: Path, slot: int | None) -> None:
        self._routes += 1
        pair = None if slot is None else (self._name(slot), self._name(slot + self.slots))
        replace_file(directory / ROUTES, json.dumps(_routes(str(self._routes), pair)).encode())


def divided(manager: Json, directory: Path) -> Json:
    """A connection manager that reads its routes from a file and can note what each request came to."""
    changed = {key: value for key, value in manager.items() if key != "route_config"}
    source = {"path_config_source": {"path": str(directory / ROUTES)}, "resource_api_version": "V3"}
    line = "%ROUTE_NAME% %RESPONSE_CODE% %COMMON_DURATION(DS_RX_BEG:DS_TX_END:us)%\n"
    log = {
        "name": "envoy.access_loggers.file",
        "filter": {"runtime_filter": {"runtime_key": "wasmhub.watch", "percent_sampled": {"numerator": 0}}},
        "typed_config": {
            "@type": TYPE + "envoy.extensions.access_loggers.file.v3.FileAccessLog",
            "path": str(directory / ARMS),
            "log_format": {"text_format_source": {"inline_string": line}},
        },
    }
    changed["rds"] = {"route_config_name": "main", "config_source": source}
    changed["access_log"] = [*manager.get("access_log", []), log]
    return changed


def _routes(version: str, pair: tuple[str, str] | None) -> Json:
    """All requests to the upstream; of a pair of slots the second runs instead in the route ``canary``."""
    to = {"route": {"cluster": "upstream", "timeout": "0s"}}
    found: list[Json] = [{"name": "stable", "match": {"prefix": "/"}, **to}]
    if pair is not None:
        kind = TYPE + "envoy.config.route.v3.FilterConfig"
        fraction = {"default_value": {"numerator": 0}, "runtime_key": "wasmhub.canary"}
        filters = {pair[0]: {"@type": kind, "disabled": True}, pair[1]: {"@type": kind, "config": {}}}
        match = {"prefix": "/", "runtime_fraction": fraction}
        found.insert(0, {"name": "canary", "match": match, **to, "typed_per_filter_config": filters})
    resource = {
        "@type": TYPE + "envoy.config.route.v3.RouteConfiguration",
        "name": "main",
        "virtual_hosts": [{"name": "main", "domains": ["*"], "routes": found}],
    }
    return {"version_info": version, "resources": [resource]}
