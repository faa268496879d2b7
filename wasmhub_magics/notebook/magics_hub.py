"""%wasm_push, %wasm_pull, %wasm_search: publish and find filters."""

from __future__ import annotations

import argparse
import getpass
from typing import TYPE_CHECKING, Any

from IPython.core.error import StdinNotImplementedError
from IPython.core.magic import magics_class

from ..errors import RequestError
from .arguments import argument, line_magic, magic_arguments, parse, variable
from .errors import clean_errors
from .figures import pushed
from .group import Group
from .session import SESSION

if TYPE_CHECKING:
    from ..filter import Filter
    from ..hub import Image, SearchResult

__all__ = ["HubMagics"]


@magics_class
class HubMagics(Group):
    """Magics that move images."""

    @magic_arguments()
    @argument("name", help="name of the filter")
    @argument(
        "reference",
        nargs="?",
        default="",
        metavar="REF",
        help="[REGISTRY/]REPOSITORY[:TAG]; the local store if no registry",
    )
    @argument("--description", metavar="TEXT", help="one sentence on what the filter does")
    @argument(
        "--username", metavar="USER", help="user of the registry (default: the login of docker or oras)"
    )
    @argument("--password", metavar="@NAME", help="variable that holds the password (default: asked for)")
    @argument("--insecure", action="store_true", help="plain http also for a host that is not this one")
    @line_magic
    @clean_errors
    def wasm_push(self, line: str) -> Image:
        """Publish a filter as an OCI image, in a registry or in the local store.

        Examples::

            %wasm_push greeter
            %wasm_push greeter localhost:5000/demo/greeter:v1
            %wasm_push greeter registry.example.com/greeter:v1 --username ada --password @token
        """
        options = parse(self.wasm_push, line)
        given = self._credentials(options)
        if options.description:
            given["annotations"] = {"org.opencontainers.image.description": options.description}
        made = self.filter(options.name)
        image = made.push(options.reference, **given)
        SESSION.history.measured(made.name, pushed(made, image))
        return image

    @magic_arguments()
    @argument("reference", metavar="REF", help="[REGISTRY/]REPOSITORY[:TAG][@DIGEST]")
    @argument(
        "--as", dest="name", default="", metavar="NAME", help="name of the filter (default: the image's)"
    )
    @argument(
        "--username", metavar="USER", help="user of the registry (default: the login of docker or oras)"
    )
    @argument("--password", metavar="@NAME", help="variable that holds the password (default: asked for)")
    @argument("--insecure", action="store_true", help="plain http also for a host that is not this one")
    @line_magic
    @clean_errors
    def wasm_pull(self, line: str) -> Filter:
        """Fetch a filter from a registry or the local store and keep it under its name.

        Examples::

            %wasm_pull localhost:5000/demo/greeter:v1
            %wasm_pull greeter --as old_greeter
        """
        from ..filter import pull

        options = parse(self.wasm_pull, line)
        made = pull(options.reference, options.name, **self._credentials(options))
        self.keep(made)
        SESSION.history.loaded(made)
        return made

    @magic_arguments()
    @argument("words", nargs="*", metavar="TEXT", help="words of the name or description; all images if none")
    @line_magic
    @clean_errors
    def wasm_search(self, line: str) -> SearchResult:
        """Find images in the local store by name, description and annotations.

        Example::

            %wasm_search greeting
        """
        from ..filter import search

        options = parse(self.wasm_search, line)
        return search(" ".join(options.words))

    def _credentials(self, options: argparse.Namespace) -> dict[str, Any]:
        given: dict[str, Any] = {"insecure": True} if options.insecure else {}
        if options.password is not None and not options.password.startswith("@"):
            raise RequestError(
                "a password on the line would be saved with the notebook",
                do="put it into a variable and pass --password @name, or leave the option out to be asked",
            )
        if options.password is not None and not options.username:
            raise RequestError("a password needs a user name", do="add --username USER")
        if options.username:
            given |= {"username": options.username, "password": self._password(options)}
        return given

    def _password(self, options: argparse.Namespace) -> str:
        if options.password is None:
            try:
                return getpass.getpass(f"password of {options.username}: ")
            except StdinNotImplementedError:
                raise RequestError(
                    "nobody can be asked for the password here", do="pass --password @name of a variable"
                ) from None
        value = variable(options.password, self.variables)
        if not isinstance(value, str):
            raise RequestError(f"{options.password} is not text", do="assign the password as a str")
        return value
