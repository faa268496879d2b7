"""What a person waits for at the screen: entries that are measured in a browser."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from entries import ROOT, Entry

__all__ = ["SCREENS"]


def tester_page() -> Entry:
    """From a key press in the tester to its answer on the screen, the filter run in the page."""
    return waited("in_the_page", 16.0)


def tester_kernel() -> Entry:
    """From a click in the tester to its answer on the screen, a Python function of the kernel answering."""
    return waited("through_the_kernel", 50.0)


def waited(name: str, aim: float) -> Entry:
    interaction = measured("interaction")
    sides = interaction.sides(getattr(interaction, name)())
    note = f"90 % within {sides['p90_ms']:.1f} ms; the aim is {aim:g} ms"
    return Entry(sides["median_ms"], "ms", sides, note)


def lab_typing() -> Entry:
    """What the JupyterLab extension adds to a key in a filter of 500 lines."""
    sides = measured("lab_costs").typing()
    note = f"a key takes {sides['without_ms']:.1f} ms without; the aim is 5 ms"
    return Entry(sides["added_ms"], "ms", sides, note)


def lab_panel() -> Entry:
    """From the command that opens the panel to its images on the screen, 1,000 of them in the store."""
    sides = measured("lab_costs").opening()
    note = (
        f"the panel itself {sides['panel_ms']:.0f} ms, slowest {sides['slowest_images_ms']:.0f} ms; "
        "the aim is 200 ms"
    )
    return Entry(sides["images_ms"], "ms", sides, note)


def lab_size() -> Entry:
    """What the JupyterLab extension adds to a page."""
    sides = measured("lab_costs").size()
    note = (
        f"{sides['start_bytes'] / 1000:.1f} KB with the panel open, "
        f"{sides['with_help_bytes'] / 1000:.1f} KB once Python's names are explained, "
        f"{sides['with_most_bytes'] / 1000:.1f} KB where C++'s are, which have most; "
        f"{sides['start_compressed_bytes'] / 1000:.0f} KB at start where the server compresses; "
        "the aim is 100 KB of 1000 bytes"
    )
    return Entry(sides["with_help_bytes"] / 1000, "KB", sides, note)


def measured(name: str) -> Any:
    """The module that measures, which needs the browser tests beside it."""
    sys.path.insert(0, str(ROOT))
    from importlib import import_module

    return import_module(f"tests.benchmarks.{name}")


SCREENS: dict[str, Callable[[], Entry]] = {
    "tester.page": tester_page,
    "tester.kernel": tester_kernel,
    "lab.typing": lab_typing,
    "lab.panel": lab_panel,
    "lab.size": lab_size,
}
