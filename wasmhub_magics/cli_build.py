"""The commands of the console script that begin, build and export filters."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import RequestError

if TYPE_CHECKING:
    from .build import BuildOptions
    from .filter import Filter

__all__ = ["add_build_commands", "build_options"]


def add_build_commands(commands: Any, take: Callable[[argparse.Namespace], Filter]) -> None:
    """Add ``new``, ``build`` and ``export``; ``take`` gives the filter that a command names."""
    new = commands.add_parser("new", help="write a filter to begin with; alone it lists the examples")
    new.add_argument("language", nargs="?", help="language of the filter")
    new.add_argument("name", nargs="?", help="name of the filter, and of its file")
    new.add_argument("--example", help="begin with this example")
    new.set_defaults(run=_new)

    build = commands.add_parser("build", help="build a filter from a source file or an exported project")
    _source(build)
    build.add_argument("-o", "--output", metavar="FILE", help="where the module goes (default: NAME.wasm)")
    build.set_defaults(run=lambda options: _build(take(options), options))

    export = commands.add_parser("export", help="write a filter as a project of its language")
    _source(export)
    export.add_argument("directory", metavar="DIR", help="new directory")
    export.add_argument("--overwrite", action="store_true", help="write over what is there")
    export.set_defaults(run=lambda options: _export(take(options), options))


def _source(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("filter", metavar="FILTER", help="source file, .wasm file, or exported project")
    parser.add_argument("--lang", help="language of the source (default: by the file's ending)")
    parser.add_argument("--name", default="", help="name of the filter (default: the file's name)")
    parser.add_argument("--force", action="store_true", help="build even where the cache has it")
    parser.add_argument("--builder", metavar="docker[:IMAGE]", default="", help="compile in a container")
    parser.add_argument("--opt", choices=("speed", "size", "none"), help="what the compiler optimizes for")
    parser.add_argument(
        "--debug", action="store_true", help="keep source positions, so that traps tell lines"
    )
    for name, metavar, text in (
        ("define", "K=V", "definition for the compiler"),
        ("flag", "FLAG", "further flag for the compiler"),
        ("file", "FILE", "further source file that the source imports or includes"),
        ("crate", "NAME=VERSION", "crate that Rust source uses"),
        ("module", "PATH@VERSION", "module that Go source uses"),
    ):
        parser.add_argument(f"--{name}", metavar=metavar, action="append", default=[], help=text)


def build_options(options: argparse.Namespace) -> BuildOptions:
    """What the flags of a command say about building. Raises RequestError."""
    from .build import BuildOptions, read_files

    given: dict[str, Any] = {"builder": getattr(options, "builder", "")}
    if hasattr(options, "define"):
        pairs = [each.partition("=") for each in options.define]
        wrong = next(("".join(each) for each in pairs if not each[0] or not each[1]), None)
        if wrong is not None:
            raise RequestError(f"--define {wrong!r} is not KEY=VALUE", do="write --define KEY=VALUE")
        given |= {
            "debug": options.debug,
            "defines": tuple((name, value) for name, _, value in pairs),
            "flags": tuple(options.flag),
            "files": read_files(options.file),
            "packages": (*options.crate, *options.module),
        }
        if options.opt is not None:
            given["optimize"] = options.opt
    return BuildOptions(**given)


def _new(options: argparse.Namespace) -> int:
    from .build import find_language
    from .examples import Gallery, example, starter

    if options.language is None and options.example is None:
        print(Gallery())
        return 0
    tongue = find_language(options.language or "python")
    name = options.name or options.example or "filter"
    source = starter(tongue.name) if options.example is None else example(options.example).source(tongue.name)
    path = Path(name + tongue.suffix)
    if path.exists():
        raise RequestError("there is such a file already", where=str(path), do="name another one")
    path.write_text(source)
    print(f"{path}\ntry it: wasmhub send {path} /")
    if options.example is not None and example(options.example).table.config is not None:
        print(f"it wants a configuration, such as: --config '{example(options.example).table.config}'")
    return 0


def _build(made: Filter, options: argparse.Namespace) -> int:
    print(made, made.save(options.output or f"{made.name}.wasm"))
    return 0


def _export(made: Filter, options: argparse.Namespace) -> int:
    print(made.export(options.directory, force=options.overwrite))
    return 0
