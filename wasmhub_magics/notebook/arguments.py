"""Options of the magics: declared as IPython does, parsed as a shell does."""

from __future__ import annotations

import argparse
import json
import shlex
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from IPython.core import magic
from IPython.core import magic_arguments as ipython
from IPython.core.error import UsageError

from ..curl import add_request_arguments, request_from
from ..errors import RequestError
from ..http import Request, Response
from ..proxy.cluster import cluster_from

__all__ = [
    "ENGINES",
    "POLICIES",
    "Magic",
    "argument",
    "chosen_request",
    "cluster_argument",
    "clusters_from",
    "config_from",
    "engine_argument",
    "line_cell_magic",
    "line_magic",
    "magic_arguments",
    "pairs_from",
    "parse",
    "request_arguments",
    "upstream_from",
    "variable",
]  # fmt: skip

ENGINES = ("embedded", "envoy")
POLICIES = ("closed", "open", "reload")


Magic = TypeVar("Magic", bound=Callable[..., Any])


def line_magic(function: Magic) -> Magic:
    """IPython's decorator of that name, typed: a magic that takes its line."""
    magic.line_magic(function)
    return function


def line_cell_magic(function: Magic) -> Magic:
    """IPython's decorator of that name, typed: a magic that takes its line and perhaps a cell."""
    magic.line_cell_magic(function)
    return function


def magic_arguments() -> Callable[[Magic], Magic]:
    """IPython's decorator of that name, typed: make a parser of the arguments declared below it."""
    decorator: Callable[[Magic], Magic] = ipython.magic_arguments()  # type: ignore[no-untyped-call]
    return decorator


def argument(*names: str, **settings: Any) -> Callable[[Magic], Magic]:
    """IPython's decorator of that name, typed: declare an argument as ``argparse`` takes it."""
    decorator: Callable[[Magic], Magic] = ipython.argument(*names, **settings)  # type: ignore[no-untyped-call]
    return decorator


def request_arguments() -> Callable[[Magic], Magic]:
    """Declare curl's flags for a request, and the words METHOD and PATH."""
    decorator: Callable[[Magic], Magic] = _RequestArguments()
    return decorator


class _RequestArguments(ipython.ArgDecorator):
    def add_to_parser(self, parser: argparse.ArgumentParser, group: Any) -> None:  # noqa: ARG002
        add_request_arguments(parser)


def engine_argument() -> Callable[[Magic], Magic]:
    """Declare ``--engine``."""
    return argument("--engine", choices=ENGINES, help="embedded (default) or envoy, the real one")


def parse(function: Any, line: str) -> argparse.Namespace:
    """The options of a magic's line, quotes resolved as a POSIX shell does. Raises RequestError."""
    name = function.__name__
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise RequestError(
            f"%{name}: the line cannot be split: {error}", do="close the quote, or escape it"
        ) from None
    parser = function.parser
    parser.allow_abbrev = False
    try:
        options: argparse.Namespace = parser.parse_intermixed_args(words)
    except UsageError as error:
        raise RequestError(f"%{name}: {error}", do=f"%{name}? shows its options") from None
    return options


def variable(text: str, variables: Mapping[str, object]) -> object:
    """The value of the variable that ``@name`` stands for. Raises RequestError where there is none."""
    name = text.removeprefix("@")
    if name not in variables:
        raise RequestError(f"{text}: there is no variable named {name!r}", do="assign it in a cell before")
    return variables[name]


def chosen_request(options: argparse.Namespace, variables: Mapping[str, object]) -> Request:
    """The request that curl's flags describe, or the ``Request`` that ``@name`` stands for."""
    if len(options.words) == 1 and options.words[0].startswith("@"):
        value = variable(options.words[0], variables)
        if not isinstance(value, Request):
            raise RequestError(
                f"{options.words[0]} is {_kind(value)}, not a request", do='assign a Request("GET", "/path")'
            )
        return value
    return request_from(options)


def upstream_from(text: str | None, variables: Mapping[str, object]) -> dict[str, Any]:
    """``--upstream`` as a keyword: a status, or ``@name`` of a Response or function. Raises RequestError."""
    if text is None:
        return {}
    if text.startswith("@"):
        value = variable(text, variables)
        if not isinstance(value, Response) and not callable(value):
            raise RequestError(
                f"{text} is {_kind(value)}, which cannot answer requests",
                do="assign a Response, or a function from Request to Response",
            )
        return {"upstream": value}
    if not text.isdecimal():
        raise RequestError(
            f"{text!r} is no upstream", do="write a status such as 503, or @name of a variable"
        )
    return {"upstream": Response(int(text))}


def cluster_argument() -> Callable[[Magic], Magic]:
    """Declare ``--cluster``."""
    return argument(
        "--cluster",
        metavar="NAME=WHO",
        action="append",
        default=[],
        help="who answers calls to a cluster: @name of a variable, http://HOST:PORT, a status, or refused",
    )


def clusters_from(texts: list[str], variables: Mapping[str, object]) -> dict[str, Any]:
    """``--cluster`` options as a keyword; empty where there is none. Raises RequestError."""
    if not texts:
        return {}
    pairs = pairs_from(texts, "--cluster")
    found = {
        name: variable(who, variables) if who.startswith("@") else cluster_from(name, who)
        for name, who in pairs.items()
    }
    return {"clusters": found}


def config_from(text: str, variables: Mapping[str, object], option: str = "--config") -> Any:
    """The configuration that an option names: its text as it is, or the value of the variable ``@name``.

    Text that starts like a JSON object or list must be one. Raises RequestError.
    """
    if text.startswith("@"):
        return variable(text, variables)
    if text.lstrip()[:1] in ("{", "["):
        try:
            json.loads(text)
        except ValueError as error:
            raise RequestError(
                f"{option} is not JSON: {error}",
                do=f"quote it: {option} '{{\"key\": 1}}', or pass a variable: {option} @name",
            ) from None
    return text


def pairs_from(texts: list[str], option: str) -> dict[str, str]:
    """``KEY=VALUE`` options as a mapping. Raises RequestError."""
    found: dict[str, str] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise RequestError(f"{option} {text!r} is not KEY=VALUE", do=f"write {option} KEY=VALUE")
        found[key] = value
    return found


def _kind(value: object) -> str:
    return f"a value of type {type(value).__name__}"
