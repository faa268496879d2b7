"""%wasm_push, %wasm_pull, %wasm_login: publish and fetch filters."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from IPython.core.magic import magics_class

from ..errors import HubError, RequestError
from .arguments import argument, line_magic, magic_arguments, parse, variable
from .connection import ask, connection_arguments, connection_from
from .errors import clean_errors
from .figures import pushed
from .group import Group
from .progress import Progress
from .readme import markdown_above
from .session import SESSION

if TYPE_CHECKING:
    from ..filter import Filter
    from ..hub import Image, Login
    from ..latency import LatencyReport

__all__ = ["HubMagics"]

TEXTS = ("description", "version", "licenses", "category", "authors", "documentation")


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
    @argument("--version", metavar="TEXT", help="version of the filter")
    @argument("--licenses", metavar="SPDX", help="licence, such as Apache-2.0")
    @argument("--category", metavar="TEXT", help="what kind of filter it is, such as security")
    @argument("--authors", metavar="TEXT", help="who made it")
    @argument("--documentation", metavar="URL", help="where its documentation is")
    @argument("--keyword", metavar="WORD", action="append", default=[], help="word to find it by")
    @argument("--readme", metavar="FILE", help="Markdown file or @name (default: the Markdown cell above)")
    @argument("--schema", metavar="@NAME", help="JSON Schema of the configuration: @name or a file")
    @argument("--example-config", metavar="TEXT", help="configuration that works (default: the filter's)")
    @argument("--tests", metavar="@NAME", help="test cases and their last result (default: those kept)")
    @argument(
        "--benchmark", metavar="@NAME", help="a latency report or a summary (default: the last %%wasm_bench)"
    )
    @argument("--no-source", action="store_true", help="keep the source here")
    @argument(
        "--layout",
        choices=("compat", "solo", "cncf", "all"),
        default="compat",
        help="compat (default) for Istio and docker; all under related tags",
    )
    @argument("--compress", action="store_true", help="smaller, but not the same on every machine")
    @argument("--sign", metavar="KEY", help="private key of cosign; COSIGN_PASSWORD opens it, else asked")
    @argument("--index", metavar="REPO", help="repository of the index to enter it into, or no")
    @connection_arguments()
    @line_magic
    @clean_errors
    def wasm_push(self, line: str) -> Image:
        """Publish a filter as an OCI image, in a registry or in the local store.

        Examples::

            %wasm_push greeter
            %wasm_push greeter localhost:5000/demo/greeter:v1 --layout all --keyword greeting
            %wasm_push greeter registry.example.com/greeter:v1 --sign team.key
        """
        options = parse(self.wasm_push, line)
        made = self.filter(options.name)
        given = connection_from(options, self.variables) | self._facts(options, made)
        if options.sign:
            given["key"] = self._key(options.sign)
        if options.index:
            given["index"] = False if options.index == "no" else options.index
        with Progress(f"push {made.name}", self.settings.progress_after) as progress:
            image = made.push(
                options.reference,
                layout=options.layout,
                compress=options.compress,
                source=not options.no_source,
                moved=_moving(progress),
                **given,
            )
        SESSION.history.measured(made.name, pushed(made, image))
        return image

    @magic_arguments()
    @argument("reference", metavar="REF", help="[REGISTRY/]REPOSITORY[:TAG][@DIGEST], or a URL of a module")
    @argument(
        "--as", dest="name", default="", metavar="NAME", help="name of the filter (default: the image's)"
    )
    @argument("--sha256", default="", metavar="HEX", help="what the module's digest must be")
    @connection_arguments()
    @line_magic
    @clean_errors
    def wasm_pull(self, line: str) -> Filter:
        """Fetch a filter from a registry, the local store or a web server and keep it under its name.

        Examples::

            %wasm_pull localhost:5000/demo/greeter:v1
            %wasm_pull greeter --as old_greeter
        """
        from ..filter import pull

        options = parse(self.wasm_pull, line)
        given = connection_from(options, self.variables)
        with Progress(f"pull {options.reference}", self.settings.progress_after) as progress:
            made = pull(
                options.reference, options.name, sha256=options.sha256, moved=_moving(progress), **given
            )
            _ = made.digest  # nothing is kept where it is another than the image says
        made = _with_cases(made, given)
        self.keep(made)
        SESSION.history.loaded(made)
        return made

    @magic_arguments()
    @argument("registry", metavar="REGISTRY", help="HOST or HOST:PORT")
    @connection_arguments()
    @line_magic
    @clean_errors
    def wasm_login(self, line: str) -> Login:
        """Log in to a registry: it is asked whether it accepts, then the login is kept as docker keeps it.

        Examples::

            %wasm_login registry.example.com --username ada
            %wasm_login localhost:5000 --username ada --password @token
        """
        from ..hub import login

        options = parse(self.wasm_login, line)
        given = connection_from(options, self.variables)
        if "username" not in given:
            raise RequestError("a login needs a user name", do="add --username USER")
        return login(options.registry, **given)

    def _facts(self, options: argparse.Namespace, made: Filter) -> dict[str, Any]:
        facts: dict[str, Any] = {name: getattr(options, name) for name in TEXTS if getattr(options, name)}
        if options.keyword:
            facts["keywords"] = tuple(options.keyword)
        readme = (
            self._value(options.readme)
            if options.readme
            else markdown_above(made.name, made.source, self.variables)
        )
        facts |= {"readme": str(readme)} if readme else {}
        if options.example_config:
            facts["example_config"] = options.example_config
        if options.schema:
            facts["config_schema"] = self._json(options.schema)
        for name, kept in (("tests", _kept_tests(made)), ("benchmark", _kept_report(made))):
            value = self._json(getattr(options, name)) if getattr(options, name) else kept
            facts |= {} if value is None else {name: value}
        return facts

    def _value(self, text: str) -> object:
        """The value of ``@name``, or the text of a file."""
        if text.startswith("@"):
            return variable(text, self.variables)
        try:
            return Path(text).expanduser().read_text()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no text"
            raise RequestError(
                f"the file cannot be read: {reason}", where=text, do="check the path, or pass @name"
            ) from None

    def _json(self, text: str) -> Any:
        import json

        from ..latency import LatencyReport
        from ..testing import Results, Suite

        value: Any = self._value(text)
        if isinstance(value, Suite | Results | LatencyReport):
            return value
        if hasattr(value, "to_dict"):
            return value.to_dict()
        if not isinstance(value, str):
            return dict(value) if isinstance(value, Mapping) else value
        try:
            return json.loads(value)
        except ValueError as error:
            raise RequestError(f"{text} is no JSON: {error}", do="pass a variable: @name") from None

    def _key(self, path: str) -> Any:
        import os

        from ..hub.keys import private_key

        if "COSIGN_PASSWORD" in os.environ:
            return private_key(path)
        return private_key(path, ask(f"password of {path}: "))


def _kept_tests(made: Filter) -> dict[str, Any] | None:
    """The cases that are kept of a filter, and what their last run with this build gave."""
    from ..evidence import suite_value

    suite = SESSION.suites.get(made.name)
    return suite_value(suite, SESSION.results.get(made.name), made.digest) if suite else None


def _kept_report(made: Filter) -> LatencyReport | None:
    """The last measurement of this very build."""
    report = SESSION.reports.get(made.name)
    return report if report is not None and report.digest == made.digest else None


def _with_cases(made: Filter, connection: Mapping[str, Any]) -> Filter:
    """Keep the cases that travel with a filter, unless there are some under its name, and say so."""
    from ..evidence import read_tests
    from ..hub import carried

    image = made.image
    if image is None or not image.digest:
        return made
    try:
        suite = read_tests(carried(image, **connection).tests)
    except HubError as error:
        return _noted(made, f"what travels with it could not be read: {error.what}")
    if suite is None or made.name in SESSION.suites:
        return made
    SESSION.add_suite(made.name, suite)
    count = f"{len(suite)} case{'' if len(suite) == 1 else 's'}"
    return _noted(made, f"{count} came with it: %wasm_cases {made.name}")


def _noted(made: Filter, remark: str) -> Filter:
    assert made.image is not None
    return replace(made, image=replace(made.image, remarks=(*made.image.remarks, remark)))


def _moving(progress: Progress) -> Any:
    """What tells a line of progress how many bytes have moved."""

    def tell(what: str, done: int, total: int) -> None:
        progress(f"{what}: {done / 1e6:.1f} of {total / 1e6:.1f} MB")

    return tell
