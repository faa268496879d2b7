"""Whether the proxies in a cluster can load a module: the verdict of their releases of Envoy."""

from __future__ import annotations

from ..errors import DeployError
from ..module import Module
from ..profile import profiles
from .cluster import Cluster
from .pods import proxies
from .product import PodQuery

__all__ = ["fit"]


def fit(cluster: Cluster, query: PodQuery, module: Module, name: str) -> tuple[str, ...]:
    """What is to be said of the proxies' releases; nothing where none can be seen.

    Raises DeployError where one of them is known to lack an import of the module.
    """
    try:
        releases = sorted({proxy.envoy for proxy, _ in proxies(cluster, query) if proxy.envoy})
    except DeployError:
        return ()
    told = []
    for profile in profiles(releases) if releases else ():
        lacking = [why for each in module.imports if (why := profile.of_import(each, module.abi))]
        if lacking and profile.exact:
            raise DeployError(
                f"proxies there cannot load {name}: {lacking[0]}",
                where=cluster.place,
                do="update them, or build the filter without it (%wasm_inspect tells what each release has)",
            )
        if lacking:
            told.append(f"{profile.title}, which proxies there have, may not load it: {lacking[0]}")
    return tuple(told)
