"""WebAssembly Hub in a notebook: write Proxy-Wasm filters in a cell; try, measure, verify, publish, deploy.

Everything public is here and imported on first use, so that importing the package costs next to nothing.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from .deploy import Deployment
    from .doctor import doctor
    from .envoy import EnvoyProxy, ParityReport
    from .errors import WasmhubError
    from .filter import Filter, build, deploy, load, pull, search
    from .http import Headers, Request, Response
    from .hub import Image
    from .latency import LatencyReport
    from .module import Module
    from .plugin import Limits, Plugin
    from .proxy import Delay, Exchange, Failure, Grpc, GrpcCall, GrpcReply, Proxy

__version__ = "0.1.0"

__all__ = [
    "Delay",
    "Deployment",
    "EnvoyProxy",
    "Exchange",
    "Failure",
    "Filter",
    "Grpc",
    "GrpcCall",
    "GrpcReply",
    "Headers",
    "Image",
    "LatencyReport",
    "Limits",
    "Module",
    "ParityReport",
    "Plugin",
    "Proxy",
    "Request",
    "Response",
    "WasmhubError",
    "build",
    "deploy",
    "doctor",
    "load",
    "load_ipython_extension",
    "pull",
    "search",
    "unload_ipython_extension",
]

_HOMES = {
    "Delay": "proxy",
    "Deployment": "deploy",
    "EnvoyProxy": "envoy",
    "Exchange": "proxy",
    "Failure": "proxy",
    "Filter": "filter",
    "Grpc": "proxy",
    "GrpcCall": "proxy",
    "GrpcReply": "proxy",
    "Headers": "http",
    "Image": "hub",
    "LatencyReport": "latency",
    "Limits": "plugin",
    "Module": "module",
    "ParityReport": "envoy",
    "Plugin": "plugin",
    "Proxy": "proxy",
    "Request": "http",
    "Response": "http",
    "WasmhubError": "errors",
    "load": "filter",
    "pull": "filter",
    "search": "filter",
}


def _function(name: str, home: str) -> property:
    """A name that stays a function when the import system wants to put the room of the same name there."""
    return property(
        lambda _self: getattr(import_module(f".{home}", __name__), name), lambda _self, _room: None
    )


class _Front(ModuleType):
    """This package, whose functions ``build``, ``deploy`` and ``doctor`` share their names with modules."""

    build = _function("build", "filter")
    deploy = _function("deploy", "filter")
    doctor = _function("doctor", "doctor")


sys.modules[__name__].__class__ = _Front


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{home}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Register the magics: what ``%load_ext wasmhub_magics`` calls."""
    from .notebook import load

    load(shell)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Take the magics, the completer and the hooks away again."""
    from .notebook import unload

    unload(shell)


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    """Where the JupyterLab extension is: what ``jupyter-builder develop`` asks."""
    return [{"src": "labextension", "dest": "wasmhub-magics-lab"}]
