"""What a deployment shall be, before any target puts it in its own words."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from ..errors import RequestError
from ..plugin import Plugin

__all__ = ["Gap", "Intent", "Phase", "Ref", "Scope", "Side", "Source", "as_ref"]

Phase: TypeAlias = Literal["", "authn", "authz", "stats"]
Side: TypeAlias = Literal["", "client", "server"]

PHASES = ("", "authn", "authz", "stats")
SIDES = ("", "client", "server")
GROUPS = {
    "Gateway": "gateway.networking.k8s.io",
    "GatewayClass": "gateway.networking.k8s.io",
    "HTTPRoute": "gateway.networking.k8s.io",
    "GRPCRoute": "gateway.networking.k8s.io",
    "TCPRoute": "gateway.networking.k8s.io",
    "TLSRoute": "gateway.networking.k8s.io",
    "UDPRoute": "gateway.networking.k8s.io",
    "ListenerSet": "gateway.networking.k8s.io",
    "ServiceEntry": "networking.istio.io",
    "Service": "",
}


@dataclass(frozen=True, slots=True)
class Gap:
    """Something that was asked for and a target cannot say: the setting, why not, and the way out."""

    setting: str
    why: str
    do: str = ""

    def __str__(self) -> str:
        return f"{self.setting}: {self.why}" + (f"; {self.do}" if self.do else "")


@dataclass(frozen=True, slots=True)
class Ref:
    """The name of an object that a filter is attached to; ``section`` is a listener or rule of it."""

    kind: str
    name: str
    section: str = ""

    @property
    def group(self) -> str:
        """The API group of its kind."""
        return GROUPS[self.kind]

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}" + (f"/{self.section}" if self.section else "")


def as_ref(text: str | Ref) -> Ref:
    """Read ``KIND/NAME`` or ``KIND/NAME/SECTION``, the kind in any case. Raises RequestError."""
    if isinstance(text, Ref):
        return text
    kind, slash, rest = text.partition("/")
    name, _, section = rest.partition("/")
    known = {each.lower(): each for each in GROUPS}
    if not slash or not name or kind.lower() not in known:
        raise RequestError(
            f"{text!r} names nothing that a filter can be attached to",
            do=f"write KIND/NAME, such as Gateway/eg; kinds: {', '.join(GROUPS)}",
        )
    return Ref(known[kind.lower()], name, section)


@dataclass(frozen=True, slots=True)
class Scope:
    """Which traffic meets the filter; empty fields do not narrow it.

    ``labels`` choose workloads, ``refs`` are objects it is attached to, ``ports`` and ``side`` narrow it
    within a workload, ``domains`` by host name.
    """

    labels: tuple[tuple[str, str], ...] = ()
    refs: tuple[Ref, ...] = ()
    ports: tuple[int, ...] = ()
    side: Side = ""
    domains: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Source:
    """Where proxies get the module.

    ``url`` starts with ``oci://``, ``http://``, ``https://`` or ``file://``. ``manifest_digest`` pins an
    ``oci://`` address, ``module_digest`` the bytes of the module: two hashes that are easily mixed up.
    """

    url: str
    module_digest: str
    manifest_digest: str = ""
    layout: str = ""

    @property
    def is_image(self) -> bool:
        """Whether it is an OCI image."""
        return self.url.startswith("oci://")

    @property
    def image(self) -> str:
        """The name of the image without its scheme; empty for a plain address."""
        return self.url.removeprefix("oci://") if self.is_image else ""

    @property
    def sha256(self) -> str:
        """The hex digits that products compare: of the manifest for images, of the module for addresses."""
        digest = self.manifest_digest if self.is_image else self.module_digest
        return digest.removeprefix("sha256:")


@dataclass(frozen=True, slots=True)
class Intent:
    """A plugin, where its module comes from, where in the chain it stands and which traffic it meets.

    Of equal ``phase`` a higher ``priority`` comes first. ``pull_secret`` names a secret of the cluster that
    holds the registry's login, ``pull_always`` asks the registry at each change, ``host_env`` are names of
    environment variables that the proxy hands on from its own.
    """

    plugin: Plugin
    source: Source | None = None
    scope: Scope = field(default_factory=Scope)
    phase: Phase = ""
    priority: int = 0
    pull_secret: str = ""
    pull_always: bool = False
    host_env: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.phase not in PHASES:
            raise RequestError(f"{self.phase!r} is no phase", do="use authn, authz, stats or none")
        if self.scope.side not in SIDES:
            raise RequestError(f"{self.scope.side!r} is no side", do="use client, server or none")
        if not -(2**31) <= self.priority < 2**31:
            raise RequestError(f"the priority {self.priority} does not fit 32 bits")
        for port in self.scope.ports:
            if not 0 < port < 65536:
                raise RequestError(f"{port} is no port", do="use 1 to 65535")

    @property
    def name(self) -> str:
        """The name of the deployment."""
        return self.plugin.name

    @property
    def object_name(self) -> str:
        """The name in the form that Kubernetes takes. Raises RequestError where none can be made of it."""
        made = re.sub(r"[^a-z0-9.-]+", "-", self.name.lower()).strip("-.")
        if not made or len(made) > 253 or not re.fullmatch(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", made):
            raise RequestError(
                f"no name for the cluster can be made of {self.name!r}",
                do="give the filter a name of lower-case letters, digits, '-' and '.'",
            )
        return made

    @property
    def value(self) -> Any:
        """The configuration as a JSON value; None where it is empty. Raises ValueError where it is none."""
        text = self.plugin.configuration
        return json.loads(text) if text.strip() else None

    @property
    def config_object(self) -> dict[str, Any] | None:
        """The configuration where it is a JSON object; None where it is empty. Raises ValueError."""
        value = self.value
        if value is not None and not isinstance(value, dict):
            raise ValueError("the configuration is no JSON object")
        return value


def make_scope(
    *,
    labels: Mapping[str, str] | None = None,
    on: str | Ref | Iterable[str | Ref] = (),
    ports: Iterable[int] = (),
    side: Side = "",
    domains: Iterable[str] = (),
) -> Scope:
    """A scope from plain values. Raises RequestError where one cannot be read."""
    refs = (on,) if isinstance(on, str | Ref) else tuple(on)
    hosts = (domains,) if isinstance(domains, str) else tuple(domains)
    return Scope(tuple((labels or {}).items()), tuple(map(as_ref, refs)), tuple(ports), side, hosts)
