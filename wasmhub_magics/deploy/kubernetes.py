"""Deployments in a cluster: plan, apply, wait, roll back and take away, for whatever product."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from ..errors import ClusterUnreachable, Conflict, DeployError, Refused
from .cluster import MANAGER, SECRET, Cluster, Json, Kind
from .deployment import Deployment, State, unknown
from .gaps import inexpressible
from .history import History, Version, annotation, named, read, written
from .intent import Intent
from .placed import Placed, bare, lonely, notes_of, ordered, same, without
from .plan import Plan, changes
from .product import Health, Product, health_from

__all__ = ["ClusterDeployments"]

STATES: dict[Health, State] = {
    "accepted": "accepted",
    "refused": "refused",
    "waiting": "waiting",
    "silent": "applied",
}
POLL_SECONDS = 0.2


class ClusterDeployments:
    """What one product in one namespace of one cluster has from here."""

    def __init__(self, product: Product, cluster: Cluster) -> None:
        self.product = product
        self.cluster = cluster

    def plan(self, intent: Intent, *, adopt: bool = False, lossy: bool = False) -> Plan:
        """What deploying would change: asked of the cluster by a dry run, nothing is kept.

        Raises Conflict, Refused and other DeployErrors as deploying would.
        """
        return self._planned(intent, adopt=adopt, lossy=lossy)[0]

    def deploy(
        self, intent: Intent, *, adopt: bool = False, lossy: bool = False, wait: float = 20.0
    ) -> Deployment:
        """Apply it and wait until the product has said what it thinks of it, ``wait`` seconds at most.

        Raises Inexpressible where the product cannot say all of it, unless ``lossy``; Refused where the
        cluster or the product's controller says no.
        """
        start = time.perf_counter()
        plan, manifest, kind, versions = self._planned(intent, adopt=adopt, lossy=lossy)
        live = self._apply(manifest, kind, versions[-1], force=adopt)
        return self._settled(intent.object_name, kind, live, wait=wait, start=start, notes=plan.notes)

    def rollback(self, name: str, to: int | None = None, *, wait: float = 20.0) -> Deployment:
        """Apply an earlier version again, as a new one. Raises DeployError where there is none."""
        start = time.perf_counter()
        placed = self.find(name)
        history = History(name, placed.history)
        back = history.before(to)
        version = replace(
            back,
            version=history.versions[-1].version + 1,
            at=_now(),
            note=f"rollback to version {back.version}",
        )
        manifest = self._manifest(placed, back.applied, (*placed.history, version), back.priority)
        live = self._apply(manifest, placed.kind, version, force=False)
        return self._settled(placed.name, placed.kind, live, wait=wait, start=start)

    def undeploy(self, name: str) -> Deployment:
        """Take it away and leave nothing behind; what was adopted is given back as it was found."""
        placed = self.find(name)
        gone = self._deployment(placed, (), 0.0)
        first = placed.history[0]
        if self.product.shared:
            self._leave(placed)
        elif first.version == 0:
            manifest = bare(placed.kind, placed.object_name, {})
            self.cluster.apply({**manifest, "spec": first.applied}, placed.kind, force=True)
        else:
            self.cluster.delete(placed.kind, placed.object_name)
        return replace(gone, state="undeployed")

    def _leave(self, placed: Placed) -> None:
        """Take one entry out of a shared object, and what was only there for it."""
        others = named(notes_of(placed.live))
        others.pop(annotation(placed.entry), None)
        entries = self.product.entries(copy.deepcopy(placed.live.get("spec") or {}))
        rest = [entry for entry in entries if entry.get("name") != placed.entry]
        if rest:
            manifest = bare(placed.kind, placed.object_name, others)
            manifest["spec"] = self._around(placed.live)
            self.product.entries(manifest["spec"])[:] = rest
            self.cluster.apply(manifest, placed.kind)
        elif self._made_here(placed.live):
            self.cluster.delete(placed.kind, placed.object_name)
        else:
            # taken out by a patch: applying nothing would leave a null where an empty object was
            paths = [("metadata", "annotations", key) for key in named(notes_of(placed.live))]
            self.cluster.remove(placed.kind, placed.live, [*paths, lonely(placed.live, entries)])

    def find(self, name: str) -> Placed:
        """The deployment of a name. Raises DeployError where there is none."""
        names = []
        for placed in self.all():
            names.append(placed.name)
            if placed.name == name:
                return placed
        raise unknown(name, names, self.cluster.place)

    def all(self) -> Iterator[Placed]:
        """All deployments that bear this package's annotations."""
        for kind in self._kinds():
            for live in self.cluster.objects(kind):
                for key, text in named(notes_of(live)).items():
                    if read(text):
                        yield Placed(key.partition("/")[2], kind, live["metadata"]["name"], live)

    def status(self) -> tuple[Deployment, ...]:
        """All of them with what the cluster says now."""
        return tuple(self._deployment(placed, (), 0.0) for placed in self.all())

    def history(self, name: str) -> History:
        """The versions of a deployment."""
        return History(name, self.find(name).history)

    def _planned(
        self, intent: Intent, *, adopt: bool, lossy: bool
    ) -> tuple[Plan, Json, Kind, tuple[Version, ...]]:
        gaps = tuple(self.product.gaps(intent))
        if gaps and not lossy:
            raise inexpressible(gaps, self.product.title, f"{intent.name} on {self.product.name}")
        intent = without(intent, {gap.setting for gap in gaps})
        kind = next(self._kinds())
        self.cluster.check_namespace()
        self._check_secret(intent)
        home = self._home(intent, kind, adopt=adopt)
        live = self.cluster.get(kind, home)
        if live is None and self.product.shared and not self._can_create():
            there = ", ".join(e["metadata"]["name"] for e in self.cluster.objects(kind)) or "none"
            raise DeployError(
                f"{self.product.title} has no {kind.kind} named {home!r}",
                where=self.cluster.place,
                do=f"pass on='{kind.kind}/NAME' with one of: {there}",
            )
        source = intent.source
        assert source is not None
        before = read(named(notes_of(live)).get(annotation(intent.object_name), ""))
        if live is not None and not before and not self.product.shared:
            if not adopt:
                raise Conflict(
                    f"there is a {kind.kind} named {home!r} that was not deployed from here",
                    where=self.cluster.place,
                    do="choose another name, or take it over with adopt=True (--adopt)",
                )
            before = (Version(0, _now(), "", note="found here", applied=live.get("spec") or {}),)
        spec = self.product.spec(intent, kind)
        applied = self.product.entries(spec)[0] if self.product.shared else spec
        version = Version(
            before[-1].version + 1 if before else 1,
            _now(),
            source.module_digest,
            source.url,
            intent.priority,
            applied=applied,
        )
        placed = Placed(
            intent.object_name, kind, home, live or {"spec": spec, "metadata": {"annotations": {}}}
        )
        manifest = self._manifest(placed, applied, (*before, version), intent.priority, fresh=spec)
        checked = self.cluster.apply(manifest, kind, dry_run=True, force=adopt)
        plan = Plan(
            intent.name,
            self.product.name,
            f"{self.cluster.place}, {kind.kind} {home}",
            manifest,
            changes(live, checked),
            gaps,
            tuple(self.product.notes(intent)),
            live is None,
        )
        return plan, manifest, kind, (*before, version)

    def _manifest(
        self,
        placed: Placed,
        applied: Any,
        versions: tuple[Version, ...],
        priority: int,
        *,
        fresh: Json | None = None,
    ) -> Json:
        """What is applied: the whole object, or of a shared one all that is ours, since the rest would go."""
        notes = named(notes_of(placed.live)) if self.product.shared else {}
        notes[annotation(placed.entry)] = written(versions)
        manifest = bare(placed.kind, placed.object_name, notes)
        if not self.product.shared:
            manifest["metadata"]["labels"] = {"app.kubernetes.io/managed-by": MANAGER}
            manifest["spec"] = applied
            return manifest
        spec = copy.deepcopy(fresh) if fresh is not None else self._around(placed.live)
        there = self.product.entries(copy.deepcopy(placed.live.get("spec") or {}))
        self.product.entries(spec)[:] = ordered(there, applied, priority, notes)
        manifest["spec"] = spec
        return manifest

    def _around(self, live: Json) -> Json:
        """The part of a shared object's spec beside the list that is ours."""
        spec = live.get("spec") or {}
        return {key: copy.deepcopy(spec[key]) for key in ("targetRefs",) if key in spec}

    def _apply(self, manifest: Json, kind: Kind, version: Version, *, force: bool) -> Json:
        try:
            return self.cluster.apply(manifest, kind, force=force)
        except ClusterUnreachable as error:
            error.do = (
                f"it is not known whether version {version.version} was taken: when the cluster is back, "
                f"status(target={self.product.name!r}) tells (%wasm_status --to {self.product.name})"
            )
            raise

    def _settled(
        self, name: str, kind: Kind, live: Json, *, wait: float, start: float, notes: tuple[str, ...] = ()
    ) -> Deployment:
        """Ask until the controller has spoken of this very generation, or the time is over."""
        deadline = time.monotonic() + wait
        object_name = live["metadata"]["name"]
        while self.product.speaks:
            health = health_from(self.product.conditions(live))
            if health in ("accepted", "refused") or time.monotonic() > deadline:
                break
            time.sleep(POLL_SECONDS)
            live = self.cluster.get(kind, object_name) or live
        placed = Placed(name, kind, object_name, live)
        made = self._deployment(placed, notes, time.perf_counter() - start)
        if made.state == "refused":
            told = "; ".join(str(c) for c in made.conditions if c.status == "False")
            back = (
                f"rollback({name!r}) brings the version before it back"
                if made.version > 1
                else f"undeploy({name!r}) takes it away"
            )
            raise Refused(
                f"{self.product.title} refuses it: {told}",
                where="; ".join([f"{kind.kind} {object_name} in {self.cluster.place}", *made.events[-3:]]),
                do=f"version {made.version} stays applied there; {back}",
            )
        return made

    def _deployment(self, placed: Placed, notes: tuple[str, ...], seconds: float) -> Deployment:
        found = self.product.conditions(placed.live)
        version = placed.history[-1]
        return Deployment(
            name=placed.name,
            target=self.product.name,
            url="",
            digest=version.digest,
            version=version.version,
            since=version.since,
            state=STATES[health_from(found)],
            seconds=seconds,
            swap_seconds=0.0,
            place=f"{self.cluster.place}, {placed.kind.kind} {placed.object_name}",
            source=version.source,
            conditions=found,
            events=self.cluster.events(placed.kind, placed.object_name),
            notes=notes,
        )

    def _kinds(self) -> Iterator[Kind]:
        """The kinds of the product that the cluster serves. Raises DeployError where there is none."""
        found = False
        for kind in self.product.kinds:
            if self.cluster.serves(kind):
                found = True
                yield kind
        if found:
            return
        kind = self.product.kinds[0]
        versions = self.cluster.versions(kind.group)
        others = [v for v in versions if v != kind.version]
        wanted = " or ".join(str(each) for each in self.product.kinds)
        if versions:
            offered = f"it serves {kind.group} in {', '.join(others or versions)}"
            raise DeployError(
                f"the cluster serves no {wanted}: {offered}",
                where=self.cluster.place,
                do=f"update {self.product.title} or its custom resource definitions",
            )
        raise DeployError(
            f"the cluster serves no {wanted}",
            where=self.cluster.place,
            do=f"install {self.product.title}, or name the context of a cluster that has it",
        )

    def _home(self, intent: Intent, kind: Kind, *, adopt: bool) -> str:
        """The object that shall carry it: the product heeds one object for each attachment."""
        name = self.product.object_name(intent)
        if not self.product.shared:
            return name
        wanted = self.product.spec(intent, kind).get("targetRefs") or []
        for each in self.cluster.objects(kind) if wanted else []:
            spec = each.get("spec") or {}
            targets = spec.get("targetRefs") or ([spec["targetRef"]] if "targetRef" in spec else [])
            other = each["metadata"]["name"]
            if other != name and any(same(target, wanted[0]) for target in targets):
                if not adopt:
                    raise Conflict(
                        f"the {kind.kind} {other!r} has {intent.scope.refs[0]} already, and "
                        f"{self.product.title} heeds one of them only",
                        where=self.cluster.place,
                        do="add the filter to it with adopt=True (--adopt)",
                        owners={other: ("spec.targetRefs",)},
                    )
                return str(other)
        return name

    def _check_secret(self, intent: Intent) -> None:
        if not intent.pull_secret:
            return
        try:
            secret = self.cluster.get(SECRET, intent.pull_secret)
        except ClusterUnreachable:
            raise
        except DeployError:
            return  # whoever may deploy need not be allowed to read secrets
        if secret is None:
            raise DeployError(
                f"the namespace has no secret {intent.pull_secret!r}",
                where=self.cluster.place,
                do=f"kubectl create secret docker-registry {intent.pull_secret} ..., in the same namespace",
            )
        if secret.get("type") != "kubernetes.io/dockerconfigjson":
            raise DeployError(
                f"the secret {intent.pull_secret!r} holds no registry login: it is {secret.get('type')}",
                where=self.cluster.place,
                do="make it with kubectl create secret docker-registry",
            )

    def _can_create(self) -> bool:
        return bool(self.product.name == "envoy-gateway")

    def _made_here(self, live: Json) -> bool:
        return str(live["metadata"]["name"]).startswith("wasmhub-")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
