"""Put filters to work in a proxy, see how they do, and take them out of service."""

from __future__ import annotations

from typing import Any

from ..errors import DeployError
from ..plugin import HasPlugin
from .deployment import Deployment, Status, Target, unknown
from .envoy import LocalEnvoy

__all__ = ["Deployment", "Status", "deploy", "status", "undeploy"]

_TARGETS: dict[str, Target] = {"envoy": LocalEnvoy()}
_LATER = ("istio", "envoy-gateway", "gloo", "higress", "envoyfilter")


def deploy(plugin: HasPlugin, target: str = "envoy", **options: Any) -> Deployment:
    """Put a filter to work in a proxy, or swap it for the one of the same name without a failed request.

    The module is checked before the proxy sees it; where it is refused, the one that served before goes on
    serving. Target ``envoy``, an Envoy on this machine, takes ``upstream`` (an address, a fixed response or a
    function; default: an echo) and ``port``. Raises DeployError, LinkError or EnvoyRejected with the reason.
    """
    if target in _LATER:
        raise DeployError(f"target {target!r} is not there yet", do=f"use one of: {', '.join(_TARGETS)}")
    if target not in _TARGETS:
        raise DeployError(f"there is no target {target!r}", do=f"use one of: {', '.join(_TARGETS)}")
    return _TARGETS[target].deploy(plugin.plugin, **options)


def status() -> Status:
    """All deployments of this Python process, each asked of its proxy now."""
    return Status(tuple(d for target in _TARGETS.values() for d in target.status()))


def undeploy(name: str) -> Deployment:
    """Take a filter out of service; the last one takes its proxy along.

    Raises DeployError for an unknown name.
    """
    names = []
    for target in _TARGETS.values():
        for deployment in target.status():
            names.append(deployment.name)
            if deployment.name == name:
                return target.undeploy(name)
    raise unknown(name, names)
