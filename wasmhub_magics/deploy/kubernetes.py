"""Deployments in a cluster: plan, apply, wait, roll back and take away, for whatever product."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from ..errors import ClusterUnreachable, Conflict, Refused
from .cluster import MANAGER, Cluster, Json, Kind
from .deployment import Deployment, State, unknown
from .fetch_ahead import fetched_ahead, heard
from .fit import fit
from .gaps import inexpressible
from .history import History, Version, annotation, named, read, written
from .intent import Intent
from .logs import Logs, from_pods
from .placed import Placed, bare, lonely, notes_of, ordered, without
from .plan import Plan, changes
from .pod_serving import PodsServing
from .prerequisites import check_secret, home_of, served
from .product import Health, Product, health_from
from .temporary import clear, told

__all__ = ["ClusterDeployments"]

STATES: dict[Health, State] = {
    "accepted": "accepted",
    "refused": "refused",
    "waiting": "waiting",
    "silent": "applied",
}


@dataclass(frozen=True, slots=True)
class _Planned:
    """What is to be applied."""

    placed: Placed
    versions: tuple[Version, ...]
    manifest: Json


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
        plan, planned = self._planned(intent, adopt=adopt, lossy=lossy)
        return self._made(planned, wait=wait, start=start, notes=plan.notes, force=adopt)

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
        versions = (*placed.history, version)
        planned = _Planned(placed, versions, self._manifest(placed, back.applied, versions))
        return self._made(planned, wait=wait, start=start)

    def undeploy(self, name: str) -> Deployment:
        """Take it away and leave nothing behind; what was adopted is given back as it was found."""
        clear(self.cluster, self.product, name, "canary", "fetch")
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
        for kind in served(self.cluster, self.product):
            for live in self.cluster.objects(kind):
                for key, text in named(notes_of(live)).items():
                    if read(text):
                        yield Placed(key.partition("/")[2], kind, live["metadata"]["name"], live)

    def status(self) -> tuple[Deployment, ...]:
        """All of them with what the cluster and the proxies say now."""
        pods = PodsServing(self.cluster)
        return tuple(
            pods.seen(
                self._deployment(placed, told(self.cluster, self.product, placed.name), 0.0),
                self.product.pods(placed.live),
                placed.history,
            )
            for placed in self.all()
        )

    def logs(self, name: str, last: int) -> Logs:
        """What the proxies that run it have logged about Wasm."""
        placed = self.find(name)
        return from_pods(self.cluster, self.product.pods(placed.live), placed.name, self.product.name, last)

    def history(self, name: str) -> History:
        """The versions of a deployment."""
        return History(name, self.find(name).history)

    def _planned(self, intent: Intent, *, adopt: bool, lossy: bool) -> tuple[Plan, _Planned]:
        gaps = tuple(self.product.gaps(intent))
        if gaps and not lossy:
            raise inexpressible(gaps, self.product.title, f"{intent.name} on {self.product.name}")
        intent = without(intent, {gap.setting for gap in gaps})
        kind = next(served(self.cluster, self.product))
        self.cluster.check_namespace()
        check_secret(self.cluster, intent.pull_secret)
        home, live = home_of(self.cluster, self.product, intent, kind, adopt=adopt)
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
        placed = Placed(intent.object_name, kind, home, live or {"spec": {}, "metadata": {"annotations": {}}})
        versions = (*before, version)
        manifest = self._manifest(placed, applied, versions, fresh=spec)
        query = self.product.pods({**manifest, "metadata": {"namespace": self.cluster.namespace}})
        fits = fit(self.cluster, query, intent.plugin.module, intent.name)
        checked = self.cluster.apply(manifest, kind, dry_run=True, force=adopt)
        plan = Plan(
            intent.name,
            self.product.name,
            f"{self.cluster.place}, {kind.kind} {home}",
            manifest,
            changes(live, checked),
            gaps,
            (*self.product.notes(intent), *fits),
            live is None,
        )
        return plan, _Planned(placed, versions, manifest)

    def _made(
        self,
        planned: _Planned,
        *,
        wait: float,
        start: float,
        notes: tuple[str, ...] = (),
        force: bool = False,
    ) -> Deployment:
        """Apply it, fetched ahead where the product needs that, and see what comes of it."""
        placed, version = planned.placed, planned.versions[-1]
        with fetched_ahead(self.cluster, self.product, planned.manifest, placed, version, wait=wait) as told:
            live = self._apply(planned.manifest, placed.kind, version, force=force)
            return self._settled(
                placed.name, placed.kind, live, wait=wait, start=start, notes=(*notes, *told)
            )

    def _manifest(
        self,
        placed: Placed,
        applied: Any,
        versions: tuple[Version, ...],
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
        self.product.entries(spec)[:] = ordered(there, applied, versions[-1].priority, notes)
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
        object_name = live["metadata"]["name"]
        live = heard(self.cluster, self.product, kind, live, wait)
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

    def _made_here(self, live: Json) -> bool:
        return str(live["metadata"]["name"]).startswith("wasmhub-")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
