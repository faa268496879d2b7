"""The kernel's end of the comm to the JupyterLab extension."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Protocol

from .. import __version__
from ..errors import WasmhubError
from .answers import ANSWERS, states
from .messages import PROTOCOL, TARGET, Failure, Hello, News, Reply
from .session import SESSION

__all__ = ["Link"]


class Comm(Protocol):
    """What is used of a comm, which IPython's kernel makes."""

    def send(self, data: Any) -> None:
        """Send a message."""
        ...

    def on_msg(self, callback: Any) -> None:
        """Name who takes messages."""
        ...

    def close(self) -> None:
        """End it on both sides."""
        ...


class Link:
    """One comm to every front end of this kernel: it tells what changed and answers what is asked.

    Questions may come on any thread, also while a cell runs.
    """

    def __init__(self, comm: Comm) -> None:
        self._comm = comm
        self._lock = threading.Lock()
        self._told: tuple[object, ...] = ()
        comm.on_msg(self._receive)
        SESSION.history.listeners.append(self.publish)

    @classmethod
    def open(cls) -> Link:
        """Open a comm; a front end that does not know its target closes it."""
        from comm import create_comm

        return cls(create_comm(target_name=TARGET, data=asdict(hello())))

    def close(self) -> None:
        """End the comm; the front end takes the kernel for one without this extension."""
        SESSION.history.listeners[:] = [each for each in SESSION.history.listeners if each != self.publish]
        self._comm.close()

    def publish(self) -> None:
        """Tell the filters, where they are not what was told last."""
        with self._lock:
            now = states()
            if now != self._told:
                self._told = now
                self._comm.send(asdict(News(now)))

    def _receive(self, message: Mapping[str, Any]) -> None:
        content = message.get("content", {}).get("data", {})
        if isinstance(content, Mapping) and isinstance(content.get("id"), str):
            self._comm.send(asdict(reply(content)))


def hello() -> Hello:
    """What a front end has to know first."""
    return Hello(PROTOCOL, __version__, states())


def reply(question: Mapping[str, Any]) -> Reply:
    """The answer to a question. Raises nothing: what goes wrong is the answer."""
    number, name = str(question["id"]), str(question.get("ask"))
    given = question.get("with") or {}
    try:
        if name == "hello":
            return Reply(number, hello())
        if name not in ANSWERS:
            return Reply(
                number,
                error=Failure(
                    f"the kernel's package cannot answer {name!r}",
                    do="install the same version of wasmhub-magics for JupyterLab and for the kernel",
                ),
            )
        return Reply(number, ANSWERS[name](**given))
    except WasmhubError as error:
        return Reply(number, error=Failure(error.what, error.where, error.do))
    except KeyboardInterrupt:
        return Reply(number, error=Failure("interrupted"))
    except Exception as error:
        return Reply(number, error=Failure(f"{type(error).__name__}: {error}"))
