"""A filter whose language is part of wasmhub-magics, as a project."""

from __future__ import annotations

from ... import __version__
from ..build import Build
from .layout import Layout
from .texts import make_test

__all__ = ["layout"]


def layout(build: Build, suffix: str = "py") -> Layout:
    """Where things are and how they are built."""
    makefile = """# The filter by wasmhub-magics, which carries the language's runtime: pip install -r requirements.txt
PYTHON := python3

all: NAME.wasm

NAME.wasm: wasmhub.json $(wildcard src/*)
\t$(PYTHON) -m wasmhub_magics.cli build . -o $@

clean:
\trm -f NAME.wasm
"""
    return Layout(
        source=f"src/filter.{suffix}",
        beside="src/",
        files={
            "Makefile": (makefile + make_test).replace("NAME", build.name),
            "requirements.txt": f"wasmhub-magics=={__version__}\n",
        },
        needs="It needs `pip install -r requirements.txt`: the runtime comes with the package, and there is no "
        "compiler.",
        setup=(),
        exact="The build gives the same bytes as there.",
    )
