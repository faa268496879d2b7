"""A Kubernetes cluster as far as deployments need it; lightkube is behind this face and nowhere else."""

from __future__ import annotations

import http.client
import json
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from ..errors import ClusterUnreachable, DeployError
from .kubeconfig import choose
from .port_forward import PortClosed, answer, upgrade
from .refusals import refusal

__all__ = ["MANAGER", "Cluster", "Json", "Kind"]

Json: TypeAlias = dict[str, Any]

MANAGER = "wasmhub-magics"
SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of object in one version of its group; ``plural`` is its name in addresses."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """Group and version as a manifest has them."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def __str__(self) -> str:
        return f"{self.kind} ({self.api_version})"


SECRET = Kind("", "v1", "Secret", "secrets")
EVENT = Kind("", "v1", "Event", "events")
NAMESPACE = Kind("", "v1", "Namespace", "namespaces", namespaced=False)


class Cluster:
    """One cluster, one namespace and the login of one kubeconfig context.

    Every method raises ClusterUnreachable where nobody answers, Forbidden where the login may not do it, and
    other DeployErrors with the cluster's own reason.
    """

    def __init__(self, *, kubeconfig: str | Path = "", context: str = "", namespace: str = "") -> None:
        try:
            from lightkube.config.client_adapter import Client, ConnectionParams
            from lightkube.core.exceptions import ConfigError
        except ImportError:
            raise DeployError(
                "clusters need the Kubernetes client", do="pip install 'wasmhub-magics[kubernetes]'"
            ) from None
        import httpx2

        chosen = choose(kubeconfig, context, namespace)
        self.context, self.namespace, self.server = chosen.context, chosen.namespace, chosen.server
        self._network_error = httpx2.HTTPError
        self._config_error = ConfigError
        try:
            self._client = Client(chosen.config, ConnectionParams(timeout=httpx2.Timeout(SECONDS)))
        except Exception as error:  # a login that cannot be used: files that are not there, bad certificates
            raise DeployError(
                f"the login of context {chosen.context!r} cannot be used: {error}", do="mend the kubeconfig"
            ) from None
        self._close = weakref.finalize(self, self._client.close)

    @property
    def place(self) -> str:
        """Context and namespace in one word."""
        return f"{self.context}/{self.namespace}"

    def close(self) -> None:
        """Close its connections."""
        self._close()

    def versions(self, group: str) -> tuple[str, ...]:
        """The versions of an API group that the cluster serves, the preferred one first."""
        found = self._ask("GET", f"/apis/{group}", f"asking what {group} offers", missing=True)
        if found is None:
            return ()
        preferred = (found.get("preferredVersion") or {}).get("version", "")
        names = [each["version"] for each in found.get("versions", [])]
        return tuple(sorted(names, key=lambda name: name != preferred))

    def serves(self, kind: Kind) -> bool:
        """Whether the cluster serves this kind in this version."""
        path = f"/apis/{kind.api_version}"
        found = self._ask("GET", path, f"asking what {kind.api_version} offers", missing=True)
        return found is not None and any(each["name"] == kind.plural for each in found.get("resources", []))

    def get(self, kind: Kind, name: str) -> Json | None:
        """An object, or None where there is none of that name."""
        return self._ask("GET", self._path(kind, name), f"reading {kind.kind} {name}", missing=True)

    def objects(self, kind: Kind, labels: str = "", fields: str = "") -> list[Json]:
        """The objects of a kind in the namespace that bear these labels."""
        params = {"labelSelector": labels} if labels else {}
        if fields:
            params["fieldSelector"] = fields
        found = self._ask("GET", self._path(kind), f"listing {kind.plural}", params=params, missing=True)
        items = [] if found is None else found.get("items", [])
        return [{"apiVersion": kind.api_version, "kind": kind.kind, **each} for each in items]

    def apply(self, manifest: Json, kind: Kind, *, dry_run: bool = False, force: bool = False) -> Json:
        """Apply a manifest on the server's side as the field manager of this package.

        ``dry_run`` lets the cluster check and answer without keeping anything; ``force`` takes fields over
        from whoever owns them. Raises Conflict with their owners where it is not given, and Refused where a
        schema, a rule or a webhook of the cluster says no.
        """
        params = {"fieldManager": MANAGER, "fieldValidation": "Strict", "force": str(force).lower()}
        if dry_run:
            params["dryRun"] = "All"
        name = manifest["metadata"]["name"]
        doing = f"{'checking' if dry_run else 'applying'} {kind.kind} {name}"
        # JSON is YAML, which is what the media type of server-side apply promises
        answer = self._ask(
            "PATCH",
            self._path(kind, name),
            doing,
            params=params,
            body=manifest,
            media="application/apply-patch+yaml",
        )
        assert answer is not None
        return answer

    def remove(self, kind: Kind, live: Json, paths: Sequence[tuple[str, ...]]) -> None:
        """Take these parts out of an object as it was read; Conflict where it has changed since."""
        steps: list[Json] = [
            {"op": "test", "path": "/metadata/resourceVersion", "value": live["metadata"]["resourceVersion"]}
        ]
        for path in paths:
            pointer = "".join(f"/{part.replace('~', '~0').replace('/', '~1')}" for part in path)
            steps.append({"op": "remove", "path": pointer})
        name = live["metadata"]["name"]
        self._ask(
            "PATCH",
            self._path(kind, name),
            f"changing {kind.kind} {name}",
            params={"fieldManager": MANAGER},
            body=steps,
            media="application/json-patch+json",
        )

    def delete(self, kind: Kind, name: str) -> bool:
        """Delete an object; false where there was none."""
        answer = self._ask("DELETE", self._path(kind, name), f"deleting {kind.kind} {name}", missing=True)
        return answer is not None

    def events(self, kind: Kind, name: str) -> tuple[str, ...]:
        """What the cluster noted about an object, oldest first; empty where the login may not read it."""
        try:
            found = self.objects(EVENT, fields=f"involvedObject.kind={kind.kind},involvedObject.name={name}")
        except DeployError:
            return ()
        found.sort(key=lambda e: e.get("lastTimestamp") or e.get("eventTime") or "")
        return tuple(f"{e.get('type', '')} {e.get('reason', '')}: {e.get('message', '')}" for e in found)

    def pods(self, labels: str, namespace: str = "") -> list[Json]:
        """The pods that bear these labels, of a namespace or, where none is named, of all."""
        middle = f"/namespaces/{namespace}" if namespace else ""
        params = {"labelSelector": labels} if labels else {}
        found = self._ask("GET", f"/api/v1{middle}/pods", "listing pods", params=params)
        return [] if found is None else list(found.get("items") or [])

    def pod_text(self, pod: Json, path: str, doing: str, **params: str) -> str:
        """What a subresource of a pod gives as text: its log, or an answer of the pod itself."""
        meta = pod["metadata"]
        base = f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}"
        status, said, raw = self._send("GET", base + path, f"{doing} {meta['name']}", params=params)
        if status >= 400:
            raise refusal(status, said, raw, doing=f"{doing} {meta['name']}", place=self.place)
        return raw.decode("utf-8", "replace")

    def pod_port(self, pod: Json, port: int, path: str, method: str = "GET") -> str:
        """What a port of a pod answers to an HTTP request, by port-forward: of its loopback, too."""
        meta = pod["metadata"]
        to = f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}/portforward"
        doing = f"forwarding port {port} of {meta['name']}"
        try:
            with self._client.stream("GET", to, params={"ports": str(port)}, headers=upgrade()) as opened:
                if opened.status_code != http.client.SWITCHING_PROTOCOLS:
                    raw = opened.read()
                    raise refusal(opened.status_code, _status(raw), raw, doing=doing, place=self.place)
                status, body = answer(opened.extensions["network_stream"], method, path)
        except (PortClosed, self._network_error, OSError) as error:
            raise DeployError(
                f"port {port} of {meta['name']} does not answer: {str(error) or type(error).__name__}",
                where=f"{doing} in {self.place}",
                do="check that its Envoy runs and that its admin interface listens there",
            ) from None
        if status != http.client.OK:
            told = body.decode("utf-8", "replace").strip()[:200]
            raise DeployError(f"port {port} of {meta['name']} answers {status}: {told}", where=doing)
        return body.decode("utf-8", "replace")

    def check_namespace(self) -> None:
        """Raise DeployError where the namespace is not there; say nothing where that may not be asked."""
        try:
            found = self._ask(
                "GET", f"/api/v1/namespaces/{self.namespace}", "looking for the namespace", missing=True
            )
        except ClusterUnreachable:
            raise
        except DeployError:
            return
        if found is None:
            raise DeployError(
                f"the cluster has no namespace {self.namespace!r}",
                where=self.place,
                do=f"kubectl create namespace {self.namespace}, or pass another one",
            )

    def _path(self, kind: Kind, name: str = "") -> str:
        base = f"/apis/{kind.api_version}" if kind.group else f"/api/{kind.version}"
        middle = f"/namespaces/{self.namespace}" if kind.namespaced else ""
        return f"{base}{middle}/{kind.plural}" + (f"/{name}" if name else "")

    def _ask(
        self,
        method: str,
        path: str,
        doing: str,
        *,
        params: dict[str, str] | None = None,
        body: Json | list[Json] | None = None,
        media: str = "application/json",
        missing: bool = False,
    ) -> Json | None:
        """One request; None for 404 where ``missing`` allows it."""
        status, said, raw = self._send(method, path, doing, params=params, body=body, media=media)
        if status == 404 and missing:
            return None
        if status >= 400 or not said:
            raise refusal(status, said, raw, doing=doing, place=self.place)
        return said

    def _send(
        self,
        method: str,
        path: str,
        doing: str,
        *,
        params: dict[str, str] | None = None,
        body: Json | list[Json] | None = None,
        media: str = "application/json",
    ) -> tuple[int, Json, bytes]:
        """One request: the status, the answer where it is a JSON object, and its bytes."""
        content = None if body is None else json.dumps(body, allow_nan=False).encode()
        headers = {"accept": "application/json, */*"} | ({"content-type": media} if content else {})
        try:
            answer = self._client.request(method, path, params=params, content=content, headers=headers)
            status, raw = answer.status_code, answer.content
        except (self._network_error, OSError) as error:
            raise ClusterUnreachable(
                f"the cluster does not answer: {str(error) or type(error).__name__}",
                where=f"{doing}, {self.server} (context {self.context})",
                do="check the address in the kubeconfig and that the cluster runs",
            ) from None
        except self._config_error as error:
            raise DeployError(
                f"the login of context {self.context!r} cannot be used: {error}", do="mend the kubeconfig"
            ) from None
        return status, _status(raw), raw


def _status(raw: bytes) -> Json:
    """An answer where it is a JSON object."""
    try:
        said = json.loads(raw) if raw else {}
    except ValueError:
        said = {}
    return said if isinstance(said, dict) else {}
