"""%wasm_new and %wasm_export: where filters begin, and where they go when they outgrow a notebook."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from IPython.core.magic import magics_class

from ..errors import RequestError
from .arguments import argument, line_magic, magic_arguments, parse
from .errors import clean_errors
from .group import Group
from .session import SESSION

if TYPE_CHECKING:
    from ..examples import Gallery

__all__ = ["ProjectMagics"]


@magics_class
class ProjectMagics(Group):
    """Magics that start filters and hand them on."""

    @magic_arguments()
    @argument("language", nargs="?", help="language of the filter (default: python)")
    @argument("name", nargs="?", help="name of the filter (default: the example's, or the language's)")
    @argument("--example", metavar="EXAMPLE", help="begin with this example; %%wasm_new alone lists them")
    @line_magic
    @clean_errors
    def wasm_new(self, line: str) -> Gallery | None:
        """Insert a cell with a filter that runs at once: a small one, or one of the examples.

        Alone it lists the examples and their languages.

        Examples::

            %wasm_new
            %wasm_new rust greeter
            %wasm_new --example rate-limit go
        """
        from ..build import find_language
        from ..examples import Gallery, example, starter

        options = parse(self.wasm_new, line)
        if options.language is None and options.example is None:
            return Gallery()
        language = find_language(options.language or self.settings.language).name
        words = ["%%wasm_filter", options.name or options.example or language]
        if language != self.settings.language:
            words += ["--lang", language]
        if options.example is None:
            source = starter(language)
        else:
            shown = example(options.example)
            source = shown.source(language)
            config = shown.table.config
            words += [] if config is None else ["--config", str(config)]
            flag = {"rust": "--crate", "go": "--module"}.get(language, "")
            for package in shown.packages.get(language, ()):
                words += [flag, package]
        text = f"{shlex.join(words)}\n{source.rstrip()}\n"
        self.shell.set_next_input(text, replace=False)  # type: ignore[union-attr]
        return None

    @magic_arguments()
    @argument("name", help="name of the filter")
    @argument("directory", nargs="?", metavar="DIR", help="new directory (default: the filter's name)")
    @argument("--force", action="store_true", help="write over what is there")
    @line_magic
    @clean_errors
    def wasm_export(self, line: str) -> Path:
        """Write a filter as a project of its language: source, build files, a test, a workflow, a README.

        The test expects what the filter did in the last %%wasm_send; it holds the plugin's configuration.
        ``%%wasm_filter --file DIR`` takes the project back.

        Examples::

            %wasm_export greeter
            %wasm_export greeter ~/filters/greeter --force
        """
        options = parse(self.wasm_export, line)
        made = self.filter(options.name)
        sent = SESSION.exchanges.get(options.name)
        exchanges = [sent[1]] if sent is not None and sent[0] is made else None
        if exchanges and exchanges[0].response is None:
            raise RequestError(
                f"the last request through {options.name} got no response, so there is nothing to expect",
                do=f"send another: %wasm_send {options.name} /",
            )
        return made.export(options.directory or options.name, exchanges, force=options.force)
