"""The request tester: a form for a request, and what the filter made of it."""

from __future__ import annotations

import html
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anywidget import AnyWidget
from traitlets import Dict, List, Unicode

from ..errors import RequestError, WasmhubError
from ..http import Request
from ..proxy import Exchange, Proxy
from ..proxy.view import exchange_html, exchange_text, printable
from .session import SESSION

if TYPE_CHECKING:
    from ..filter import Filter

__all__ = ["Tester"]

STATIC = Path(__file__).parent / "static"


class Tester(AnyWidget):
    """A form for a request, and what a chain of filters made of it.

    The front end sends ``{"type": "send", "form": {...}}``, on whatever thread the kernel chooses; the answer
    is the trait ``answer``: ``{"html": ..., "serial": n}``, or with ``error`` in place of ``html``. ``build``
    changes when a filter of the chain has been built again.
    """

    _esm = STATIC / "tester.js"
    _css = STATIC / "tester.css"

    title = Unicode().tag(sync=True)
    about = Unicode().tag(sync=True)
    names = List(Unicode()).tag(sync=True)
    form = Dict().tag(sync=True)
    answer = Dict().tag(sync=True)
    build = Unicode().tag(sync=True)

    def __init__(self, filters: Sequence[Filter]) -> None:
        self._lock = threading.RLock()
        self._built = {made.name: made for made in filters}
        self._used: dict[str, Filter] = {}
        self._chain: Proxy | None = None
        self._serial = 0
        self._versions = 0
        self.exchange: Exchange | None = None
        super().__init__(names=[made.name for made in filters])
        self._describe()
        self._start(SESSION.exchanges.get(filters[0].name) if len(filters) == 1 else None)
        self.on_msg(self._receive)
        SESSION.followers.add(self)

    def follow(self, made: Filter) -> None:
        """Take the newer version of a filter; an open view asks again by itself."""
        if made.name in self._built:
            with self._lock:
                before = self._built[made.name]
                self._forget(made.name)
                self._built[made.name] = made
                if made.plugin.configuration != before.plugin.configuration:
                    self.form = {**self.form, "configs": {**self.form["configs"], made.name: _config(made)}}
                self._describe()

    def send(self, form: Mapping[str, Any]) -> Exchange:
        """Send a form's request: ``method``, ``path``, ``headers`` as pairs, ``body``, ``configs`` by name.

        Raises WasmhubError where the form or a filter has an error.
        """
        request = _request(form)
        with self._lock:
            filters = [self._configured(name, form["configs"].get(name, "")) for name in self.names]
            if len(filters) == 1:
                exchange = filters[0].send(request)
            else:
                if self._chain is None:
                    self._chain = Proxy([made.plugin for made in filters])
                exchange = self._chain.send(request)
            self.exchange = exchange
        if len(filters) == 1:
            SESSION.exchanges[filters[0].name] = (self._built[filters[0].name], exchange)
        return exchange

    def close(self) -> None:
        """Close the widget and stop its virtual machines."""
        with self._lock:
            for name in list(self._used):
                self._forget(name)
        super().close()

    def _receive(self, _widget: object, content: Mapping[str, Any], _buffers: object) -> None:
        if content.get("type") != "send":
            return
        try:
            answer = {"html": exchange_html(self.send(content["form"]))}
        except WasmhubError as error:
            answer = {"error": str(error)}
        except KeyboardInterrupt:
            answer = {"error": "interrupted"}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        with self._lock:
            self._serial += 1
            self.form = dict(content.get("form") or self.form)
            self.answer = {**answer, "serial": self._serial}

    def _configured(self, name: str, config: str) -> Filter:
        """The filter with this configuration; another configuration gets a virtual machine of its own."""
        built = self._built[name]
        wanted = config.encode()
        if wanted == built.plugin.configuration:
            chosen = built
        else:
            used = self._used.get(name)
            chosen = (
                used if used is not None and used.plugin.configuration == wanted else built.configure(wanted)
            )
        if self._used.get(name) is not chosen:
            self._forget(name)
            self._used[name] = chosen
        return chosen

    def _forget(self, name: str) -> None:
        used = self._used.pop(name, None)
        if used is not None and used is not self._built[name]:
            used.restart()
        if self._chain is not None:
            self._chain.close()
            self._chain = None

    def _describe(self) -> None:
        filters = list(self._built.values())
        self.title = " → ".join(made.name for made in filters)
        self.about = "; ".join(
            f"{made.language}, {made.module.size / 1024:,.1f} KB, {made.digest[:19]}" for made in filters
        )
        self._versions += 1
        self.build = f"{self._versions} {' '.join(made.digest for made in filters)}"

    def _start(self, last: tuple[Filter, Exchange] | None) -> None:
        """Begin with the last request, and with its answer where that is the answer of this very build."""
        request = Request("GET", "/") if last is None else last[1].request
        self.form = {
            "method": request.method,
            "path": printable(request.path),
            "headers": [[name, printable(value)] for name, value in request.headers.pairs],
            "body": request.text,
            "configs": {name: _config(made) for name, made in self._built.items()},
        }
        if last is not None and last[0] is self._built[last[0].name]:
            self.exchange = last[1]
            self.answer = {"html": exchange_html(last[1]), "serial": 0}

    def __repr__(self) -> str:
        shown = "nothing sent yet" if self.exchange is None else exchange_text(self.exchange)
        return f"Request tester of {self.title}: {shown}"

    def _repr_mimebundle_(self, **options: Any) -> Any:
        """The live widget, and for viewers without a kernel the last exchange."""
        found = super()._repr_mimebundle_(**options)
        data, metadata = found if isinstance(found, tuple) else (found, {})
        told = f"<div><b>Request tester of {html.escape(self.title)}</b></div>"
        shown = "<div>nothing sent yet</div>" if self.exchange is None else exchange_html(self.exchange)
        return {**(data or {}), "text/plain": repr(self), "text/html": told + shown}, metadata


def _request(form: Mapping[str, Any]) -> Request:
    headers = [
        (name.strip(), value.strip()) for name, value in form["headers"] if name.strip() or value.strip()
    ]
    for name, value in headers:
        if not name:
            raise RequestError(
                f"a header has the value {value!r} and no name", do="give it a name, or clear it"
            )
    path = form["path"].strip() or "/"
    return Request(form["method"], path if path.startswith(("/", "*")) else f"/{path}", headers, form["body"])


def _config(made: Filter) -> str:
    return made.plugin.configuration.decode("utf-8", "replace")
