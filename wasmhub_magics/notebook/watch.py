"""An Envoy on the screen while it serves: counters, requests, log level, configuration, start and stop."""

from __future__ import annotations

import contextlib
import html
import json
import threading
from typing import TYPE_CHECKING, Any

from ipywidgets import HTML, Button, Dropdown, HBox, VBox  # type: ignore[import-untyped]

from ..errors import WasmhubError

if TYPE_CHECKING:
    from ..deploy import Adopted, LocalEnvoy

__all__ = ["EnvoyWatch"]

SECONDS = 1.0
LEVELS = ("trace", "debug", "info", "warning", "error", "critical", "off")


class EnvoyWatch(VBox):  # type: ignore[misc]  # ipywidgets has no types
    """What an Envoy counts and does, anew each second until the widget is closed.

    The log level of its filters can be chosen, and its live configuration be looked at; the local one is
    stopped and started by a button, too.
    """

    def __init__(self, envoy: LocalEnvoy | Adopted) -> None:
        self._envoy = envoy
        self._over = threading.Event()
        self._one = threading.RLock()
        self._serving = False
        self._table = HTML()
        self._level = Dropdown(options=LEVELS, description="log level")
        self._button = Button(description="configuration")
        self._config = HTML()
        self._power = Button(description="stop")
        controls = [self._level, self._button]
        if hasattr(envoy, "start"):
            controls.append(self._power)
        super().__init__([HBox(controls), self._table, self._config])
        self.refresh()
        self._level.observe(self._choose, names="value")
        self._button.on_click(self._configuration)
        self._power.on_click(self._switch)
        threading.Thread(target=self._follow, name="wasmhub-envoy-watch", daemon=True).start()

    def refresh(self) -> None:
        """Ask it now."""
        with self._one:  # what was asked before must not be shown after
            now = self._envoy.live()
            self._table.value = now._repr_html_()
            self._serving = now.state == "serving"
            self._power.description = "stop" if self._serving else "start"
            if now.log_level in LEVELS and now.log_level != self._level.value:
                self._level.value = now.log_level

    def close(self) -> None:
        """End it."""
        self._over.set()
        super().close()

    def _follow(self) -> None:
        while not self._over.wait(SECONDS):
            with contextlib.suppress(WasmhubError):  # it went while it was asked: the next round says so
                self.refresh()

    def _choose(self, change: dict[str, Any]) -> None:
        try:
            self._envoy.running().log_level(change["new"])
        except WasmhubError as error:
            self._table.value = html.escape(str(error))

    def _switch(self, _: object) -> None:
        from ..deploy import local

        try:
            if self._serving:
                local.stop()
            else:
                local.start()
            self.refresh()
        except WasmhubError as error:
            self._table.value = html.escape(str(error))

    def _configuration(self, _: object) -> None:
        if self._config.value:
            self._config.value = ""
            return
        try:
            text = json.dumps(self._envoy.running().config(), indent=1)
        except WasmhubError as error:
            text = str(error)
        self._config.value = f"<pre style='max-height:24em;overflow:auto'>{html.escape(text)}</pre>"
