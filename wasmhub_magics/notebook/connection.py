"""The options of a connection to a registry, for every magic that makes one."""

from __future__ import annotations

import argparse
import getpass
from collections.abc import Callable, Mapping
from typing import Any

from IPython.core import magic_arguments as ipython
from IPython.core.error import StdinNotImplementedError

from ..errors import RequestError
from .arguments import Magic, variable

__all__ = ["ask", "connection_arguments", "connection_from"]


def connection_arguments() -> Callable[[Magic], Magic]:
    """Declare ``--username``, ``--password``, ``--insecure`` and ``--ca``."""
    decorator: Callable[[Magic], Magic] = _ConnectionArguments()
    return decorator


class _ConnectionArguments(ipython.ArgDecorator):
    def add_to_parser(self, parser: argparse.ArgumentParser, group: Any) -> None:  # noqa: ARG002
        parser.add_argument(
            "--username", metavar="USER", help="user of the registry (default: the login that is kept)"
        )
        parser.add_argument(
            "--password", metavar="@NAME", help="variable that holds the password (default: asked for)"
        )
        parser.add_argument(
            "--insecure", action="store_true", help="plain http also for a host that is not this one"
        )
        parser.add_argument("--ca", metavar="FILE", help="certificates of the authority to trust")


def connection_from(options: argparse.Namespace, variables: Mapping[str, object]) -> dict[str, Any]:
    """What these options say, as arguments of ``push`` and ``pull``. Raises RequestError."""
    given: dict[str, Any] = {"insecure": True} if options.insecure else {}
    given |= {"tls_verify": options.ca} if options.ca else {}
    if options.password is not None and not options.password.startswith("@"):
        raise RequestError(
            "a password on the line would be saved with the notebook",
            do="put it into a variable and pass --password @name, or leave the option out to be asked",
        )
    if options.password is not None and not options.username:
        raise RequestError("a password needs a user name", do="add --username USER")
    if options.username:
        given |= {"username": options.username, "password": _password(options, variables)}
    return given


def _password(options: argparse.Namespace, variables: Mapping[str, object]) -> str:
    if options.password is None:
        return ask(f"password of {options.username}: ")
    value = variable(options.password, variables)
    if not isinstance(value, str):
        raise RequestError(f"{options.password} is not text", do="assign the password as a str")
    return value


def ask(prompt: str) -> str:
    """Ask for a secret; what is typed is not shown. Raises RequestError where nobody can be asked."""
    try:
        return getpass.getpass(prompt)
    except StdinNotImplementedError:
        raise RequestError(
            "nobody can be asked for the password here", do="pass --password @name of a variable"
        ) from None
