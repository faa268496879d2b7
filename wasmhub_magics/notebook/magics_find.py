"""%wasm_search, %wasm_images, %wasm_info: find filters and look at them."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from IPython.core import magic_arguments as ipython
from IPython.core.magic import magics_class

from .arguments import Magic, argument, line_magic, magic_arguments, parse
from .connection import connection_arguments, connection_from
from .errors import clean_errors
from .group import Group
from .progress import Progress

if TYPE_CHECKING:
    from ..hub import Info, SearchResult

__all__ = ["FindMagics"]

FILTERS = ("language", "abi", "keyword", "category", "licence", "layout", "product", "sort")


class _Filters(ipython.ArgDecorator):
    """What an image must be to be listed."""

    def add_to_parser(self, parser: argparse.ArgumentParser, group: Any) -> None:  # noqa: ARG002
        for name in FILTERS[:-1]:
            parser.add_argument(f"--{name}", default="", metavar="VALUE", help=f"only images of this {name}")
        parser.add_argument(
            "--signed", action="store_true", default=None, help="only images with a signature"
        )
        parser.add_argument(
            "--sort",
            default="",
            choices=("", "relevance", "name", "created", "size"),
            help="order of the list",
        )
        parser.add_argument("--limit", type=int, default=100, help="how many to show (default: 100)")


def filter_arguments() -> Callable[[Magic], Magic]:
    """Declare the filters of a search, its order and its limit."""
    decorator: Callable[[Magic], Magic] = _Filters()
    return decorator


@magics_class
class FindMagics(Group):
    """Magics that find images."""

    @magic_arguments()
    @argument("words", nargs="*", metavar="TEXT", help="words of the name, description, README; all if none")
    @argument(
        "--registry",
        action="append",
        metavar="REGISTRY[/NAMESPACE]",
        help="look there too; may be repeated (default: those of the setting registries)",
    )
    @argument("--refresh", action="store_true", help="ask the registries again, read the whole local store")
    @filter_arguments()
    @connection_arguments()
    @line_magic
    @clean_errors
    def wasm_search(self, line: str) -> SearchResult:
        """Find images in the local store, in registries and among the examples.

        Examples::

            %wasm_search greeting
            %wasm_search jwt --registry localhost:5000 --language rust --product Istio
        """
        from ..filter import search

        options = parse(self.wasm_search, line)
        registries = options.registry or list(self.settings.registries) or None
        with Progress("search", self.settings.progress_after) as progress:
            return search(
                " ".join(options.words),
                registries=registries,
                refresh=options.refresh,
                progress=progress,
                **self._given(options),
            )

    @magic_arguments()
    @argument("words", nargs="*", metavar="TEXT", help="words of the name, description, README; all if none")
    @filter_arguments()
    @line_magic
    @clean_errors
    def wasm_images(self, line: str) -> SearchResult:
        """List the images of the local store, also those that other tools put there.

        Example::

            %wasm_images --language python --sort size
        """
        from ..hub import images

        options = parse(self.wasm_images, line)
        return images(text=" ".join(options.words), **self._given(options, connect=False))

    @magic_arguments()
    @argument("reference", metavar="REF", help="[REGISTRY/]REPOSITORY[:TAG][@DIGEST]")
    @argument("--key", action="append", metavar="FILE", help="public key whose signatures count")
    @connection_arguments()
    @line_magic
    @clean_errors
    def wasm_info(self, line: str) -> Info:
        """Tell all that an image carries: README, schema, who can pull it, who signed it.

        Example::

            %wasm_info localhost:5000/demo/greeter:v1 --key team.pub
        """
        from ..hub import info

        options = parse(self.wasm_info, line)
        return info(options.reference, key=options.key, **connection_from(options, self.variables))

    def _given(self, options: argparse.Namespace, connect: bool = True) -> dict[str, Any]:
        given = {name: getattr(options, name) for name in FILTERS if getattr(options, name)}
        given |= {"signed": options.signed, "limit": options.limit}
        return given | (connection_from(options, self.variables) if connect else {})
