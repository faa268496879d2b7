"""What is around a request in the tester: who answers, with which configuration and policy."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import RequestError
from ..http import Response
from ..plugin import HasPlugin, Plugin, as_plugin
from ..proxy import Cluster, Upstream
from ..proxy.properties import PropertyValue
from ..testing.answers import cluster_from, upstream_from
from .cases import answer_spec

__all__ = ["World", "world_from_data"]


@dataclass(frozen=True)
class World:
    """Who answers what passes the filters, and how these are set up; ``key`` is the same for equal ones."""

    upstream: Upstream
    clusters: Mapping[str, Cluster] = field(default_factory=dict)
    configs: Mapping[str, str] = field(default_factory=dict)
    policy: str = ""
    properties: Mapping[str, PropertyValue] = field(default_factory=dict)
    key: str = ""

    def plugins(self, filters: list[HasPlugin]) -> list[Plugin]:
        """The plugins of the filters in this world."""
        found = []
        for made in filters:
            plugin = as_plugin(made)
            changes: dict[str, Any] = {}
            if plugin.name in self.configs:
                changes["configuration"] = self.configs[plugin.name].encode()
            if self.policy:
                changes["failure_policy"] = self.policy
            found.append(plugin.replace(**changes))
        return found


def world_from_data(data: Mapping[str, Any], variables: Mapping[str, object]) -> World:
    """The world as the script tells it; a Python upstream is one of the variables. Raises RequestError."""
    try:
        told = data.get("upstream") or {"echo": True}
        upstream = (
            _variable(str(told["python"]), variables)
            if "python" in told
            else upstream_from(answer_spec(told))
        )
        clusters = {str(k): cluster_from(answer_spec(v)) for k, v in (data.get("clusters") or {}).items()}
        configs = {str(k): str(v) for k, v in (data.get("configs") or {}).items()}
        properties = {str(k): _property(str(v)) for k, v in (data.get("properties") or {}).items()}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RequestError(f"this is no setting of the tester: {error!r}") from None
    key = repr(
        (sorted((data.get("clusters") or {}).items(), key=str), configs, data.get("policy"), properties)
    )
    return World(upstream, clusters, configs, str(data.get("policy") or ""), properties, key)


def _property(told: str) -> PropertyValue:
    """What is typed as a property: a truth, a whole number, or text."""
    if told in ("true", "false"):
        return told == "true"
    return int(told) if re.fullmatch(r"-?\d{1,18}", told) else told


def _variable(name: str, variables: Mapping[str, object]) -> Upstream:
    value = variables.get(name)
    if isinstance(value, Response):
        return value
    if not callable(value):
        raise RequestError(
            f"{name or 'nothing'!r} cannot answer requests",
            do="name a variable that holds a Response, or a function from Request to Response",
        )
    function: Callable[..., Any] = value
    return function
