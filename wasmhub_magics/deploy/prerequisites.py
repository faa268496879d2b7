"""What has to be in a cluster before a filter can be deployed there, and the object that shall carry it."""

from __future__ import annotations

from collections.abc import Iterator

from ..errors import ClusterUnreachable, Conflict, DeployError
from .cluster import SECRET, Cluster, Json, Kind
from .intent import Intent
from .placed import same
from .product import Product

__all__ = ["check_secret", "home_of", "served"]


def served(cluster: Cluster, product: Product) -> Iterator[Kind]:
    """The kinds of the product that the cluster serves. Raises DeployError where there is none."""
    found = False
    for kind in product.kinds:
        if cluster.serves(kind):
            found = True
            yield kind
    if found:
        return
    kind = product.kinds[0]
    versions = cluster.versions(kind.group)
    others = [v for v in versions if v != kind.version]
    wanted = " or ".join(str(each) for each in product.kinds)
    if versions:
        offered = f"it serves {kind.group} in {', '.join(others or versions)}"
        raise DeployError(
            f"the cluster serves no {wanted}: {offered}",
            where=cluster.place,
            do=f"update {product.title} or its custom resource definitions",
        )
    raise DeployError(
        f"the cluster serves no {wanted}",
        where=cluster.place,
        do=f"install {product.title}, or name the context of a cluster that has it",
    )


def home_of(
    cluster: Cluster, product: Product, intent: Intent, kind: Kind, *, adopt: bool
) -> tuple[str, Json | None]:
    """The name of the object that shall carry it, and the object, if it is there.

    Raises Conflict where the product heeds another one, and DeployError where somebody else has to make it.
    """
    name = product.object_name(intent)
    if product.shared:
        name = _heeded(cluster, product, intent, kind, adopt=adopt) or name
    live = cluster.get(kind, name)
    if live is None and not product.makes:
        there = ", ".join(each["metadata"]["name"] for each in cluster.objects(kind)) or "none"
        raise DeployError(
            f"{product.title} has no {kind.kind} named {name!r}",
            where=cluster.place,
            do=f"pass on='{kind.kind}/NAME' with one of: {there}",
        )
    return name, live


def _heeded(cluster: Cluster, product: Product, intent: Intent, kind: Kind, *, adopt: bool) -> str:
    """Another object that has the same attachment; empty where there is none."""
    name = product.object_name(intent)
    wanted = product.spec(intent, kind).get("targetRefs") or []
    for each in cluster.objects(kind) if wanted else []:
        spec = each.get("spec") or {}
        targets = spec.get("targetRefs") or ([spec["targetRef"]] if "targetRef" in spec else [])
        other = each["metadata"]["name"]
        if other != name and any(same(target, wanted[0]) for target in targets):
            if not adopt:
                raise Conflict(
                    f"the {kind.kind} {other!r} has {intent.scope.refs[0]} already, and "
                    f"{product.title} heeds one of them only",
                    where=cluster.place,
                    do="add the filter to it with adopt=True (--adopt)",
                    owners={other: ("spec.targetRefs",)},
                )
            return str(other)
    return ""


def check_secret(cluster: Cluster, name: str) -> None:
    """Raise DeployError where the pull secret is not there or is of another kind."""
    if not name:
        return
    try:
        secret = cluster.get(SECRET, name)
    except ClusterUnreachable:
        raise
    except DeployError:
        return  # whoever may deploy need not be allowed to read secrets
    if secret is None:
        raise DeployError(
            f"the namespace has no secret {name!r}",
            where=cluster.place,
            do=f"kubectl create secret docker-registry {name} ..., in the same namespace",
        )
    if secret.get("type") != "kubernetes.io/dockerconfigjson":
        raise DeployError(
            f"the secret {name!r} holds no registry login: it is {secret.get('type')}",
            where=cluster.place,
            do="make it with kubectl create secret docker-registry",
        )
