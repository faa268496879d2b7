"""An Envoy that somebody else runs, to be followed as the local one is."""

from __future__ import annotations

from ..errors import DeployError
from .live import Live
from .running import DISCOVERED, Running, adopt

__all__ = ["Adopted"]

COUNTED = rf"^(wasm\.|{DISCOVERED.replace('.', chr(92) + '.')}|http\..*\.downstream_rq_(completed|5xx)$)"
OWN = "http.admin."


class Adopted:
    """What an Envoy counts and does, by its admin interface; nothing here starts or ends it.

    Raises DeployError where nobody answers there.
    """

    def __init__(self, admin: str) -> None:
        self._running = adopt(admin)

    def running(self) -> Running:
        """Its statistics, configuration and log level."""
        return self._running

    def live(self, last: int = 0) -> Live:  # noqa: ARG002 its access log is its owner's
        """What it counts at this moment: requests of all its listeners, and each Wasm filter."""
        place = self._running.place
        try:
            stats = self._running.stats(COUNTED)
            level = self._running.log_level()
        except DeployError:
            return Live("stopped", admin=place)

        def all_of(counter: str) -> int:
            return sum(int(v) for k, v in stats.items() if k.endswith(counter) and not k.startswith(OWN))

        return Live(
            "serving",
            admin=place,
            log_level=level,
            requests=all_of(".downstream_rq_completed"),
            errors=all_of(".downstream_rq_5xx"),
            machines=int(stats.get("wasm.wasm_vm_count", 0)),
            filters=self._running.filters(),
        )

    def __repr__(self) -> str:
        return repr(self.live())

    def _repr_html_(self) -> str:
        return self.live()._repr_html_()
