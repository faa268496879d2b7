"""Keep where a filter of the session failed at work, for whoever marks it in the cell."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, cast

from ..errors import ProxyError, StartError
from .session import SESSION
from .traps import findings

if TYPE_CHECKING:
    from ..filter import Filter
    from ..http import Request
    from ..proxy import LogLine

__all__ = ["mark", "marking", "trying"]


def mark(made: Filter, log: Iterable[LogLine]) -> None:
    """Keep the lines of the cell in which a filter failed, as its log tells; none where it did not fail."""
    SESSION.history.failed(made.name, made.digest, findings(made, log))


@contextlib.contextmanager
def marking(made: Filter) -> Iterator[None]:
    """Keep where a filter fails to start in the block."""
    try:
        yield
    except StartError as error:
        mark(made, cast("tuple[LogLine, ...]", error.log))
        raise


@contextlib.contextmanager
def trying(filters: Iterable[Filter], requests: Iterable[Request], upstream: Any = None) -> Iterator[None]:
    """After a measurement, also one that broke off, send its requests once to keep where the filters fail.

    A loop keeps no log, and of its failures only counts.
    """
    try:
        yield
    except ProxyError:
        _try_each(filters, requests, upstream)
        raise
    _try_each(filters, requests, upstream)


def _try_each(filters: Iterable[Filter], requests: Iterable[Request], upstream: Any) -> None:
    from ..proxy import Proxy

    given = {} if upstream is None else {"upstream": upstream}
    for made in filters:
        with contextlib.suppress(ProxyError), marking(made), Proxy([made.plugin]) as proxy:
            mark(made, [line for each in requests for line in proxy.send(each, **given).log])
