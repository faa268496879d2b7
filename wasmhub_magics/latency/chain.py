"""The chain of filters that is measured."""

from __future__ import annotations

from collections.abc import Iterable

from ..plugin import HasPlugin, Plugin, as_plugin

__all__ = ["chain_of", "digest_of", "name_of"]


def chain_of(plugins: HasPlugin | Iterable[HasPlugin]) -> list[Plugin]:
    """The plugins of one filter or of several."""
    return [as_plugin(each) for each in (plugins if isinstance(plugins, Iterable) else [plugins])]


def name_of(chain: list[Plugin]) -> str:
    """The name a report carries: those of its filters."""
    return " + ".join(plugin.name for plugin in chain) or "no filter"


def digest_of(chain: list[Plugin]) -> str:
    """The digest of the first filter's module; empty for a chain without filters."""
    return chain[0].module.digest if chain else ""
