"""A plugin: a module, its configuration, and what the proxy does when it fails."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol, TypeAlias

from .errors import RequestError
from .module import Module

__all__ = ["Config", "FailurePolicy", "HasPlugin", "Limits", "Plugin", "as_plugin", "encode_config"]

FailurePolicy: TypeAlias = Literal["closed", "open", "reload"]
Config: TypeAlias = "str | bytes | Mapping[str, Any] | list[Any] | int | float | bool | None"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one virtual machine, one callback and one exchange may use in the embedded proxy.

    Envoy itself limits memory (1 GiB) and the buffered body only (``proxy-wasm-cpp-host limits.h``).
    """

    memory_bytes: int = 256 << 20
    """Linear memory of a virtual machine; growth beyond it fails inside the filter."""
    callback_seconds: float = 2.0
    """Time on a processor of one callback, start-up callbacks included; wall time where that is not known."""
    exchange_seconds: float = 20.0
    """Time on a processor of one exchange and all that happens beside it: timers and answers as well."""
    log_bytes: int = 1 << 20
    """Log text kept of one exchange; what comes after is counted and dropped."""
    body_bytes: int = 1 << 20
    """Body that is held back for a filter, as Envoy's ``per_connection_buffer_limit_bytes``."""
    fuel: int | None = None
    """Wasm instructions of one exchange; None does not count them."""


@dataclass(frozen=True, slots=True)
class Plugin:
    """One filter of a chain, as a proxy's configuration names it.

    The fields are those of Envoy's ``PluginConfig`` and ``VmConfig``
    (``envoy/extensions/wasm/v3/wasm.proto``).
    """

    module: Module
    name: str
    root_id: str = ""
    configuration: bytes = b""
    vm_id: str = ""
    vm_configuration: bytes = b""
    environment: tuple[tuple[str, str], ...] = ()
    failure_policy: FailurePolicy = "closed"
    allow_on_headers_stop_iteration: bool = False
    reload_seconds: float = 1.0
    """With the policy to reload, a failed module starts anew when so much time has passed since its last
    start; Envoy adds up to half of it at random."""
    allowed_capabilities: tuple[str, ...] = ()
    """Names of host functions and callbacks that the module may use; none means all of them."""
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        if self.failure_policy not in ("closed", "open", "reload"):
            raise RequestError(
                f"{self.failure_policy!r} is no failure policy", do="use closed, open or reload"
            )
        if not 0.001 <= self.reload_seconds <= 300:
            raise RequestError(
                f"a module cannot start anew {self.reload_seconds} seconds after its start",
                do="pass reload_seconds from 0.001 to 300",
            )

    @property
    def plugin(self) -> Plugin:
        """This plugin, so that plugins and filters can stand in one list."""
        return self

    def replace(self, **changes: Any) -> Plugin:
        """A changed copy; the names are those of the fields."""
        return replace(self, **changes)

    def __repr__(self) -> str:
        return f"<Plugin {self.name} {self.module.digest[:19]}>"


class HasPlugin(Protocol):
    """Anything that stands for a plugin: a ``Plugin`` or a ``Filter``."""

    @property
    def plugin(self) -> Plugin:
        """The plugin it stands for."""
        ...


def as_plugin(value: HasPlugin | Module) -> Plugin:
    """The plugin that a filter, a plugin or a bare module stands for."""
    return Plugin(value, name="filter") if isinstance(value, Module) else value.plugin


def encode_config(config: Config) -> bytes:
    """The bytes a plugin gets as configuration: text and bytes as they are, other values as JSON.

    None is an empty configuration. Raises RequestError where a value has no JSON form.
    """
    if config is None:
        return b""
    if isinstance(config, bytes):
        return config
    if isinstance(config, str):
        return config.encode()
    try:
        return json.dumps(config, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        raise RequestError(
            f"the configuration has no JSON form: {error}",
            do="pass text, bytes, or a value made of dict, list, str, int, float, bool and None",
        ) from None
