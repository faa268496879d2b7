"""WebAssembly Hub in a notebook: write Proxy-Wasm filters in a cell, try, measure, verify, publish, deploy them.

Everything public is here and imported on first use, so that importing the package costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__version__ = "0.1.0"

_HOMES = {
    "Headers": "http",
    "Request": "http",
    "Response": "http",
    "Module": "module",
    "Limits": "plugin",
    "Plugin": "plugin",
    "WasmhubError": "errors",
    "Proxy": "proxy",
    "Exchange": "proxy",
    "EnvoyProxy": "envoy",
    "ParityReport": "envoy",
    "LatencyReport": "latency",
    "Image": "hub",
    "Deployment": "deploy",
    "Filter": "filter",
    "build": "filter",
    "deploy": "filter",
    "load": "filter",
    "pull": "filter",
    "search": "filter",
}

__all__ = [*sorted(_HOMES), "load_ipython_extension", "unload_ipython_extension"]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{home}", __name__), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Register the magics: what ``%load_ext wasmhub_magics`` calls."""
    from .notebook import load

    load(shell)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Take the magics, the completer and the hooks away again."""
    from .notebook import unload

    unload(shell)
