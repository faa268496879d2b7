"""What the request tester asks of the kernel, and the answers: no widget, no screen."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ..errors import RequestError, StartError
from ..http import Response
from ..page import (
    World,
    cases_data,
    cases_from_data,
    exchange_data,
    exchange_from_data,
    parts_of,
    request_from_data,
    world_from_data,
)
from ..proxy import AnyProxy, Exchange, LogLine, Proxy
from ..testing import Fault, Suite, run_cases, simulate

if TYPE_CHECKING:
    from ..filter import Filter

__all__ = ["Desk"]

FORMS = ("cell", "yaml", "csv", "pytest")


class Desk:
    """Answers what a tester asks: ``ask`` takes a message and gives an answer, and buffers that go with it.

    It keeps a proxy of each engine between requests, so that a filter keeps its state, and replaces it when
    filters, configurations, policy or clusters change. One thread asks at a time; any may replace filters.
    ``log`` is what the filters logged over the last question; None where none of them ran.
    """

    def __init__(self, filters: list[Filter], variables: Mapping[str, object]) -> None:
        self.filters = filters
        self.variables = variables
        self.exchange: Exchange | None = None
        self.log: tuple[LogLine, ...] | None = None
        self._lock = threading.Lock()
        self._proxies: dict[str, tuple[str, list[Filter], AnyProxy]] = {}
        self._answers: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
            "send": self._send,
            "case": self._case,
            "cases": self._cases,
            "cases-text": self._cases_text,
            "cases-read": self._cases_read,
            "cases-save": self._cases_save,
            "fault": self._fault,
            "shown": self._shown,
            "heard": self._hear_page,
        }

    def ask(self, content: Mapping[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
        """The answer to a message of the front end. Raises WasmhubError where there is none."""
        self.log = None
        kind = str(content.get("type"))
        if kind == "parts":
            parts = parts_of(self.filters)
            told = {"plugins": list(parts.plugins), "functions": list(parts.functions)}
            return told, [parts.host, parts.bridge, *parts.modules]
        if kind not in self._answers:
            raise RequestError(f"the tester does not know {kind!r}", do="reload the page")
        try:
            return self._answers[kind](content), []
        except StartError as error:
            self.log = cast(tuple[LogLine, ...], error.log)
            raise

    def replace(self, filters: list[Filter]) -> None:
        """Work with other builds of the filters from now on."""
        self.filters = filters
        threading.Thread(target=self.close, daemon=True).start()  # what runs may take its time to end

    def close(self) -> None:
        """Stop what runs; the next request starts it anew."""
        with self._lock:
            open_ones = [proxy for _, _, proxy in self._proxies.values()]
            self._proxies.clear()
        for proxy in open_ones:
            proxy.close()

    @property
    def answerers(self) -> list[str]:
        """The user's variables that can answer requests: Responses and functions of one argument."""
        return sorted(
            name
            for name, value in list(self.variables.items())
            if not name.startswith("_")
            and (isinstance(value, Response) or (callable(value) and _takes_one(value)))
        )

    def _send(self, content: Mapping[str, Any]) -> dict[str, Any]:
        request = request_from_data(content["request"])
        world = world_from_data(content.get("world") or {}, self.variables)
        engine = content.get("engine") or "embedded"
        found = {}
        for each in ("embedded", "envoy") if engine == "both" else (engine,):
            exchange = self._proxy(each, world).send(request, upstream=world.upstream)
            self.exchange = exchange
            self._hear(exchange)
            found[each] = exchange_data(exchange)
        return {"exchanges": found}

    def _proxy(self, engine: str, world: World) -> AnyProxy:
        filters = self.filters
        with self._lock:
            kept = self._proxies.get(engine)
            if kept is not None and kept[:2] == (world.key, filters):
                return kept[2]
            self._proxies.pop(engine, None)
        if kept is not None:
            kept[2].close()
        plugins = world.plugins(list(filters))
        made: AnyProxy
        if engine == "envoy":
            from ..envoy import EnvoyProxy

            made = EnvoyProxy(plugins, clusters=world.clusters)
        else:
            made = Proxy(plugins, clusters=world.clusters, properties=world.properties)
        with self._lock:
            self._proxies[engine] = (world.key, filters, made)
        return made

    def _case(self, content: Mapping[str, Any]) -> dict[str, Any]:
        """One case in a proxy of its own."""
        case = {"name": "case", "expect": [], "request": content["request"], **content["world"]}
        result = run_cases(self.filters, cases_from_data([case])).results[0]
        if result.exchange is None:
            raise RequestError(result.error)
        self._hear(result.exchange)
        return {"exchange": exchange_data(result.exchange)}

    def _cases(self, content: Mapping[str, Any]) -> dict[str, Any]:
        results = run_cases(self.filters, cases_from_data(content["cases"]), engine=content["engine"])
        self._hear(*(each.exchange for each in results.results if each.exchange is not None))
        told = [
            {
                "name": result.case.name,
                "told": result.told,
                "exchange": None if result.exchange is None else exchange_data(result.exchange),
            }
            for result in results
        ]
        return {"told": told}

    def _cases_text(self, content: Mapping[str, Any]) -> dict[str, Any]:
        suite, form = cases_from_data(content["cases"]), content.get("form")
        name = self.filters[-1].name
        if form == "csv":
            return {"text": suite.to_csv()}
        if form == "pytest":
            return {"text": suite.to_pytest(f"{name}.wasm")}
        text = suite.to_yaml()
        return {"text": text if form == "yaml" else f"%%wasm_cases {name}\n{text}"}

    def _cases_read(self, content: Mapping[str, Any]) -> dict[str, Any]:
        text = str(content["text"]).strip()
        if text.startswith("%%wasm_cases"):
            text = text.partition("\n")[2]
        suite = Suite.from_csv(text) if text.startswith("name,") else Suite.parse(text)
        return {"cases": cases_data(suite)}

    def _cases_save(self, content: Mapping[str, Any]) -> dict[str, Any]:
        path = Path(f"{self.filters[-1].name}.cases.yaml")
        cases_from_data(content["cases"]).save(path)
        return {"told": f"saved as {path}; run it by: wasmhub test {path} FILTER"}

    def _fault(self, content: Mapping[str, Any]) -> dict[str, Any]:
        told = content["fault"]
        fault = Fault(told["kind"], str(told["callback"]), int(told["call"]))
        world = world_from_data(content.get("world") or {}, self.variables)
        found = simulate(
            world.plugins(list(self.filters))[-1],
            fault,
            request_from_data(content["request"]),
            upstream=world.upstream,
            clusters=world.clusters,
            engine="envoy" if content.get("engine") == "envoy" else "embedded",
        )
        return {"title": str(fault), "rows": [list(row) for row in found.rows()]}

    def _shown(self, content: Mapping[str, Any]) -> dict[str, Any]:
        """What the page's own proxy made of a request, for the picture that stays."""
        self.exchange = exchange_from_data(content["exchange"])
        self._hear(self.exchange)
        return {}

    def _hear_page(self, content: Mapping[str, Any]) -> dict[str, Any]:
        """What filters logged in the page where there is no exchange to show."""
        self.log = tuple(
            LogLine(each["level"], str(each["message"]), str(each["plugin"])) for each in content["log"]
        )
        return {}

    def _hear(self, *exchanges: Exchange) -> None:
        self.log = (self.log or ()) + tuple(line for each in exchanges for line in each.log)


def _takes_one(value: object) -> bool:
    import inspect

    if inspect.isclass(value) or inspect.isbuiltin(value) or getattr(value, "__module__", "") != "__main__":
        return False
    try:
        inspect.signature(value).bind(None)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False
    return True
