"""Finding images: in the local store, in registries, among examples."""

from __future__ import annotations

import html
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, overload

from ..errors import HubError
from .crawl import Progress, Source, crawl, read_store, source_of
from .credentials import given_credential
from .entry import Entry
from .index import Index, Query
from .pieces import sha256
from .store import Store

__all__ = ["SearchResult", "images", "search"]

FRESH_SECONDS = 300.0
"""Age up to which what is known of a registry is taken as it is."""
_HEADS = ("image", "description", "language", "ABI", "module sha256", "manifest digest", "signed")


@dataclass(frozen=True, repr=False)
class SearchResult(Sequence[Entry]):
    """The images that were found, the best first; ``problems`` tell what could not be read.

    ``total`` counts those beyond the limit too; ``seconds`` is what the search in the local index took.
    """

    query: Query
    entries: tuple[Entry, ...]
    total: int
    problems: tuple[HubError, ...] = ()
    seconds: float = 0.0

    def __len__(self) -> int:
        return len(self.entries)

    @overload
    def __getitem__(self, index: int) -> Entry: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Entry, ...]: ...
    def __getitem__(self, index: int | slice) -> Entry | tuple[Entry, ...]:
        return self.entries[index]

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)

    def _rows(self) -> list[tuple[str, ...]]:
        return [
            (
                entry.ref if entry.origin != "examples" else f"example {entry.ref}",
                entry.description,
                entry.language,
                entry.abi,
                entry.module_digest.removeprefix("sha256:")[:12],
                entry.digest[:19],
                "yes" if entry.signed else "",
            )
            for entry in self.entries
        ]

    def _summary(self) -> str:
        found = f"{self.total} image{'' if self.total == 1 else 's'}" if self.total else "no image"
        if self.total > len(self.entries):
            found += f" ({len(self.entries)} shown)"
        if self.query.text:
            return f"{found} for {self.query.text!r}"
        return f"{found} in the local store" if self.query.origins == ("local",) else found

    def __repr__(self) -> str:
        rows = [tuple(cell if len(cell) <= 48 else f"{cell[:47]}…" for cell in row) for row in self._rows()]
        widths = [max(map(len, column)) for column in zip(_HEADS, *rows, strict=True)]
        lines = [self._summary()]
        if rows:
            lines += [
                "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
                for row in (_HEADS, *rows)
            ]
        lines += [f"cannot be read: {problem.what} ({problem.where})" for problem in self.problems]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        left = "style='text-align:left'"
        heads = "".join(f"<th {left}>{head}</th>" for head in _HEADS)
        rows = "".join(
            "<tr>" + "".join(f"<td {left}>{html.escape(cell)}</td>" for cell in row) + "</tr>"
            for row in self._rows()
        )
        table = f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>" if rows else ""
        problems = "".join(
            f"<div>⚠ cannot be read: {html.escape(problem.what)} ({html.escape(problem.where)})</div>"
            for problem in self.problems
        )
        return f"<div>{html.escape(self._summary())}{table}{problems}</div>"


def search(
    text: str = "",
    *,
    registries: Iterable[str] | None = None,
    examples: Iterable[Entry] = (),
    local: bool = True,
    refresh: bool = False,
    seconds: float = 30.0,
    progress: Progress | None = None,
    username: str | None = None,
    password: str | None = None,
    insecure: bool = False,
    tls_verify: bool | str = True,
    timeout: float = 10.0,
    **filters: Any,
) -> SearchResult:
    """Find images that have every word of ``text`` in their name, description, README or other facts.

    Looked into are the local store, the ``registries`` (``REGISTRY`` or ``REGISTRY/NAMESPACE``; by default
    those of ``$WASMHUB_REGISTRIES``) and the ``examples``. What is known of a registry is some minutes old at
    most; ``refresh`` asks it again now, and reads the whole local store. A registry that fails, or does not
    answer within ``seconds``, is told of among the problems, and what was known of it is searched. The other
    options are the fields of ``Query`` and those of ``pull``. Raises RequestError and StoreError.
    """
    named = _registries() if registries is None else tuple(registries)
    sources = tuple(dict.fromkeys(map(source_of, named)))
    offered = tuple(examples)
    wanted = (*(("local",) if local else ()), *(source.name for source in sources))
    wanted += ("examples",) if offered else ()
    query = replace(Query(text=text, **filters), origins=wanted)
    connection = {
        "credential": given_credential(username, password),
        "insecure": insecure,
        "tls_verify": tls_verify,
        "timeout": timeout,
    }
    with Index() as index:
        problems = list(read_store(index, Store(), refresh) if local else ())
        stale = tuple(source for source in sources if refresh or _is_stale(index, source))
        if offered:
            _offer(index, offered)
        if stale:
            problems += crawl(index, stale, seconds=seconds, whole=refresh, progress=progress, **connection)
        start = time.perf_counter()
        entries, total = index.find(query)
        return SearchResult(query, entries, total, tuple(problems), time.perf_counter() - start)


def images(**options: Any) -> SearchResult:
    """All images of the local store, also those of other tools; the options are those of ``search``."""
    return search(**{"registries": (), "refresh": True, "limit": 1000, **options})


def _registries() -> tuple[str, ...]:
    return tuple(os.environ.get("WASMHUB_REGISTRIES", "").replace(",", " ").split())


def _is_stale(index: Index, source: Source) -> bool:
    return time.time() - index.cursor(source.name)[1] > FRESH_SECONDS


def _offer(index: Index, examples: tuple[Entry, ...]) -> None:
    mark = sha256(example.to_json().encode() for example in examples)
    if index.cursor("examples")[0] != mark:
        index.replace("examples", "", [("", example) for example in examples])
        index.set_cursor("examples", mark)
