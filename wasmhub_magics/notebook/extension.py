"""Loading and unloading: what ``%load_ext``, ``%reload_ext`` and ``%unload_ext`` do."""

from __future__ import annotations

from functools import partial
from typing import Any

from IPython.core.interactiveshell import InteractiveShell

from ..filter_trials import Trials
from .completion import complete
from .link import Link
from .magics import GROUPS
from .settings import WasmMagics, settings_of

__all__ = ["load", "unload"]


def load(shell: InteractiveShell) -> None:
    """Register magics, settings and completer with a shell; a second call changes nothing."""
    if settings_of(shell) is not None:
        return
    settings = WasmMagics(parent=shell)
    shell.configurables.append(settings)  # type: ignore[arg-type]
    for group in GROUPS:
        shell.register_magics(group(shell, settings))
    shell.Completer.custom_matchers.append(complete)
    if getattr(shell, "kernel", None) is not None:
        settings.link = Link.open()
    Trials.opener = partial(_open, shell)


def _open(shell: InteractiveShell, filters: list[Any]) -> Any:
    from .tester_loader import tester

    return tester(filters, shell.user_ns)


def unload(shell: InteractiveShell) -> None:
    """Take away what ``load`` registered; the filters that were built stay."""
    ours = tuple(GROUPS)
    link = getattr(settings_of(shell), "link", None)
    if link is not None:
        link.close()
    Trials.opener = None
    manager = shell.magics_manager
    for group in ours:
        manager.registry.pop(group.__name__, None)
        for kind, names in group.magics.items():
            for name in names:
                manager.magics[kind].pop(name, None)
    shell.configurables[:] = [
        each for each in shell.configurables if type(each).__name__ not in {"WasmMagics", *_names(ours)}
    ]
    matchers = shell.Completer.custom_matchers
    matchers[:] = [each for each in matchers if each.__module__ != complete.__module__]


def _names(classes: tuple[type, ...]) -> set[str]:
    return {each.__name__ for each in classes}
