"""The gaps that more than one product has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ..errors import Inexpressible
from .intent import Gap, Intent

__all__ = ["READ_BY_AGENTS", "common", "config_object", "inexpressible", "layout", "scope"]

READ_BY_AGENTS = ("compat", "docker", "solo")
"""Layouts that the agents of Istio, Envoy Gateway and Higress read (``pkg/wasm/imagefetcher.go``)."""

RAW = "deploy to envoyfilter, which can"


def common(intent: Intent, title: str, *, raw: str = RAW) -> Iterator[Gap]:
    """What only the raw configuration of Envoy can say."""
    plugin = intent.plugin
    if plugin.vm_configuration:
        yield Gap("VM configuration", f"{title} has none", f"leave it out, or {raw}")
    if plugin.vm_id:
        yield Gap("VM id", f"{title} chooses it by itself", f"leave it out, or {raw}")
    if plugin.allow_on_headers_stop_iteration:
        yield Gap(
            "allow_on_headers_stop_iteration",
            f"{title} cannot set it: a filter that stops at the headers does not see the body there",
            raw,
        )


def config_object(intent: Intent, title: str, *, raw: str = RAW) -> Iterator[Gap]:
    """The configuration where a product carries a JSON object only."""
    try:
        intent.config_object  # noqa: B018 asked whether it is one
    except ValueError:
        yield Gap(
            "configuration", f"{title} carries a JSON object only", f"make it one, such as {{...}}, or {raw}"
        )


def layout(intent: Intent, title: str) -> Iterator[Gap]:
    """An image in a layout that a product does not read."""
    source = intent.source
    if source and source.is_image and source.layout and source.layout not in READ_BY_AGENTS:
        yield Gap(
            "image",
            f"{title} does not read the layout {source.layout!r}",
            "push it again from here: its default layout is read",
        )


def scope(intent: Intent, title: str, allowed: Iterable[str]) -> Iterator[Gap]:
    """The parts of a scope that a product cannot say."""
    known = set(allowed)
    parts = {
        "labels": ("workload labels", intent.scope.labels),
        "refs": ("attachment", intent.scope.refs),
        "ports": ("ports", intent.scope.ports),
        "side": ("side", intent.scope.side),
        "domains": ("domains", intent.scope.domains),
    }
    for part, (setting, value) in parts.items():
        if value and part not in known:
            yield Gap(setting, f"{title} cannot choose traffic by it", "leave it out")


def inexpressible(gaps: Sequence[Gap], title: str, where: str) -> Inexpressible:
    """The error for what a product cannot say."""
    settings = ", ".join(dict.fromkeys(gap.setting for gap in gaps))
    return Inexpressible(
        f"{title} cannot say all of it: {settings}",
        gaps=gaps,
        where=where,
        do="change what is listed, or go without it with lossy=True (--lossy); nothing was applied",
    )
