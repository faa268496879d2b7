"""The request tester: a form for a request, and what the filter made of it."""

from __future__ import annotations

import contextlib
import html
import queue
import threading
import weakref
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from anywidget import AnyWidget
from IPython.display import display, update_display
from traitlets import Bool, Dict, List, Unicode

from ..errors import RequestError, WasmhubError
from ..http import Request
from ..page import cases_data, exchange_data, request_data, script, style
from ..page.schema import schema_of
from ..proxy import Exchange, LogLine
from ..proxy.view import exchange_html, exchange_text, printable
from ..testing import Memory, build_key
from .desk import Desk
from .figures import sent
from .marks import mark
from .session import SESSION

if TYPE_CHECKING:
    from ..filter import Filter

__all__ = ["Tester"]

PICTURE_SECONDS = 0.3
"""How long nobody asks before the picture is drawn and failures are marked: no answer waits for that."""


class Tester(AnyWidget):
    """A form for a request, and what a chain of filters made of it.

    The front end asks by messages ``{"type": ..., "id": ...}`` and gets ``{"id": ..., ...}`` back, with
    ``error`` where there is no answer; they are answered on a thread of their own, so that neither waits for
    the other. ``build`` changes when a filter of the chain has been built again. ``form`` is what is typed,
    ``cases`` the table of cases, ``memory`` their last results and those of the build before.
    """

    _esm = script()
    _css = style()

    title = Unicode().tag(sync=True)
    about = Unicode().tag(sync=True)
    names = List(Unicode()).tag(sync=True)
    form = Dict().tag(sync=True)
    answer = Dict().tag(sync=True)
    build = Unicode().tag(sync=True)
    cases: Any = List().tag(sync=True)
    memory: Any = Dict().tag(sync=True)
    schemas = Dict().tag(sync=True)
    variables = List(Unicode()).tag(sync=True)
    alone = Bool(False).tag(sync=True)

    def __init__(self, filters: Sequence[Filter], variables: Mapping[str, object] | None = None) -> None:
        self._built = {made.name: made for made in filters}
        self._versions = 0
        self._picture = ""
        self._outdated = False
        self._logs: dict[str, tuple[LogLine, ...]] = {}
        self._heard = False
        self.desk = Desk(list(filters), variables or {})
        self._work: queue.SimpleQueue[Mapping[str, Any] | None] = queue.SimpleQueue()
        super().__init__(names=[made.name for made in filters], variables=self.desk.answerers)
        self._describe()
        self._start(SESSION.exchanges.get(filters[0].name) if len(filters) == 1 else None)
        suite = SESSION.suites.get(filters[-1].name)
        self.cases = cases_data(suite) if suite is not None else []
        self.on_msg(self._receive)
        self.memory = SESSION.recall[self.title].to_data()
        self.observe(self._keep_cases, "cases")
        self.observe(self._keep_memory, "memory")
        SESSION.followers.add(self)
        weakref.finalize(self, self.desk.close)

    @property
    def exchange(self) -> Exchange | None:
        """The last exchange."""
        return self.desk.exchange

    def follow(self, made: Filter) -> None:
        """Take the newer version of a filter; an open view asks again by itself."""
        if made.name not in self._built:
            return
        before = self._built[made.name]
        self._built[made.name] = made
        self._logs.clear()
        self.desk.replace(list(self._built.values()))
        if made.plugin.configuration != before.plugin.configuration:
            self.form = {**self.form, "configs": {**self.form["configs"], made.name: _config(made)}}
        self._describe()

    def follow_cases(self, name: str) -> None:
        """Take the cases that a cell has set."""
        if name == self.names[-1]:
            self.cases = cases_data(SESSION.suites[name])

    def follow_memory(self, name: str) -> None:
        """Take the last results of the cases, as another run of them left them."""
        if name == self.title:
            self.memory = SESSION.recall[name].to_data()

    def show_picture(self) -> None:
        """Display the last exchange as a picture that is kept up to date: what viewers without a kernel see.

        Where the tester itself is shown, its style sheet hides the picture.
        """
        handle = display(self._drawn(), raw=True, display_id=True)  # type: ignore[no-untyped-call]
        self._picture = handle.display_id if handle is not None else ""

    def close(self) -> None:
        """Close the widget and stop what it runs."""
        self._work.put(None)
        self.desk.close()
        super().close()

    def reply(self, content: Mapping[str, Any]) -> bool:
        """Answer one message of the front end, and tell whether there is something to settle after it."""
        if content.get("build", self.build) != self.build:
            return False  # what the page tells of a build that another has taken the place of
        buffers: list[bytes] = []
        filters = list(self._built.values())
        try:
            answer, buffers = self.desk.ask(content)
        except WasmhubError as error:
            answer = {"error": str(error)}
        except KeyboardInterrupt:
            answer = {"error": "interrupted"}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        if "id" in content:
            self.send({**answer, "id": content["id"]}, buffers)
        if self.desk.log is not None and filters == list(self._built.values()):
            self._logs["cases" if _about_cases(content) else "request"] = self.desk.log
            self._heard = True
        if content.get("type") in ("send", "shown") and "error" not in answer and self.exchange is not None:
            if len(filters) == 1:
                SESSION.exchanges[filters[0].name] = (filters[0], self.exchange)
            self._outdated = bool(self._picture)
        return self._outdated or self._heard

    def settle(self) -> None:
        """Bring the picture, and the marks and figures at the filters' cells, up to date."""
        if self._outdated:
            self._outdated = False
            self.draw()
        if not self._heard:
            return
        self._heard = False
        log = [line for lines in list(self._logs.values()) for line in lines]
        for made in list(self._built.values()):
            mark(made, log)
            kept = SESSION.exchanges.get(made.name)
            if kept is not None and kept[0] is made:
                SESSION.history.measured(made.name, sent(made, kept[1]))

    def draw(self) -> None:
        """Bring the picture up to date."""
        update_display(self._drawn(), raw=True, display_id=self._picture)  # type: ignore[no-untyped-call]

    def _receive(self, _widget: object, content: Mapping[str, Any], _buffers: object) -> None:
        if self._work.empty() and not getattr(self, "_thread", None):
            self._thread = threading.Thread(
                target=_answer_all, args=(weakref.ref(self), self._work), daemon=True
            )
            self._thread.start()
        self._work.put(content)

    def _keep_cases(self, change: Mapping[str, Any]) -> None:
        from ..page import cases_from_data

        try:
            SESSION.suites[self.names[-1]] = cases_from_data(change["new"])
        except WasmhubError:
            return  # the view tells of a mistake when the cases run

    def _keep_memory(self, change: Mapping[str, Any]) -> None:
        with contextlib.suppress(RequestError):
            memory = Memory.from_data(change["new"])
            if memory != SESSION.recall[self.title]:
                SESSION.remember(self.title, memory)

    def _describe(self) -> None:
        filters = list(self._built.values())
        self.title = " → ".join(made.name for made in filters)
        self.about = "; ".join(
            f"{made.language}, {made.module.size / 1024:,.1f} KB, {made.digest[:19]}" for made in filters
        )
        self.schemas = {made.name: schema_of(made.module) for made in filters}
        self.variables = self.desk.answerers
        self._versions += 1
        self.build = f"{self._versions} {build_key(filters)}"

    def _start(self, last: tuple[Filter, Exchange] | None) -> None:
        """Begin with the last request, and with its answer where that is the answer of this very build."""
        request = Request("GET", "/") if last is None else last[1].request
        host = [] if request.authority == "localhost" else [["host", request.authority]]
        self.form = {
            "method": request.method,
            "path": printable(request.path),
            "headers": [*host, *request_data(request)["headers"]],
            "body": request.text,
            "configs": {name: _config(made) for name, made in self._built.items()},
        }
        if last is not None and last[0] is self._built[last[0].name]:
            self.desk.exchange = last[1]
            self.answer = {"exchange": exchange_data(last[1])}

    def _drawn(self) -> dict[str, str]:
        told = f"<div><b>Request tester of {html.escape(self.title)}</b></div>"
        shown = "<div>nothing sent yet</div>" if self.exchange is None else exchange_html(self.exchange)
        picture = f"<div class='wht-picture'>{told}{shown}</div>"
        return {"text/html": picture, "text/plain": repr(self)}

    def __repr__(self) -> str:
        shown = "nothing sent yet" if self.exchange is None else exchange_text(self.exchange)
        return f"Request tester of {self.title}: {shown}"

    def _repr_mimebundle_(self, **options: Any) -> Any:
        """The live widget; viewers without a kernel have the picture beside it."""
        found = super()._repr_mimebundle_(**options)
        data, metadata = found if isinstance(found, tuple) else (found, {})
        return {**(data or {}), "text/plain": repr(self)}, metadata


def _answer_all(tester: weakref.ref[Tester], work: queue.SimpleQueue[Mapping[str, Any] | None]) -> None:
    """Answer what comes until the tester is closed or gone; settle what is left when nothing comes."""
    stale = False
    while True:
        try:
            content = work.get(timeout=PICTURE_SECONDS if stale else None)
        except queue.Empty:
            content = {}
        alive = tester()
        if content is None or alive is None:
            return
        if content:
            stale = alive.reply(content) or stale
        else:
            alive.settle()
            stale = False
        del alive


def _about_cases(content: Mapping[str, Any]) -> bool:
    return content.get("type") in ("case", "cases") or content.get("about") == "cases"


def _config(made: Filter) -> str:
    return made.plugin.configuration.decode("utf-8", "replace")
