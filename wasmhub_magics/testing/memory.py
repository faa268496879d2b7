"""What is kept of the results of cases, to tell what changed after a rebuild."""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import RequestError
from ..http import Request, Response
from ..plugin import HasPlugin, as_plugin
from ..proxy import Exchange
from ..proxy.view import printable

__all__ = ["Memory", "Remembered", "build_key", "fingerprint"]

_RANDOM = {"date", "x-request-id", "x-envoy-upstream-service-time"}


@dataclass(frozen=True, slots=True)
class Remembered:
    """A case's result: ``told`` is why it failed, empty where it passed; ``print`` stands for its answer."""

    told: str
    print: str


@dataclass(frozen=True)
class Memory:
    """The last results of a filter's cases by their names, and those of the build before.

    ``build`` is the key of the build that the last ones are of.
    """

    build: str = ""
    last: Mapping[str, Remembered] = field(default_factory=dict)
    before: Mapping[str, Remembered] = field(default_factory=dict)

    def against(self, build: str) -> Mapping[str, Remembered]:
        """What a run of this build is compared with: the build before, or else the last run."""
        return (self.before or self.last) if build == self.build else self.last

    def then(self, build: str, results: Mapping[str, Remembered]) -> Memory:
        """The memory after a run of this build."""
        return Memory(build, dict(results), self.before if build == self.build else self.last)

    def to_data(self) -> dict[str, Any]:
        """The memory as JSON has it."""
        return {
            "build": self.build,
            **{
                name: {case: {"told": each.told, "print": each.print} for case, each in kept.items()}
                for name, kept in (("last", self.last), ("before", self.before))
            },
        }

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Memory:
        """The memory that such data stand for. Raises RequestError where they are none."""
        try:
            last, before = (
                {str(case): Remembered(str(each["told"]), str(each["print"])) for case, each in kept.items()}
                for kept in (data.get("last") or {}, data.get("before") or {})
            )
            return cls(str(data.get("build") or ""), last, before)
        except (AttributeError, KeyError, TypeError) as error:
            raise RequestError(f"these are no results of cases: {error!r}") from None


def build_key(filters: Iterable[HasPlugin]) -> str:
    """What tells a chain of builds from others: their digests, and a digest of how they are set up."""
    plugins = [as_plugin(each) for each in filters]
    settings = [
        (p.name, p.root_id, p.configuration, p.vm_configuration, tuple(p.environment), p.failure_policy)
        for p in plugins
    ]
    digests = " ".join(plugin.module.digest for plugin in plugins)
    return f"{digests} {hashlib.sha256(repr(settings).encode()).hexdigest()[:12]}"


def fingerprint(exchange: Exchange) -> str:
    """All of an answer that is the same in every run, in a few letters; the page makes the same ones."""
    log = [f"{line.level} {printable(line.message).partition(chr(10))[0]}" for line in exchange.log]
    parts = [exchange.outcome, _steady(exchange.response), _steady(exchange.upstream_request), log]
    return short(json.dumps(parts, separators=(",", ":"), ensure_ascii=False))


def short(text: str) -> str:
    """A text's length and check sum, which stand for it."""
    data = text.encode("utf-8", "replace")
    return f"{len(data)}:{zlib.crc32(data):08x}"


def _steady(message: Request | Response | None) -> list[Any] | None:
    if message is None:
        return None
    first = f"{message.method} {printable(message.path)}" if isinstance(message, Request) else message.status
    pairs = [[printable(n), printable(v)] for n, v in message.headers.pairs if n not in _RANDOM]
    return [first, pairs, base64.b64encode(message.body).decode()]
