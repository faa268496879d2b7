"""What a filter tells about itself when it is published, and what the built-in examples tell."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from . import __version__
from .build import Build, BuildOptions, find_language
from .examples import examples
from .hub import About, Entry, Image, provenance, push, sbom
from .plugin import Plugin

if TYPE_CHECKING:
    from .module import Module

__all__ = ["about_build", "example_entries", "publish"]

_FIELDS = {each.name for each in fields(About)}


def publish(
    plugin: Plugin,
    built: Build | None,
    reference: str,
    *,
    about: About | None = None,
    source: bool = True,
    **options: Any,
) -> Image:
    """Push a plugin's module with what is known of it; options that are fields of ``About`` are told too.

    ``tests`` may be a suite or the results of a run, ``benchmark`` a latency report. Without ``source`` the
    text stays here and its digest travels. Raises RequestError and HubError.
    """
    if options.get("tests") or options.get("benchmark"):
        from .evidence import as_values

        options |= as_values(plugin.module.digest, options.get("tests"), options.get("benchmark"))
    told = about_build(plugin, built, about or About())
    told = replace(told, **{name: options.pop(name) for name in _FIELDS & options.keys()})
    if told.tests and told.example_config.encode() == plugin.configuration:  # else it is to stay here
        from .evidence import configured

        told = replace(told, tests=configured(told.tests, told.example_config))
    if not source:
        told = replace(told, source="", source_name="")
    if built is not None:
        options.setdefault("provenance", provenance(told, plugin.module.digest, __version__))
        options.setdefault("sbom", sbom(told, plugin.module.digest, _parts(built)))
    return push(plugin.module, reference or plugin.name, about=told, root_id=plugin.root_id, **options)


def about_build(plugin: Plugin, built: Build | None, about: About) -> About:
    """What a build and its module say of themselves, where the publisher said nothing else."""
    found: dict[str, Any] = {"title": plugin.name, "verdict": verdict(plugin.module)}
    if plugin.configuration:
        found["example_config"] = plugin.configuration.decode(errors="replace")
    if built is not None:
        found |= {
            "language": built.language,
            "toolchain": built.toolchain,
            "flags": _flags(built.options),
            "source": built.source,
            "source_name": f"{plugin.name}{find_language(built.language).suffix}",
        }
    return replace(about, **{name: text for name, text in found.items() if not getattr(about, name)})


def example_entries(language: str = "") -> tuple[Entry, ...]:
    """The built-in examples as a search lists them, each in that language where it is written in it."""
    found = []
    for each in examples():
        chosen = language if language in each.languages else each.languages[0]
        found.append(
            Entry(
                name=each.name,
                origin="examples",
                ref=each.name,
                description=f"{each.title}. {each.description}",
                keywords=("example", *each.languages),
                language=chosen,
            )
        )
    return tuple(found)


def verdict(module: Module) -> str:
    """One sentence on whether a proxy loads the module."""
    problems = [str(problem) for problem in module.problems]
    if problems:
        return f"a proxy cannot load it: {'; '.join(problems)}"[:500]
    notes = f"; {'; '.join(module.notes)}" if module.notes else ""
    return f"ABI {module.abi}: every import is one that Envoy offers{notes}"[:500]


def _flags(options: BuildOptions) -> str:
    parts: Iterable[str] = (
        f"--opt {options.optimize}",
        *(("--debug",) if options.debug else ()),
        *(f"--define {name}={value}" for name, value in options.defines),
        *(f"--flag={flag}" for flag in options.flags),
        *(f"--package {package}" for package in options.packages),
    )
    return " ".join(parts)


def _parts(built: Build) -> tuple[tuple[str, str], ...]:
    """The toolchain, and all packages of the module or at least those that the source names."""
    name, _, version = built.toolchain.rpartition(" ")
    parts = [(name or version, version if name else "NOASSERTION")] if built.toolchain else []
    if built.packages:
        return (*parts, *built.packages)
    for package in built.options.packages:
        mark = "=" if "=" in package else "@"
        title, _, number = package.partition(mark)
        parts.append((title, number or "NOASSERTION"))
    return tuple(parts)
