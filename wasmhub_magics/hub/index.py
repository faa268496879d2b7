"""The local index: the cards of all images that are known here, in one SQLite file with full-text search.

It is a cache: a damaged one is thrown away, and what it held is read again.
"""

from __future__ import annotations

import contextlib
import re
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import RequestError, StoreError
from ..paths import cache_root
from .entry import Entry

__all__ = ["SORTS", "Index", "Query"]

SCHEMA = """
CREATE TABLE IF NOT EXISTS entry (
  id INTEGER PRIMARY KEY, origin TEXT NOT NULL, part TEXT NOT NULL, ref TEXT NOT NULL, mark TEXT NOT NULL,
  name TEXT, language TEXT, abi TEXT, category TEXT, licenses TEXT, layout TEXT, products TEXT, keywords TEXT,
  signed INTEGER, size INTEGER, created TEXT, card TEXT NOT NULL, UNIQUE (origin, ref));
CREATE INDEX IF NOT EXISTS entry_part ON entry (origin, part);
CREATE INDEX IF NOT EXISTS entry_ref ON entry (ref);
CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5 (
  name, ref, keywords, description, rest, readme, tokenize = 'porter unicode61', prefix = '2 3');
CREATE TABLE IF NOT EXISTS origin (name TEXT PRIMARY KEY, seen REAL, cursor TEXT);
"""
VERSION = 1
_WORDS = "name, ref, keywords, description, rest, readme"
_WEIGHTS = "10.0, 8.0, 6.0, 4.0, 2.0, 1.0"
SORTS = {
    "relevance": f"bm25(words, {_WEIGHTS}), entry.ref",
    "name": "entry.name COLLATE NOCASE, entry.ref",
    "created": "entry.created DESC, entry.ref",
    "size": "entry.size, entry.ref",
}


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for: words, and what an image must be. Empty fields do not count.

    Every word, or a word that begins with it, must be somewhere; English endings do not count. ``product``
    is one that can pull the image, ``sort`` is ``relevance``, ``name``, ``created`` (newest first) or
    ``size`` (smallest first).
    """

    text: str = ""
    language: str = ""
    abi: str = ""
    keyword: str = ""
    category: str = ""
    licence: str = ""
    layout: str = ""
    product: str = ""
    origins: tuple[str, ...] = ()
    signed: bool | None = None
    sort: str = ""
    limit: int = 100

    def __post_init__(self) -> None:
        if self.sort and self.sort not in SORTS:
            raise RequestError(
                f"results cannot be sorted by {self.sort!r}", do=f"use one of: {', '.join(SORTS)}"
            )


class Index:
    """The index in a file, by default in the user's cache. Used in a ``with`` block by one thread."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or cache_root() / f"catalogue-{VERSION}.sqlite"
        self._db = self._opened()

    def __enter__(self) -> Index:
        return self

    def __exit__(self, *error: object) -> None:
        self._db.close()

    def find(self, query: Query) -> tuple[tuple[Entry, ...], int]:
        """The entries that fit, the best first, at most as many as the limit; and how many there are."""
        with self._whole():
            words = _match(query.text)
            conditions, values = _conditions(query)
            # CROSS: the words first, else each image of an origin is looked up among them
            source = "words CROSS JOIN entry ON entry.id = words.rowid" if words else "entry"
            if words:
                conditions, values = ["words MATCH ?", *conditions], [words, *values]
            where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
            sort = query.sort or "relevance"
            order = "entry.ref" if sort == "relevance" and not words else SORTS[sort]
            found = self._db.execute(f"SELECT entry.id FROM {source} {where} ORDER BY {order}", values)  # noqa: S608
            ids = found.fetchall()
            cards = (
                self._db.execute("SELECT card FROM entry WHERE id = ?", each) for each in ids[: query.limit]
            )
            return tuple(Entry.from_json(card) for rows in cards for (card,) in rows), len(ids)

    def marks(self, origin: str) -> dict[str, str]:
        """What each image of an origin was last known as: reference to mark."""
        with self._whole():
            return dict(self._db.execute("SELECT ref, mark FROM entry WHERE origin = ?", [origin]))

    def cards(self, origin: str) -> dict[str, Entry]:
        """What is known of each image of an origin, by reference."""
        with self._whole():
            rows = self._db.execute("SELECT ref, card FROM entry WHERE origin = ?", [origin])
            return {ref: Entry.from_json(card) for ref, card in rows}

    def replace(self, origin: str, part: str, entries: Iterable[tuple[str, Entry]]) -> None:
        """Let a part of an origin, such as a repository, hold these entries (each with its mark) only."""
        with self._whole(), self._db:
            self._drop("origin = ? AND part = ?", [origin, part])
            for mark, entry in entries:
                self._put(origin, part, mark, entry)

    def keep(self, origin: str, refs: Iterable[str]) -> None:
        """Forget the images of an origin that are not among these."""
        with self._whole(), self._db:
            gone = set(self.marks(origin)) - set(refs)
            for ref in gone:
                self._drop("origin = ? AND ref = ?", [origin, ref])

    def keep_parts(self, origin: str, parts: Iterable[str]) -> None:
        """Forget the parts of an origin that are not among these."""
        with self._whole(), self._db:
            known = {
                p for (p,) in self._db.execute("SELECT DISTINCT part FROM entry WHERE origin = ?", [origin])
            }
            for part in known - set(parts):
                self._drop("origin = ? AND part = ?", [origin, part])

    def cursor(self, origin: str) -> tuple[str, float]:
        """How far an origin was read, and when (seconds since 1970); empty and 0 where it never was."""
        with self._whole():
            row = self._db.execute("SELECT cursor, seen FROM origin WHERE name = ?", [origin]).fetchone()
        return (row[0], row[1]) if row else ("", 0.0)

    def set_cursor(self, origin: str, cursor: str) -> None:
        """Note how far an origin was read."""
        with self._whole(), self._db:
            self._db.execute("INSERT OR REPLACE INTO origin VALUES (?, ?, ?)", [origin, time.time(), cursor])

    def _put(self, origin: str, part: str, mark: str, entry: Entry) -> None:
        self._drop("origin = ? AND ref = ?", [origin, entry.ref])
        row: Mapping[str, Any] = {
            "origin": origin, "part": part, "ref": entry.ref, "mark": mark, "name": entry.name,
            "language": entry.language, "abi": entry.abi, "category": entry.category,
            "licenses": entry.licenses, "layout": entry.layout,
            "products": f"\n{chr(10).join(entry.products)}\n".lower(),
            "keywords": f"\n{chr(10).join(entry.keywords)}\n".lower(), "signed": entry.signed,
            "size": entry.size, "created": entry.created, "card": entry.to_json(),
        }  # fmt: skip
        marks = ", ".join(f":{name}" for name in row)
        made = self._db.execute(f"INSERT INTO entry ({', '.join(row)}) VALUES ({marks})", row)  # noqa: S608
        facts = (entry.language, entry.abi, entry.category, entry.licenses, entry.version, entry.more)
        rest = " ".join((*facts, *entry.products))
        self._db.execute(
            f"INSERT INTO words (rowid, {_WORDS}) VALUES (?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
            [made.lastrowid, entry.name, entry.ref, " ".join(entry.keywords), entry.description, rest,
             entry.readme],
        )  # fmt: skip

    def _drop(self, where: str, values: list[str]) -> None:
        found = f"SELECT id FROM entry WHERE {where}"  # noqa: S608
        self._db.execute(f"DELETE FROM words WHERE rowid IN ({found})", values)  # noqa: S608
        self._db.execute(f"DELETE FROM entry WHERE {where}", values)  # noqa: S608

    def _opened(self) -> sqlite3.Connection:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._unusable(error.strerror or str(error)) from None
        for last in (False, True):
            db = sqlite3.connect(self.path, timeout=30)
            try:
                db.execute("PRAGMA journal_mode = WAL")
                db.execute("PRAGMA synchronous = OFF")
                db.executescript(SCHEMA)
                return db
            except sqlite3.DatabaseError as error:
                db.close()
                if last or isinstance(error, sqlite3.OperationalError):
                    raise self._unusable(str(error)) from None
                self._forget()
        raise AssertionError

    @contextlib.contextmanager
    def _whole(self) -> Iterator[None]:
        """A damaged file goes; the next search makes another."""
        try:
            yield
        except sqlite3.OperationalError as error:
            raise self._unusable(str(error)) from None
        except sqlite3.DatabaseError as error:
            self._db.close()
            self._forget()
            raise self._unusable(f"{error}; it was removed") from None

    def _forget(self) -> None:
        for tail in ("", "-wal", "-shm"):
            Path(f"{self.path}{tail}").unlink(missing_ok=True)

    def _unusable(self, why: str) -> StoreError:
        return StoreError(
            f"the index of images cannot be used: {why}",
            where=str(self.path),
            do="search again; if it stays so, remove the file or set WASMHUB_CACHE to another directory",
        )


def _match(text: str) -> str:
    """The words of a text as FTS5 wants them: each the beginning of a word, all of them."""
    return " ".join(f'"{word}"*' for word in re.findall(r"\w+", text))


def _conditions(query: Query) -> tuple[list[str], list[Any]]:
    conditions: list[str] = []
    values: list[Any] = []
    for column, wanted in (
        ("language", query.language), ("abi", query.abi.removeprefix("v")), ("category", query.category),
        ("layout", query.layout), ("licenses", query.licence),
    ):  # fmt: skip
        if wanted:
            conditions.append(f"entry.{column} = ? COLLATE NOCASE")
            values.append(wanted)
    if query.keyword:
        conditions.append("instr(entry.keywords, ?)")
        values.append(f"\n{query.keyword.lower()}\n")
    if query.product:
        conditions.append("instr(entry.products, ?)")
        values.append(query.product.lower())
    if query.signed is not None:
        conditions.append("entry.signed = ?")
        values.append(int(query.signed))
    if query.origins:
        conditions.append(f"entry.origin IN ({', '.join('?' * len(query.origins))})")
        values += query.origins
    return conditions, values
