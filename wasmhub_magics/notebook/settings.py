"""Settings of the magics: what ``%config WasmMagics`` lists and sets."""

from __future__ import annotations

from typing import Any

from IPython.core.getipython import get_ipython
from traitlets import CaselessStrEnum, Float, List, Unicode
from traitlets.config import Configurable

__all__ = ["WasmMagics", "registries", "settings_of"]


class WasmMagics(Configurable):
    """Defaults of the magics; an option on a magic's line goes before them."""

    language = Unicode("python", help="Language of %%wasm_filter where --lang is not given.").tag(config=True)
    timeout = Float(300.0, min=1.0, help="Seconds after which a compiler is stopped.").tag(config=True)
    engine = CaselessStrEnum(
        ("embedded", "envoy"),
        "embedded",
        help="Proxy of %wasm_send and %wasm_bench where --engine is not given.",
    ).tag(config=True)
    registries = List(
        Unicode(), help="Registries that %wasm_search looks into, as REGISTRY or REGISTRY/NAMESPACE."
    ).tag(config=True)
    progress_after = Float(0.5, min=0.0, help="Seconds after which a running build says so.").tag(config=True)

    link: Any = None
    """The comm to the JupyterLab extension; None where there is no kernel."""


def settings_of(shell: Any) -> Any:
    """The settings that are registered with a shell; None where the magics are not loaded into it."""
    return next((each for each in shell.configurables if type(each).__name__ == "WasmMagics"), None)


def registries() -> tuple[str, ...] | None:
    """The registries to search where none are named; None for those of the environment."""
    shell = get_ipython()
    settings = None if shell is None else settings_of(shell)
    return tuple(settings.registries) or None if settings is not None else None
