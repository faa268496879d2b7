"""Every error a user of this package can meet, in one tree.

    WasmhubError
    ├── RequestError            a request, header or option that cannot be read
    ├── ModuleError             the bytes are not a module that a proxy can run
    │   ├── MalformedModule     not WebAssembly, or cut off
    │   └── LinkError           no ABI marker, an unknown import, a wrong signature
    ├── BuildError              no module came out of a source
    │   ├── CompileError        the source has errors; carries diagnostics
    │   └── ToolchainMissing    the compiler is not on this machine
    ├── ProxyError              a filter could not be run
    │   ├── StartError          start or configuration failed
    │   └── HostError           the proxy itself failed (full, or a bug of ours)
    ├── EnvoyError              the real Envoy is missing, refused or failed
    │   ├── EnvoyMissing
    │   └── EnvoyRejected       Envoy refused a configuration or a module
    ├── HubError                an image could not be moved
    │   ├── ImageNotFound
    │   ├── RegistryUnreachable
    │   ├── Unauthorized
    │   ├── NotARegistry
    │   ├── NotAFilter          the image holds no filter, or its content is damaged
    │   ├── Untrusted           no signature counts, or a policy forbids the image
    │   └── StoreError          the local store cannot be read or written
    │       └── StoreFull       its disk, or what it may hold, is full
    └── DeployError             a deployment could not be made, seen or undone
        ├── Inexpressible       the target cannot say all that was asked for; carries the gaps
        ├── ClusterUnreachable  no cluster answers
        ├── Forbidden           the cluster does not let this login do it
        ├── Conflict            somebody else owns what would change; carries the owners
        └── Refused             a schema, a rule or a webhook of the cluster says no

Each says what happened, where, and what to do about it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

__all__ = [
    "BuildError",
    "ClusterUnreachable",
    "CompileError",
    "Conflict",
    "DeployError",
    "Diagnostic",
    "EnvoyError",
    "EnvoyMissing",
    "EnvoyRejected",
    "Forbidden",
    "HostError",
    "HubError",
    "ImageNotFound",
    "Inexpressible",
    "LinkError",
    "MalformedModule",
    "ModuleError",
    "NotAFilter",
    "NotARegistry",
    "ProxyError",
    "Refused",
    "RegistryUnreachable",
    "RequestError",
    "StartError",
    "StoreError",
    "StoreFull",
    "ToolchainMissing",
    "Unauthorized",
    "Untrusted",
    "WasmhubError",
]


class WasmhubError(Exception):
    """An error of this package: ``what`` happened, ``where``, and what to ``do`` about it.

    ``str()`` gives the parts on one line each; parts that are empty are left out.
    """

    def __init__(self, what: str, *, where: str = "", do: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.do = do

    def __str__(self) -> str:
        lines = [self.what]
        if self.where:
            lines.append(f"  where: {self.where}")
        if self.do:
            lines.append(f"  do: {self.do}")
        return "\n".join(lines)


class RequestError(WasmhubError):
    """A request, a header or an option cannot be read."""


class ModuleError(WasmhubError):
    """The bytes are not a module that a proxy can run."""


class MalformedModule(ModuleError):
    """The bytes are not WebAssembly, or end too early."""


class LinkError(ModuleError):
    """A proxy cannot link the module: no ABI marker, an unknown import or a wrong signature."""


class BuildError(WasmhubError):
    """No module came out of a source."""


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One message of a compiler about one place of a source.

    Lines and columns count from 1; columns count characters. ``end_line`` and ``end_column`` are 0 where
    the compiler names a point only. ``line`` is 0 for a message about no particular place. ``file`` is the
    name of the further source file that the place is in; it is empty for the source itself.
    """

    severity: Literal["error", "warning", "note"]
    message: str
    line: int = 0
    column: int = 0
    end_line: int = 0
    end_column: int = 0
    code: str = ""
    file: str = ""

    def for_source(self) -> Diagnostic:
        """The same for whoever shows the source alone: of a place in another file the message tells."""
        if not self.file:
            return self
        place = ":".join(map(str, (self.file, self.line, *([self.column] if self.column else []))))
        return Diagnostic(self.severity, f"{place}: {self.message}", code=self.code)


class CompileError(BuildError):
    """The source has errors: ``diagnostics`` lists them, ``rendered`` is the compiler's own text."""

    def __init__(
        self,
        what: str,
        *,
        diagnostics: Sequence[Diagnostic] = (),
        rendered: str = "",
        where: str = "",
        do: str = "",
    ) -> None:
        super().__init__(what, where=where, do=do)
        self.diagnostics = tuple(diagnostics)
        self.rendered = rendered

    def __str__(self) -> str:
        text = super().__str__()
        return f"{text}\n{self.rendered}" if self.rendered else text


class ToolchainMissing(BuildError):
    """The compiler of a language is not on this machine; ``do`` is the command that gets it."""


class ProxyError(WasmhubError):
    """A filter could not be run."""


class StartError(ProxyError):
    """A plugin did not start: a trap or a refusal in start-up or configuration.

    ``log`` holds the lines that the filter logged on the way (``LogLine`` values).
    """

    def __init__(self, what: str, *, log: Sequence[object] = (), where: str = "", do: str = "") -> None:
        super().__init__(what, where=where, do=do)
        self.log = tuple(log)

    def __str__(self) -> str:
        return "\n".join([super().__str__(), *(f"  log: {line}" for line in self.log)])


class HostError(ProxyError):
    """The embedded proxy itself failed: filters have filled its memory, or it is a bug of this package."""


class EnvoyError(WasmhubError):
    """The real Envoy failed."""


class EnvoyMissing(EnvoyError):
    """There is no Envoy on this machine."""


class EnvoyRejected(EnvoyError):
    """Envoy refused a configuration or a module; ``do`` or ``what`` holds its own reason."""


class HubError(WasmhubError):
    """An image could not be moved."""


class ImageNotFound(HubError):
    """There is no such repository, tag or digest."""


class RegistryUnreachable(HubError):
    """Nobody answers at the registry's address, or the answer broke off."""


class Unauthorized(HubError):
    """The registry wants a login, or refuses the one it got."""


class NotARegistry(HubError):
    """Something answers, but it does not speak the distribution protocol."""


class NotAFilter(HubError):
    """The image holds no filter, or its content does not match its digest."""


class Untrusted(HubError):
    """No signature of the image counts here, or a policy forbids it."""


class StoreError(HubError):
    """The local store cannot be read or written."""


class StoreFull(StoreError):
    """The disk of the local store, or what it may hold, is full."""


class DeployError(WasmhubError):
    """A deployment could not be made, seen or undone."""


class Inexpressible(DeployError):
    """A target cannot say all that was asked for: ``gaps`` lists what is missing (``Gap`` values)."""

    def __init__(self, what: str, *, gaps: Sequence[object] = (), where: str = "", do: str = "") -> None:
        super().__init__(what, where=where, do=do)
        self.gaps = tuple(gaps)

    def __str__(self) -> str:
        return "\n".join([super().__str__(), *(f"  {gap}" for gap in self.gaps)])


class ClusterUnreachable(DeployError):
    """No cluster answers at the address, or the answer broke off."""


class Forbidden(DeployError):
    """The cluster does not let this login do it."""


class Conflict(DeployError):
    """Somebody else owns what would change: ``owners`` maps field managers to the fields they own."""

    def __init__(
        self, what: str, *, owners: Mapping[str, Sequence[str]] | None = None, where: str = "", do: str = ""
    ) -> None:
        super().__init__(what, where=where, do=do)
        self.owners = {owner: tuple(fields) for owner, fields in (owners or {}).items()}


class Refused(DeployError):
    """A schema, a rule or a webhook of the cluster says no; nothing was changed."""
