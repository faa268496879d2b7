"""%%wasm_filter and %wasm_filter: write a filter, look at one, list them."""

from __future__ import annotations

import argparse
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from IPython.core.magic import magics_class, no_var_expand

from ..errors import CompileError, RequestError
from .arguments import POLICIES, argument, config_from, line_cell_magic, magic_arguments, pairs_from, parse
from .errors import clean_errors, show_diagnostics
from .group import Group
from .listing import FilterList
from .progress import Progress
from .session import SESSION

if TYPE_CHECKING:
    from ..build import BuildOptions
    from ..filter import Filter

__all__ = ["FilterMagics"]


@magics_class
class FilterMagics(Group):
    """Magics that make filters."""

    @no_var_expand
    @magic_arguments()
    @argument(
        "name", nargs="?", help="name of the filter, and of the variable that holds it (default: filter)"
    )
    @argument("--lang", metavar="LANGUAGE", help="language of the body (default: python)")
    @argument("--config", metavar="JSON", help="plugin configuration: text, JSON, or @name of a variable")
    @argument("--schema", metavar="@NAME", help="JSON Schema of the configuration, for the tester's form")
    @argument("--vm-config", metavar="TEXT", help="VM configuration: text, JSON, or @name of a variable")
    @argument("--root-id", metavar="ID", help="root id of the plugin")
    @argument("--env", metavar="K=V", action="append", default=[], help="environment variable of the filter")
    @argument(
        "--failure-policy", choices=POLICIES, help="what a failed filter does to requests (default: closed)"
    )
    @argument("--define", metavar="K=V", action="append", default=[], help="definition for the compiler")
    @argument(
        "--opt", choices=("speed", "size", "none"), help="what the compiler optimizes for (default: speed)"
    )
    @argument("--debug", action="store_true", help="keep source positions, so that a trap tells its line")
    @argument(
        "--flag",
        metavar="FLAG",
        action="append",
        default=[],
        help="further flag for the compiler: --flag=-Wall",
    )
    @argument(
        "--crate",
        metavar="NAME=VERSION",
        action="append",
        default=[],
        help="crate that Rust source uses: --crate serde_json=1",
    )
    @argument(
        "--module",
        metavar="PATH@VERSION",
        action="append",
        default=[],
        help="module that Go source uses: --module github.com/tidwall/gjson@v1.18.0",
    )
    @argument("--file", metavar="FILE", help="take the source, or the ready-made .wasm, from a file")
    @argument("--builder", metavar="docker[:IMAGE]", default="", help="compile in a container")
    @argument("--force", action="store_true", help="build even where the cache has it")
    @argument("--timeout", metavar="S", type=float, help="seconds after which the compiler is stopped")
    @line_cell_magic
    @clean_errors
    def wasm_filter(self, line: str, cell: str | None = None) -> Filter | FilterList:
        """Build a filter from the cell, and keep it under its name.

        As a cell magic it builds the body, of which nothing is ever replaced. As a line magic it shows one
        filter, lists all of them where no name is given, or builds from a file.

        Examples::

            %%wasm_filter greeter
            def on_request_headers(ctx):
                ctx.request.headers["x-greeting"] = "hello"

            %%wasm_filter counter --lang c --config '{"limit": 3}'
            %wasm_filter auth --file auth.wasm --failure-policy open
            %wasm_filter
        """
        options = parse(self.wasm_filter, line)
        if cell is None and options.file is None:
            return (
                FilterList(tuple(SESSION.filters.values()))
                if options.name is None
                else self.filter(options.name)
            )
        if cell is not None and options.file is not None and cell.strip():
            raise RequestError(
                "a cell with a body cannot take its source from a file too",
                do=f"write %wasm_filter {options.name or 'NAME'} --file {options.file} on a line of its own",
            )
        name = _name(options)
        settings = self._settings(options)
        language = options.lang or self.settings.language
        with SESSION.history.attempt(name, language, line, cell or "") as done:
            made = self._file(options, name) if options.file else self._body(options, name, cell or "")
            made = made.configure(**settings)
            if options.schema is not None:
                made = made.with_schema(self._schema(options.schema))
            self.keep(made)
            done(made)
        return made

    def _settings(self, options: argparse.Namespace) -> dict[str, Any]:
        given: dict[str, Any] = {"root_id": options.root_id, "failure_policy": options.failure_policy}
        if options.config is not None:
            given["config"] = config_from(options.config, self.variables)
        if options.vm_config is not None:
            given["vm_config"] = config_from(options.vm_config, self.variables, "--vm-config")
        if options.env:
            given["env"] = pairs_from(options.env, "--env")
        return given

    def _schema(self, text: str) -> dict[str, Any]:
        found = config_from(text, self.variables, "--schema")
        if isinstance(found, str):
            found = json.loads(found) if found.lstrip().startswith("{") else None
        if not isinstance(found, dict):
            raise RequestError(f"--schema {text} is no mapping", do="assign a dict, pass --schema @name")
        return found

    def _build_options(self, options: argparse.Namespace, first_line: int) -> BuildOptions:
        from ..build import BuildOptions

        made = BuildOptions(
            debug=options.debug,
            defines=tuple(pairs_from(options.define, "--define").items()),
            flags=tuple(options.flag),
            packages=(*options.crate, *options.module),
            builder=options.builder,
            first_line=first_line,
            timeout=options.timeout or self.settings.timeout,
        )
        return made if options.opt is None else replace(made, optimize=options.opt)

    def _body(self, options: argparse.Namespace, name: str, cell: str) -> Filter:
        language = options.lang or self.settings.language
        return self._build(
            options, name, language, cell, self._build_options(options, self._first_line(cell))
        )

    def _file(self, options: argparse.Namespace, name: str) -> Filter:
        from ..build import language_of
        from ..filter import load

        path = Path(options.file).expanduser()
        if path.suffix == ".wasm":
            return load(path, name)
        try:
            source = path.read_text()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            raise RequestError(
                f"the source cannot be read: {reason}", where=str(path), do="check the path"
            ) from None
        language = options.lang or language_of(path)
        return self._build(options, name, language, source, self._build_options(options, 1))

    def _build(
        self, options: argparse.Namespace, name: str, language: str, source: str, how: BuildOptions
    ) -> Filter:
        from ..filter import build

        try:
            with Progress(f"{name} ({language})", self.settings.progress_after) as progress:
                made = build(source, language, name, options=how, force=options.force, progress=progress)
        except CompileError as error:
            show_diagnostics(error.diagnostics, source)
            raise
        if made.built is not None:
            show_diagnostics(made.built.diagnostics, source)
        return made

    def _first_line(self, cell: str) -> int:
        """The number of the body's first line in the cell: IPython cuts empty lines above the magic off."""
        history = self.shell.history_manager  # type: ignore[union-attr]
        raw = history.input_hist_raw[-1].rstrip("\n") if history and history.input_hist_raw else ""
        body = cell.rstrip("\n")
        if body and raw.endswith(body) and "%%wasm_filter" in raw:
            return raw[: len(raw) - len(body)].count("\n") + 1
        return 2


def _name(options: argparse.Namespace) -> str:
    name = options.name or (Path(options.file).stem if options.file else "filter")
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", name):
        raise RequestError(
            f"{name!r} is no name for a filter", do="use letters, digits, '_', '-' and '.', such as my_filter"
        )
    return str(name)
