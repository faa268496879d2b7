"""Put filters to work in a proxy, see how they do, and take them out of service."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeAlias, cast

from ..errors import DeployError
from ..plugin import HasPlugin
from .adopted import Adopted
from .clusters import PRODUCTS, ClusterTarget
from .container import Container
from .deployment import Deployment, Status, unknown
from .directory import Directory
from .envoy import LocalEnvoy
from .files import FileTarget
from .history import History, Version
from .intent import Gap, Ref
from .listener_file import ListenerFile
from .live import Live
from .logs import Logs
from .plan import Change, Plan
from .product import Condition
from .rollout import Rollout, Rules, Tick
from .running import FilterState, Running, adopt
from .serving import Served
from .snippet import Snippet
from .watching import Trial

__all__ = [
    "CLUSTER_TARGETS",
    "TARGETS",
    "Adopted",
    "Change",
    "Condition",
    "Deployment",
    "FilterState",
    "Gap",
    "History",
    "Live",
    "LocalEnvoy",
    "Logs",
    "Plan",
    "Ref",
    "Rollout",
    "Rules",
    "Running",
    "Served",
    "Status",
    "Version",
    "adopt",
    "canary",
    "deploy",
    "forget",
    "history",
    "local",
    "logs",
    "plan",
    "rollback",
    "status",
    "undeploy",
]

_Target: TypeAlias = LocalEnvoy | Container | FileTarget | ClusterTarget

_ENVOY = LocalEnvoy()
_CLUSTERS = {name: ClusterTarget(product) for name, product in PRODUCTS.items()}
_SNIPPET = Snippet()
_TARGETS: dict[str, _Target] = {
    "envoy": _ENVOY,
    "container": Container(),
    "directory": Directory(),
    "listeners": ListenerFile(),
    **_CLUSTERS,
}

local = _ENVOY
"""The Envoy on this machine: ``local.start()``, ``stop()``, ``live()``, ``running()``, ``order(...)``."""

CLUSTER_TARGETS = tuple(_CLUSTERS)
TARGETS = (*_TARGETS, _SNIPPET.name)


def deploy(plugin: HasPlugin, target: str = "envoy", **options: Any) -> Deployment:
    """Put a filter to work in a proxy, or swap it for the one of the same name without a failed request.

    The module is checked before the proxy sees it; where it is refused, the one that served before goes on
    serving. Target ``envoy``, an Envoy on this machine, takes ``upstream`` (an address, a fixed response or a
    function; default: an echo) and ``port``. Target ``container`` takes these and ``image``, an Envoy of any
    release, which runs by Docker. Target ``directory`` takes ``path``, where another Envoy reads
    filters, and ``admin``, the address of its admin interface; target ``listeners`` takes the file where it
    reads its listeners as ``path``, and ``listeners``, the names of those that are meant. The
    targets in clusters take ``image``, the reference under which the product fetches the filter, ``context``,
    ``namespace`` and ``kubeconfig`` as kubectl does, and what ``plan`` takes. Raises DeployError,
    LinkError or EnvoyRejected with the reason.
    """
    if target == _SNIPPET.name:
        raise DeployError("a snippet is text to paste", do="plan() gives it (%wasm_diff NAME --to snippet)")
    return _target(target).deploy(plugin.plugin, **options)


def canary(
    plugin: HasPlugin,
    percent: int = 10,
    target: str = "envoy",
    *,
    seconds: float = 30.0,
    rules: Rules | None = None,
    progress: Callable[[Tick], object] | None = None,
    **options: Any,
) -> Rollout:
    """Let ``percent`` of the requests meet a new version for ``seconds``, then promote it or take it back.

    What decides are failed requests and the median latency, compared with the version that serves meanwhile
    (``rules``). A target in a cluster takes the ``options`` of ``deploy`` and is watched by the access logs
    of its pods. Raises DeployError where there is nothing to compare with, where the target cannot split
    requests or nobody can tell how they go, and as ``deploy`` does.
    """
    trial = Trial(percent, seconds, rules or Rules(), progress)
    return _target(target).canary(plugin.plugin, trial, **options)


def plan(plugin: HasPlugin, target: str, **options: Any) -> Plan:
    """Tell what deploying would change, and what the target cannot say; nothing is applied.

    Options: ``image`` or ``url`` (where the product fetches the module), ``on`` (``KIND/NAME`` that it is
    attached to), ``labels`` (workloads), ``ports``, ``side`` (client or server), ``domains``, ``phase``
    (authn, authz or stats), ``priority`` (higher first), ``pull_secret``, ``pull_always``, ``host_env``,
    ``adopt``, and the cluster, which is asked by a dry run. Raises DeployError with the reason.
    """
    if target == _SNIPPET.name:
        return _SNIPPET.plan(plugin.plugin, **options)
    there = _target(target)
    if not isinstance(there, ClusterTarget):
        raise DeployError(
            f"target {target!r} has no plan: it swaps at once and can be rolled back",
            do=f"use one of: {', '.join((*CLUSTER_TARGETS, _SNIPPET.name))}",
        )
    return there.plan(plugin.plugin, **options)


def status(target: str = "", **where: Any) -> Status:
    """All deployments of this Python process, each asked of its proxy or cluster now.

    A cluster that does not answer does not spoil it: its deployments are ``unknown``, with the reason.

    With a ``target`` of a cluster and a place (``context``, ``namespace``, ``kubeconfig``) it lists all that
    this package has deployed there, by whomever.
    """
    if target:
        there = _target(target)
        found = (
            there.status(**({"context": ""} | where)) if isinstance(there, ClusterTarget) else there.status()
        )
        return Status(tuple(found))
    return Status(tuple(d for each in _TARGETS.values() for d in each.status()))


def history(name: str, target: str = "", **where: Any) -> History:
    """The versions of a deployment. Raises DeployError for an unknown name."""
    return _find(name, target, where).history(name, **where)


def rollback(name: str, to: int | None = None, target: str = "", **where: Any) -> Deployment:
    """Bring back the version before the one at work, or version ``to``, as a new version.

    Raises DeployError where there is none, and as ``deploy`` does.
    """
    return _find(name, target, where).rollback(name, to, **where)


def undeploy(name: str, target: str = "", **where: Any) -> Deployment:
    """Take a filter out of service; the last one takes its proxy along.

    Raises DeployError for an unknown name.
    """
    return _find(name, target, where).undeploy(name, **where)


class _Versioned(Protocol):
    """What local and cluster targets have in common."""

    def history(self, name: str, **where: Any) -> History: ...

    def rollback(self, name: str, to: int | None = None, **where: Any) -> Deployment: ...

    def undeploy(self, name: str, **where: Any) -> Deployment: ...

    def logs(self, name: str, last: int, **where: Any) -> Logs: ...


def _target(name: str) -> _Target:
    if name not in _TARGETS:
        raise DeployError(f"there is no target {name!r}", do=f"use one of: {', '.join(TARGETS)}")
    return _TARGETS[name]


def logs(name: str, target: str = "", *, last: int = 50, **where: Any) -> Logs:
    """What a deployed filter has logged: the last lines of the local Envoy, or of each proxy in a cluster.

    Raises DeployError for an unknown name, and where the proxies cannot be looked at.
    """
    return _find(name, target, where).logs(name, last, **where)


def forget(name: str = "", target: str = "") -> tuple[Deployment, ...]:
    """Look no longer after deployments that were made from here; where they are, nothing changes.

    For a cluster that is gone for good, or that somebody else looks after from now on. Without a name all
    deployments of the target are meant, without a target those of all targets but the local Envoy. Gives
    what was forgotten. Raises DeployError for an unknown name, and for the local Envoy.
    """
    names = [target] if target else [key for key in _TARGETS if key not in ("envoy", "container")]
    gone: list[Deployment] = []
    for each in map(_target, names):
        if isinstance(each, LocalEnvoy | Container):
            raise DeployError(
                f"the Envoy of target {each.name} is looked after here alone", do="undeploy ends it"
            )
        gone += each.forget(name)
    if name and not gone:
        raise unknown(name, [n for each in map(_target, names) for n in each.names()])
    return tuple(gone)


def _find(name: str, target: str, where: dict[str, Any]) -> _Versioned:
    """The target that has a deployment of this name. Raises DeployError where none or several have it."""
    if target:
        return cast(_Versioned, _target(target))
    if where:
        raise DeployError(
            "a place without a target is none", do=f"pass target= ({', '.join(CLUSTER_TARGETS)})"
        )
    found = [key for key, each in _TARGETS.items() if each.knows(name)]
    if len(found) > 1:
        raise DeployError(
            f"{name!r} is deployed to {' and '.join(found)}", do="pass target= (--to) with one of them"
        )
    if not found:
        raise unknown(name, [each for there in _TARGETS.values() for each in there.names()])
    return cast(_Versioned, _TARGETS[found[0]])
