"""What the kernel and the JupyterLab extension say to each other: values that become JSON.

The front end asks ``{"id": ..., "ask": NAME, "with": {...}}`` and is answered by a ``Reply`` of that id;
without being asked, the kernel sends a ``News`` whenever a filter's state has changed. All travel over one
comm, which the kernel opens with a ``Hello`` when the magics are loaded. ``PROTOCOL`` grows when an older
front end could no longer read what is sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from ..errors import Diagnostic
from .history import Figure

__all__ = [
    "PROTOCOL", "TARGET", "DeploymentState", "ExampleRow", "Failure", "FilterState", "Hello", "ImageDetails",
    "ImagePage", "ImageRow", "LogEntry", "News", "Reply", "VersionRow",
]  # fmt: skip

PROTOCOL = 2
TARGET = "wasmhub"


@dataclass(frozen=True, slots=True)
class FilterState:
    """A filter of the session: its last build, as in ``Attempt``, and its figures."""

    name: str
    language: str
    line: str
    source: str
    digest: str
    size: int
    error: str
    findings: tuple[Diagnostic, ...]
    figures: tuple[Figure, ...]


@dataclass(frozen=True, slots=True)
class Hello:
    """The first message: who speaks, and how; then the filters there are."""

    protocol: int
    version: str
    filters: tuple[FilterState, ...]


@dataclass(frozen=True, slots=True)
class News:
    """All filters, after one of them has changed."""

    filters: tuple[FilterState, ...]
    news: Literal["filters"] = "filters"


@dataclass(frozen=True, slots=True)
class Failure:
    """An error, in its parts."""

    what: str
    where: str = ""
    do: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to a question: a result, or the error in its place."""

    id: str
    result: Any = None
    error: Failure | None = None


@dataclass(frozen=True, slots=True)
class DeploymentState:
    """A deployment as its proxy or cluster tells it now.

    ``name`` and ``target`` name it among all others; ``told`` is what its controller says, a line each.
    """

    name: str
    target: str
    place: str
    state: str
    url: str
    digest: str
    version: int
    since: str
    requests: int
    errors: int
    told: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class VersionRow:
    """A version of a deployment; ``note`` says why it came about, where nobody deployed it."""

    version: int
    at: str
    digest: str
    note: str


@dataclass(frozen=True, slots=True)
class LogEntry:
    """A line that a deployed filter logged."""

    level: str
    message: str


@dataclass(frozen=True, slots=True)
class ImageRow:
    """An image in a list."""

    reference: str
    name: str
    description: str
    language: str
    size: int
    created: str
    signed: bool = False


@dataclass(frozen=True, slots=True)
class ImagePage:
    """A part of what was found: ``total`` images, of which these begin at ``offset``."""

    text: str
    total: int
    offset: int
    images: tuple[ImageRow, ...]
    problems: tuple[Failure, ...] = ()


@dataclass(frozen=True, slots=True)
class ExampleRow:
    """A filter that comes with the package, in several languages."""

    name: str
    title: str
    description: str
    languages: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ImageDetails:
    """All that is known of an image.

    ``facts`` and ``verdicts`` are pairs of a word and a value, ``readme`` is Markdown, ``schema`` the JSON
    Schema of its configuration. ``cell`` is what to write in a notebook to use it, ``trial`` to open the
    tester on it; ``schema`` and ``source`` are empty where they were not published.
    """

    reference: str
    name: str
    description: str
    facts: tuple[tuple[str, str], ...] = ()
    readme: str = ""
    verdicts: tuple[tuple[str, str], ...] = ()
    cell: str = ""
    trial: str = ""
    schema: str = ""
    source: str = ""
