"""``wasmhub builder``: make the image in which ``--builder docker`` builds."""

from __future__ import annotations

import argparse
from typing import Any

__all__ = ["add_builder_command"]


def add_builder_command(commands: Any) -> None:
    """Add the command to those of a parser."""
    from .build.docker import IMAGE
    from .build.docker_image import BASE

    builder = commands.add_parser("builder", help="make the Docker image in which --builder docker builds")
    builder.add_argument(
        "languages", nargs="*", metavar="LANG", help="languages to build there (default: all)"
    )
    builder.add_argument(
        "--base", default=BASE, metavar="IMAGE", help=f"what to start from (default: {BASE})"
    )
    builder.add_argument("--tag", default=IMAGE, metavar="NAME", help=f"its name (default: {IMAGE})")
    builder.add_argument(
        "--no-install", action="store_true", help="the base has the compilers already: install none"
    )
    builder.set_defaults(run=_builder)


def _builder(options: argparse.Namespace) -> int:
    from .build.docker_image import make_image

    tag = make_image(
        options.languages,
        base=options.base,
        tag=options.tag,
        install=not options.no_install,
        progress=print,
    )
    print(tag)
    return 0
